// The simulator's clock: the wall clock may jump, the monotonic one never does.
#pragma once

#include "libs/base/time.h"

namespace micropay::app {

class SimClock final : public Clock {
 public:
  Time now() const override { return wall_; }
  Time monotonic() const override { return monotonic_; }
  void advance(Duration duration) { wall_ += duration, monotonic_ += duration; }
  void jump(Duration duration) { wall_ += duration; }

 private:
  Time monotonic_ = 1'000'000 * kSecond;
  Time wall_ = 1'700'000'000 * kSecond;
};

}  // namespace micropay::app
