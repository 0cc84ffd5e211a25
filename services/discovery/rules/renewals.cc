#include "services/discovery/rules/renewals.h"

#include <algorithm>

namespace micropay::discovery {

void Renewals::move_to(int64_t second) {
  for (int64_t at = std::max(second_ + 1, second - kSeconds + 1); at <= second; ++at)
    sum_ -= std::exchange(counts_[size_t(at % kSeconds)], 0);
  second_ = std::max(second_, second);
}

void Renewals::add(Time now) {
  move_to(now / kSecond);
  ++counts_[size_t(second_ % kSeconds)], ++sum_;
}

int64_t Renewals::last_minute(Time now) {
  move_to(now / kSecond);
  return sum_;
}

}  // namespace micropay::discovery
