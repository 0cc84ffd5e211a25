#include "libs/base/stepping_aside.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>

namespace micropay {
namespace {

constexpr long kEveryNs = 1'000'000, kSleepNs = 200'000;

// Ignored where nobody takes it, and used by nearly nobody: Go's runtime chose it for the same reason.
constexpr int kSignal = SIGURG;

void sleep_a_little(int) {
  const int saved = errno;
  const timespec time{.tv_sec = 0, .tv_nsec = kSleepNs};
  nanosleep(&time, nullptr);
  errno = saved;
}

bool take_signal() {
  struct sigaction action{};
  action.sa_handler = sleep_a_little;
  action.sa_flags = SA_RESTART;
  return sigaction(kSignal, &action, nullptr) == 0;
}

}  // namespace

SteppingAside::SteppingAside() {
  static const bool taken = take_signal();
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = kSignal;
  event._sigev_un._tid = gettid();  // glibc has no other name for it before 2.37
  armed_ = taken && timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0;
  const itimerspec often{.it_interval = {0, kEveryNs}, .it_value = {0, kEveryNs}};
  if (armed_) timer_settime(timer_, 0, &often, nullptr);
}

SteppingAside::~SteppingAside() {
  if (armed_) timer_delete(timer_);
}

}  // namespace micropay
