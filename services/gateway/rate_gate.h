// The limits as every door asks them: REST, the live stream's handshakes and its messages take from the same
// buckets. I/O threads.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "services/gateway/exchange.h"
#include "services/gateway/rate_limits.h"

namespace micropay::gateway {

class RateGate {
 public:
  RateGate(const RateLimitSettings& settings, const Clock& clock) : limits_(settings), clock_(clock) {}

  RateLimits& limits() { return limits_; }
  // One of everybody's. False: refused and answered.
  bool take_global(Exchange& exchange);
  // One of the caller's, a user id or an address as address_of() names it. False: refused and answered.
  bool take(Exchange& exchange, RateClass rate_class, std::string_view caller);
  // The same where there is no request: none, or what to say.
  std::optional<Error> refusal(RateClass rate_class, std::string_view caller);
  // Whether there is one left to be taken when the request turns out to be refused. False: refused and
  // answered.
  bool look(Exchange& exchange, RateClass rate_class, std::string_view caller);
  // Takes one when there is one; says nothing.
  void count(RateClass rate_class, std::string_view caller);

 private:
  RateLimits limits_;
  const Clock& clock_;
};

// Whose an address is: of IPv6 the first 64 bits, since whoever has one of these has all the others.
std::string address_of(std::string_view remote_address);

}  // namespace micropay::gateway
