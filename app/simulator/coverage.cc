#include "app/simulator/coverage.h"

#include <algorithm>
#include <set>
#include <sstream>

namespace micropay::app {
namespace {

// What any call may be answered with, whatever it asks for; the gateway's and the runtime's own.
const std::set<std::string, std::less<>> kCommonReasons = {"required",
                                                           "too_short",
                                                           "too_long",
                                                           "pattern_mismatch",
                                                           "out_of_range",
                                                           "invalid_format",
                                                           "unknown_currency",
                                                           "not_positive",
                                                           "not_found",
                                                           "forbidden",
                                                           "is_party",
                                                           "card_number_refused",
                                                           "unauthenticated",
                                                           "overloaded",
                                                           "storage_failed",
                                                           "storage_full",
                                                           "storage_contended",
                                                           "idempotency_key_reused",
                                                           "idempotency_in_progress",
                                                           "etag_mismatch",
                                                           "invalid_filter",
                                                           "invalid_order",
                                                           "invalid_page_token",
                                                           "unknown_field",
                                                           "not_served"};

// What random runs may reach or not: a race of a millisecond, a payment that outlives its caller's patience,
// the id of a key that nobody is told.
const std::set<std::string, std::less<>> kSeldom = {
    "command CreateTransfers answers transfer_in_progress", "command CreatePayment answers expired",
    "command ReverseTransaction answers account_not_found", "query FindApiKey succeeds",
    // of the largest balance that there can be
    "command ReverseTransaction answers balance_limit_exceeded",
    "command CreateRefund answers balance_limit_exceeded",
    "command CreatePayment answers balance_limit_exceeded"};

std::string handler_name(const Service& service, std::string_view kind,
                         const Service::EventHandler& handler) {
  return fmt::format("{} {} {}", service.name, kind, handler.event ? handler.event->type : "every event");
}

}  // namespace

void Coverage::expect(const std::vector<Service>& services) {
  for (const Service& service : services) {
    for (const auto& command : service.commands) {
      expected_[fmt::format("command {} succeeds", command.method->name)] = true;
      for (const std::string& reason : command.method->options.reasons())
        expected_[fmt::format("command {} answers {}", command.method->name, reason)] = true;
      if (!command.method->parties.empty())
        expected_[fmt::format("command {} answers is_party", command.method->name)] = true;
    }
    for (const auto& query : service.queries)
      expected_[fmt::format("query {} succeeds", query.method->name)] = true;
    for (const auto& handler : service.reactions)
      expected_[handler_name(service, "reacts to", handler)] = true;
    for (const auto& handler : service.followers) expected_[handler_name(service, "follows", handler)] = true;
    for (const auto& handler : service.projections)
      expected_[handler_name(service, "projects", handler)] = true;
    for (const auto& timer : service.timers)
      expected_[fmt::format("{} timer {}", service.name, timer.type->name())] = true;
    for (const auto& effect : service.effects)
      for (const char* kind : {"done", "retry", "failed", "unknown", "throws"})
        expected_[fmt::format("{} effect {} {}", service.name, effect.type->name(), kind)] = true;
  }
}

void Coverage::count_handlers(std::vector<Service>& services) {
  for (Service& service : services) {
    const auto wrap = [&](Service::EventHandler& handler, std::string_view kind) {
      uint64_t* hits = &hits_[handler_name(service, kind, handler)];
      handler.handle = [hits, inner = std::move(handler.handle)](Context& ctx, const EventRecord& event) {
        ++*hits;
        return inner(ctx, event);
      };
    };
    for (auto& handler : service.reactions) wrap(handler, "reacts to");
    for (auto& handler : service.followers) wrap(handler, "follows");
    for (auto& handler : service.projections) wrap(handler, "projects");
    for (auto& timer : service.timers) {
      uint64_t* hits = &hits_[fmt::format("{} timer {}", service.name, timer.type->name())];
      timer.handle = [hits, inner = std::move(timer.handle)](Context& ctx, const Service::Message& message) {
        ++*hits;
        return inner(ctx, message);
      };
    }
  }
}

void Coverage::answered(const contract::Method& method, const std::string& reason) {
  const char* kind = method.query ? "query" : "command";
  if (reason.empty()) return reached(fmt::format("{} {} succeeds", kind, method.name));
  const auto& named = method.options.reasons();
  const bool own = std::find(named.begin(), named.end(), reason) != named.end() ||
                   (reason == "is_party" && !method.parties.empty());
  if (!own && kCommonReasons.contains(reason)) return;
  reached(fmt::format("{} {} answers {}", kind, method.name, reason));
}

void Coverage::add(const Coverage& other) {
  expected_.insert(other.expected_.begin(), other.expected_.end());
  for (const auto& [item, count] : other.hits_) hits_[item] += count;
}

std::vector<std::string> Coverage::missed() const {
  std::vector<std::string> missed;
  for (const auto& [item, yes] : expected_)
    if (const auto hit = hits_.find(item);
        (hit == hits_.end() || hit->second == 0) && !kSeldom.contains(item))
      missed.push_back(item);
  return missed;
}

std::vector<std::string> Coverage::undeclared() const {
  std::vector<std::string> found;
  for (const auto& [item, count] : hits_)
    if (count > 0 && item.find(" answers ") != item.npos && !expected_.contains(item)) found.push_back(item);
  return found;
}

size_t Coverage::hit() const { return expected_.size() - missed().size(); }

std::string Coverage::text() const {
  std::string text;
  for (const auto& [item, count] : hits_)
    if (count > 0) text += fmt::format("{}\t{}\n", count, item);
  return text;
}

void Coverage::add_text(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t tab = line.find('\t');
    if (tab != line.npos) hits_[line.substr(tab + 1)] += std::stoull(line.substr(0, tab));
  }
}

}  // namespace micropay::app
