#include "libs/base/slewed_clock.h"

#include <algorithm>

namespace micropay {
namespace {
// Long enough for a tenth of it to be something, short enough for a jump to show at once.
constexpr Duration kStretch = 10 * kMillisecond;
}  // namespace

SlewedClock::SlewedClock(Sources sources)
    : sources_(std::move(sources)),
      anchor_elapsed_(sources_.elapsed()),
      anchor_(sources_.wall()),
      last_(anchor_) {}

Time SlewedClock::now() const {
  const std::lock_guard lock(mutex_);
  const Time elapsed = sources_.elapsed(), wall = sources_.wall();
  const Duration passed = std::max<Duration>(elapsed - anchor_elapsed_, 0);
  const Time even = anchor_ + passed;
  const Duration behind = wall - even;
  if (behind >= 0 && behind <= kClockTolerance) last_ = std::max(last_, wall);
  else last_ = std::max(last_, even + std::clamp(behind, -passed / kClockSlewPart, passed / kClockSlewPart));
  if (passed >= kStretch) anchor_elapsed_ = elapsed, anchor_ = last_;
  return last_;
}

void SlewedClock::not_before(Time time) {
  const std::lock_guard lock(mutex_);
  if (time <= last_) return;
  anchor_elapsed_ = sources_.elapsed();
  anchor_ = last_ = time;
}

}  // namespace micropay
