// How many renewals there were in the last minute: a ring of seconds. Pure; the caller has the clock.
#pragma once

#include <array>

#include "libs/base/time.h"

namespace micropay::discovery {

class Renewals {
 public:
  void add(Time now);
  int64_t last_minute(Time now);

 private:
  void move_to(int64_t second);

  static constexpr int64_t kSeconds = 60;
  std::array<int64_t, kSeconds> counts_{};
  int64_t sum_ = 0;
  int64_t second_ = 0;  // of the newest count
};

}  // namespace micropay::discovery
