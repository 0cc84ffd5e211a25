// The platform's clock when somebody sets the wall clock wrong.
#include "libs/base/slewed_clock.h"

#include <gtest/gtest.h>

#include <random>

#include "libs/base/ids.h"

namespace micropay {
namespace {

struct Slewed : testing::Test {
  Time wall = 1'700'000'000 * kSecond, elapsed = 77 * kSecond;
  SlewedClock clock{{[this] { return wall; }, [this] { return elapsed; }}};
  Time start = clock.now();

  void pass(Duration duration) { wall += duration, elapsed += duration; }
  // As a server does: it looks often.
  void pass_watched(Duration duration) {
    for (Duration left = duration; left > 0; left -= 20 * kMillisecond) {
      pass(std::min(left, 20 * kMillisecond));
      clock.now();
    }
  }
  Duration measured(Duration duration) {
    Time before = clock.now();
    pass_watched(duration);
    return clock.now() - before;
  }
};

TEST_F(Slewed, IsTheWallClockWhenNobodySetsIt) {
  for (Duration step : {Duration(1), 999 * kMillisecond, kSecond, kHour, 10 * kDay}) {
    pass(step);
    EXPECT_EQ(clock.now(), wall);
  }
  wall += 2 * kSecond;  // a small correction
  EXPECT_EQ(clock.now(), wall);
}

TEST_F(Slewed, FollowsAJumpForwardSlowly) {
  wall += kHour;
  EXPECT_EQ(clock.now(), start);
  EXPECT_EQ(measured(kMinute), kMinute + kMinute / 10);
  pass_watched(10 * kHour);
  EXPECT_EQ(clock.now(), wall);
}

TEST_F(Slewed, FollowsAJumpBackSlowlyAndNeverGoesBack) {
  pass_watched(kSecond);
  Time before = clock.now();
  wall -= kHour;
  EXPECT_GE(clock.now(), before);
  EXPECT_EQ(measured(kMinute), kMinute - kMinute / 10);
  EXPECT_EQ(clock.wall_offset(), wall - clock.now());
  pass_watched(10 * kHour);
  EXPECT_EQ(clock.now(), wall);
}

// It is asked a million times a second: a tenth of nothing must not stay nothing.
TEST_F(Slewed, SlewsHoweverOftenItIsAsked) {
  wall -= kHour;
  for (int i = 0; i < 1'000'000; ++i) {
    pass(1);
    clock.now();
  }
  EXPECT_NEAR(double(clock.now() - start), 0.9 * kSecond, double(kMillisecond));
}

TEST_F(Slewed, StartsBehindALogOfTheFuture) {
  clock.not_before(start + kHour);
  EXPECT_EQ(clock.now(), start + kHour);
  EXPECT_EQ(measured(kMinute), kMinute - kMinute / 10);
  clock.not_before(start);
  EXPECT_GT(clock.now(), start + kHour);
  pass_watched(10 * kHour);
  EXPECT_EQ(clock.now(), wall);
}

TEST_F(Slewed, IdsStayUniqueAndOrderedWhateverTheWallClockDoes) {
  std::mt19937_64 random(7);
  IdGenerator ids(42);
  std::string last;
  Time before = clock.now(), elapsed_before = elapsed;
  for (int i = 0; i < 20'000; ++i) {
    pass(Duration(random() % (50 * kMillisecond)));
    if (random() % 50 == 0) wall += Duration(random() % (4 * kHour)) - 2 * kHour;
    Time now = clock.now();
    ASSERT_GE(now, before);
    ASSERT_LE(now - before, (elapsed - elapsed_before) * 11 / 10 + kClockTolerance);
    before = now, elapsed_before = elapsed;
    std::string id = ids.next(now);
    ASSERT_GT(id, last);
    last = id;
  }
}

}  // namespace
}  // namespace micropay
