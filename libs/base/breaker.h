// A circuit breaker: closed -> open after so many failures in a row -> half-open after a while, when one
// attempt decides. Not thread-safe; whoever calls the outside owns one for each target.
//
//   if (!breaker.allows(now, policy)) return unavailable;
//   breaker.began(now, policy);  …  ok ? breaker.succeeded() : breaker.failed(now, policy);
#pragma once

#include <cstdint>

#include "libs/base/time.h"

namespace micropay {

struct BreakerPolicy {
  uint32_t failures = 5;         // in a row open it
  Duration open = 10 * kSecond;  // then half-open
};

class Breaker {
 public:
  bool allows(Time now, const BreakerPolicy& policy) const {
    return failures_ < policy.failures || (!half_open_ && now >= retry_at(policy));
  }
  void began(Time now, const BreakerPolicy& policy) {
    if (failures_ >= policy.failures && now >= retry_at(policy)) half_open_ = true;
  }
  void succeeded() { failures_ = 0, half_open_ = false; }
  void failed(Time now, const BreakerPolicy& policy) {
    ++failures_;
    half_open_ = false;
    if (failures_ >= policy.failures) opened_at_ = now;
  }
  void abandoned() { half_open_ = false; }  // the attempt said nothing about the target
  Time retry_at(const BreakerPolicy& policy) const { return opened_at_ + policy.open; }
  enum class State : uint8_t { kClosed, kOpen, kHalfOpen };
  State state(Time now, const BreakerPolicy& policy) const {
    if (failures_ < policy.failures) return State::kClosed;
    return half_open_ || now >= retry_at(policy) ? State::kHalfOpen : State::kOpen;
  }

 private:
  uint32_t failures_ = 0;
  Time opened_at_ = 0;
  bool half_open_ = false;  // an attempt is under way to see
};

}  // namespace micropay
