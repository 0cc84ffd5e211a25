#include "services/gateway/everywhere.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <mutex>

#include "contracts/runtime.pb.h"
#include "libs/contract/json.h"
#include "libs/runtime/page_tokens.h"

namespace micropay::gateway {
namespace {

constexpr uint32_t kDefaultPage = 50, kMostAtOnce = 500, kMaxOffset = 100'000;
constexpr std::string_view kOffset = "offset:";

std::unexpected<Error> bad_token() {
  return fail(Code::kInvalidArgument, "invalid_page_token", "It is not from an earlier page of this list.",
              "pageToken");
}

std::optional<uint32_t> number(std::string_view text) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > kMaxOffset) return {};
  return value;
}

using Shown = std::map<std::string, uint32_t, std::less<>>;  // by service

// "balance:3,fraud:10"
std::optional<Shown> read_token(std::string_view text) {
  Shown shown;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(part.size() + 1, text.size()));
    const size_t colon = part.find(':');
    const auto count = colon == part.npos ? std::nullopt : number(part.substr(colon + 1));
    if (!count || contract::model().service(part.substr(0, colon)) == nullptr) return {};
    if (!shown.emplace(part.substr(0, colon), *count).second) return {};
  }
  return shown;
}

std::string write_token(const Shown& shown) {
  std::string text;
  for (const auto& [service, count] : shown)
    if (count > 0) text += fmt::format("{}{}:{}", text.empty() ? "" : ",", service, count);
  return text;
}

// In the order that was asked for, as each service has put its own; whatever that was, ids make it whole.
bool before(const DeadLetter& a, const DeadLetter& b, std::string_view order_by) {
  const std::string field(order_by.substr(0, order_by.find(' ')));
  const bool descending = order_by.ends_with(" desc");
  if (field.empty()) return a.id() > b.id();
  if (const auto* column = DeadLetter::descriptor()->FindFieldByCamelcaseName(field)) {
    const std::string one = contract::field_text(a, *column), other = contract::field_text(b, *column);
    if (one != other) return descending ? one > other : one < other;
  }
  return descending ? a.id() > b.id() : a.id() < b.id();
}

}  // namespace

Everywhere::Everywhere(rpc::Client& client)
    : client_(client), runtime_(contract::model().service("runtime")) {
  for (const contract::Service* service : contract::model().services())
    if (service != runtime_ && !service->methods.empty()) services_.push_back(service);
}

// One that answers is enough.
std::optional<Error> Everywhere::refusal() const {
  std::optional<Error> refusal;
  for (const contract::Service* service : services_) {
    refusal = client_.refusal(*service);
    if (!refusal) break;
  }
  return refusal;
}

void Everywhere::call(Command command) const {
  if (command.method->list) list(std::move(command));
  else find(std::move(command));
}

// The first that has it answers. That it is nowhere is known when all have said so.
void Everywhere::find(Command command) const {
  struct Search {
    std::mutex mutex;
    size_t missing;
    std::optional<Answer> refused;  // not only that it is not there
    std::function<void(Answer)> done;
  };
  auto search = std::make_shared<Search>();
  search->missing = services_.size();
  search->done = std::exchange(command.done, nullptr);
  for (const contract::Service* service : services_) {
    Command ask = command;
    ask.done = [search](Answer answer) {
      const bool there = answer.result.has_value();
      const bool elsewhere = !there && answer.result.error().code == Code::kNotFound;
      std::unique_lock lock(search->mutex);
      --search->missing;
      if (!search->done) return;
      if (!there && !elsewhere && !search->refused) search->refused = answer;
      if (!there && search->missing > 0) return;
      if (!there && search->refused) answer = std::move(*search->refused);
      const auto done = std::exchange(search->done, nullptr);
      lock.unlock();
      done(std::move(answer));
    };
    client_.call(std::move(ask), 0, service);
  }
}

// What the services have answered, until it is a page.
struct Everywhere::Listing {
  struct Part {
    const contract::Service* service;
    ListDeadLettersResponse page;
    int taken = 0;
    uint32_t shown = 0;  // by earlier pages
    bool more() const { return taken < page.dead_letters_size(); }
  };
  std::mutex mutex;
  std::vector<Part> parts;
  size_t missing = 0;
  uint32_t size = 0, skip = 0;
  std::string order_by;
  std::optional<Error> error;
  std::function<void(Answer)> done;

  Answer answer();
};

Answer Everywhere::Listing::answer() {
  if (error) return {.result = std::unexpected(*error)};
  auto merged = std::make_shared<ListDeadLettersResponse>();
  for (uint32_t i = 0; i < skip + size; ++i) {
    Part* first = nullptr;
    for (Part& part : parts)
      if (part.more() && (first == nullptr || before(part.page.dead_letters(part.taken),
                                                     first->page.dead_letters(first->taken), order_by)))
        first = &part;
    if (first == nullptr) break;
    if (i >= skip) *merged->add_dead_letters() = first->page.dead_letters(first->taken);
    ++first->taken;
  }
  Shown shown;
  bool more = false;
  for (const Part& part : parts) {
    shown[part.service->name] = part.shown + uint32_t(part.taken);
    more |= part.more() || !part.page.next_page_token().empty();
  }
  if (more) merged->set_next_page_token(write_token(shown));
  return {.result = Row(std::move(merged))};
}

void Everywhere::list(Command command) const {
  const auto& request = static_cast<const ListDeadLettersRequest&>(*command.request);
  if (!request.service().empty()) {
    const auto* service = contract::model().service(request.service());
    if (std::ranges::find(services_, service) != services_.end())
      return client_.call(std::move(command), 0, service);
    return command.done({.result = Row(std::make_shared<ListDeadLettersResponse>())});
  }
  auto opened = open_page_token(*command.method, command.principal, request);
  if (!opened) return command.done({.result = std::unexpected(opened.error())});
  auto listing = std::make_shared<Listing>();
  listing->size = request.page_size() == 0 ? kDefaultPage : uint32_t(request.page_size());
  listing->order_by = request.order_by();
  const std::string_view token =
      *opened ? static_cast<const ListDeadLettersRequest&>(**opened).page_token() : request.page_token();
  const bool by_offset = token.starts_with(kOffset);
  const auto skip = by_offset ? number(token.substr(kOffset.size())) : 0;
  const auto shown = by_offset ? Shown() : read_token(token);
  // Further back than a service answers at once, tokens lead.
  if (!skip || !shown || *skip + listing->size > kMostAtOnce + (by_offset ? 0 : listing->size))
    return command.done({.result = bad_token()});
  listing->skip = *skip;
  for (const contract::Service* service : services_) {
    const auto at = shown->find(service->name);
    listing->parts.push_back({.service = service, .page = {}, .shown = at == shown->end() ? 0 : at->second});
  }
  listing->missing = listing->parts.size();
  listing->done = [sealed = command, done = std::exchange(command.done, nullptr)](Answer answer) {
    if (answer.result)
      answer.result =
          seal_page_token(*sealed.method, sealed.principal, *sealed.request, *std::move(answer.result));
    done(std::move(answer));
  };
  for (size_t i = 0; i < listing->parts.size(); ++i) {
    auto asked = std::make_shared<ListDeadLettersRequest>(request);
    asked->set_page_size(int32_t(listing->skip + listing->size));
    asked->set_page_token(fmt::format("{}{}", kOffset, listing->parts[i].shown));
    Command ask = command;
    ask.request = std::move(asked);
    ask.done = [listing, i](const Answer& answer) {
      std::unique_lock lock(listing->mutex);
      if (answer.result)
        listing->parts[i].page = static_cast<const ListDeadLettersResponse&>(**answer.result);
      else listing->error = answer.result.error();
      if (--listing->missing > 0) return;
      const auto done = std::exchange(listing->done, nullptr);
      Answer whole = listing->answer();
      lock.unlock();
      done(std::move(whole));
    };
    client_.call(std::move(ask), 0, services_[i]);
  }
}

}  // namespace micropay::gateway
