// For what computes for long in the background. A thread that is always busy has its processor to itself: the
// scheduler leaves those that wake up where they were, and while no processor is idle it seldom moves them,
// so they queue for one processor beside another that works on something with time, whatever the nice values.
//
// While one of these lives, its thread sleeps for 200 of every 1,000 microseconds, and the processor takes
// over who waits. That is a signal's doing, so it is for code that makes no calls which a signal interrupts
// (poll, sleep), and holds no lock. SCHED_IDLE would do without, but such a thread gets nothing for seconds
// where all processors are busy, and may hold a lock then; without privileges it stays so.
#pragma once

#include <ctime>

namespace micropay {

class SteppingAside {
 public:
  SteppingAside();
  ~SteppingAside();
  SteppingAside(const SteppingAside&) = delete;
  SteppingAside& operator=(const SteppingAside&) = delete;

 private:
  timer_t timer_;
  bool armed_;  // the system may have no more timers: then it does without
};

}  // namespace micropay
