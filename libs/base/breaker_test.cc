// The breaker's states: closed, open, half-open, and back.
#include "libs/base/breaker.h"

#include <gtest/gtest.h>

namespace micropay {
namespace {

struct BreakerTest : testing::Test {
  void fail_until_open() {
    for (uint32_t i = 0; i < policy.failures; ++i) {
      EXPECT_TRUE(breaker.allows(0, policy));
      breaker.began(0, policy);
      breaker.failed(0, policy);
    }
  }
  const BreakerPolicy policy;
  Breaker breaker;
};

TEST_F(BreakerTest, OpensAndHalfOpens) {
  fail_until_open();
  EXPECT_EQ(breaker.state(0, policy), Breaker::State::kOpen);
  EXPECT_FALSE(breaker.allows(policy.open - 1, policy));
  EXPECT_TRUE(breaker.allows(policy.open, policy));
  breaker.began(policy.open, policy);
  EXPECT_EQ(breaker.state(policy.open, policy), Breaker::State::kHalfOpen);
  EXPECT_FALSE(breaker.allows(policy.open, policy));  // one attempt decides
  breaker.succeeded();
  EXPECT_EQ(breaker.state(policy.open, policy), Breaker::State::kClosed);
}

TEST_F(BreakerTest, OpensAgainWhenTheAttemptFails) {
  fail_until_open();
  breaker.began(policy.open, policy);
  breaker.failed(policy.open, policy);
  EXPECT_EQ(breaker.state(policy.open, policy), Breaker::State::kOpen);
  EXPECT_FALSE(breaker.allows(2 * policy.open - 1, policy));
}

TEST_F(BreakerTest, LetsTheNextTryWhenTheAttemptSaidNothing) {
  fail_until_open();
  breaker.began(policy.open, policy);
  breaker.abandoned();
  EXPECT_TRUE(breaker.allows(policy.open, policy));
}

}  // namespace
}  // namespace micropay
