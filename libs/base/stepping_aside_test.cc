// A thread that only computes sleeps again and again, does not notice, and goes on undisturbed afterwards.
#include "libs/base/stepping_aside.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "libs/base/time.h"

namespace micropay {
namespace {

long sleeps() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nvcsw;
}

TEST(SteppingAside, AThreadThatOnlyComputesSleepsAgainAndAgain) {
  const Time give_up = system_clock().monotonic() + 30 * kSecond;
  const long before = sleeps();
  {
    const SteppingAside aside;
    while (sleeps() < before + 20 && system_clock().monotonic() < give_up) errno = EDOM;
    EXPECT_GE(sleeps(), before + 20);
    EXPECT_EQ(errno, EDOM);  // what is interrupted does not notice
  }
  const long after = sleeps();
  const Time until = system_clock().monotonic() + 20 * kMillisecond;
  while (system_clock().monotonic() < until) {
  }
  EXPECT_LE(sleeps(), after + 2);  // and not when it is over
}

}  // namespace
}  // namespace micropay
