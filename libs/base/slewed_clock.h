// The platform's time: it advances with a counter that nobody can set (the time since boot), and follows the
// wall clock. Where that is a little ahead it is believed at once; otherwise this clock goes at most a tenth
// faster or slower until the two agree. So it never goes back, and when somebody sets the wall clock an hour
// wrong, no token lives for ever, and no reservation ends at once.
#pragma once

#include <functional>
#include <mutex>

#include "libs/base/time.h"

namespace micropay {

constexpr Duration kClockTolerance = 5 * kSecond;  // the wall clock may be ahead by so much and is believed
constexpr int64_t kClockSlewPart = 10;             // of the time that passes

class SlewedClock final : public Clock {
 public:
  struct Sources {
    std::function<Time()> wall;     // may jump
    std::function<Time()> elapsed;  // goes on evenly; its beginning does not matter
  };
  explicit SlewedClock(Sources sources);

  Time now() const override;
  Time monotonic() const override { return sources_.elapsed(); }
  // From now on it is not before this: the last instant that a log has seen.
  void not_before(Time time);
  // How far the wall clock is ahead, negative when it is behind.
  Duration wall_offset() const { return sources_.wall() - now(); }

 private:
  const Sources sources_;
  mutable std::mutex mutex_;
  mutable Time anchor_elapsed_, anchor_;  // where the present stretch began
  mutable Time last_;
};

}  // namespace micropay
