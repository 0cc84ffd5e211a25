#include "services/gateway/rate_gate.h"

#include <arpa/inet.h>

namespace micropay::gateway {
namespace {

void add_limit_headers(std::string& lines, const RateDecision& decision) {
  fmt::format_to(std::back_inserter(lines),
                 "RateLimit-Limit: {}\r\nRateLimit-Remaining: {}\r\nRateLimit-Reset: {}\r\n", decision.limit,
                 decision.remaining, decision.reset_s);
}

Error rate_limited(const RateDecision& decision) {
  return {.code = Code::kResourceExhausted,
          .reason = "rate_limited",
          .detail = "Too many requests: slow down.",
          .retry_after_s = static_cast<uint32_t>(decision.retry_after_s)};
}

}  // namespace

bool RateGate::take_global(Exchange& exchange) {
  if (!limits_.on()) return true;
  const RateDecision everybody = limits_.take_global(clock_.monotonic());
  if (!everybody.allowed) exchange.refuse(rate_limited(everybody));
  return everybody.allowed;
}

bool RateGate::take(Exchange& exchange, RateClass rate_class, std::string_view caller) {
  if (!limits_.on()) return true;
  const RateDecision decision = limits_.take(rate_class, caller, clock_.monotonic());
  add_limit_headers(exchange.headers, decision);
  if (!decision.allowed) exchange.refuse(rate_limited(decision));
  return decision.allowed;
}

std::optional<Error> RateGate::refusal(RateClass rate_class, std::string_view caller) {
  if (!limits_.on()) return {};
  const RateDecision decision = limits_.take(rate_class, caller, clock_.monotonic());
  return decision.allowed ? std::nullopt : std::optional(rate_limited(decision));
}

bool RateGate::look(Exchange& exchange, RateClass rate_class, std::string_view caller) {
  if (!limits_.on()) return true;
  const RateDecision decision = limits_.look(rate_class, caller, clock_.monotonic());
  if (!decision.allowed) exchange.refuse(rate_limited(decision));
  return decision.allowed;
}

void RateGate::count(RateClass rate_class, std::string_view caller) {
  if (limits_.on()) limits_.take(rate_class, caller, clock_.monotonic());
}

std::string address_of(std::string_view remote_address) {
  in6_addr address{};
  const std::string text(remote_address.substr(0, remote_address.find('%')));
  if (inet_pton(AF_INET6, text.c_str(), &address) != 1) return std::string(remote_address);
  std::string network;
  for (size_t i = 0; i < 8; ++i) network += fmt::format("{:02x}", address.s6_addr[i]);
  return network + "/64";
}

}  // namespace micropay::gateway
