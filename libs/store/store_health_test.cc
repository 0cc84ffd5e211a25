// A database was away for 75 seconds, and neither /health/ready nor a metric said so.
#include "libs/store/store_health.h"

#include <gtest/gtest.h>

namespace micropay {
namespace {

Error failure(std::string reason, Code code = Code::kUnavailable) {
  return {.code = code, .reason = std::move(reason), .detail = "no answer"};
}

struct StoreHealthTest : testing::Test {
  static std::string name() { return testing::UnitTest::GetInstance()->current_test_info()->name(); }
  ManualClock clock;
  StoreHealth health{{{"service", name()}}, 5 * kSecond, clock};
  std::string problem() const {
    const auto found = health.problem();
    return found ? found->reason : "";
  }
  static uint64_t failures(const std::string& reason) {
    return counter("micropay_store_commit_failures_total", "", {{"service", name()}, {"reason", reason}})
        .value();
  }
};

TEST_F(StoreHealthTest, AServerThatIsAwayIsSaidUntilItAnswers) {
  EXPECT_EQ(problem(), "");
  EXPECT_EQ(health.away_for(), 0);
  const Error away = failure("storage_failed");
  health.heard(&away);
  clock.advance(3 * kSecond);
  health.heard(&away);
  EXPECT_EQ(problem(), "storage_failed");
  EXPECT_EQ(health.away_for(), 3 * kSecond);
  health.failed(away);
  EXPECT_EQ(failures("storage_failed"), 1u);
  health.heard(nullptr);
  EXPECT_EQ(problem(), "");
  EXPECT_EQ(health.away_for(), 0);
  EXPECT_NE(render_metrics().find("micropay_store_available{service=\"" + name() + "\"} 1"),
            std::string::npos);
}

TEST_F(StoreHealthTest, AServerThatSaysNothingIsAway) {
  clock.advance(5 * kSecond);
  EXPECT_EQ(problem(), "");
  clock.advance(kSecond);
  EXPECT_EQ(problem(), "storage_failed");
  health.committed();  // it was not troubled: nothing to do
  health.heard(nullptr);
  EXPECT_EQ(problem(), "");
}

// Idle behind a full disk, the process would not be ready for ever.
TEST_F(StoreHealthTest, AFullDiskIsBelievedForAWhileAndEndsWithACommit) {
  health.failed(failure("storage_full"));
  health.heard(nullptr);
  EXPECT_EQ(problem(), "storage_full");
  EXPECT_EQ(failures("storage_full"), 1u);
  health.committed();
  EXPECT_EQ(problem(), "");
  health.failed(failure("storage_full"));
  EXPECT_EQ(failures("storage_full"), 2u);
  clock.advance(11 * kSecond);
  health.heard(nullptr);
  EXPECT_EQ(problem(), "");
}

TEST_F(StoreHealthTest, LosingARaceIsNoTrouble) {
  health.failed(failure("conflict", Code::kAborted));
  health.failed(failure("fenced", Code::kAborted));
  EXPECT_EQ(problem(), "");
  EXPECT_EQ(failures("conflict"), 0u);
  EXPECT_EQ(failures("fenced"), 1u);
}

TEST_F(StoreHealthTest, WhatIsBrokenStaysBroken) {
  health.broken(failure("log_went_back"));
  health.heard(nullptr);
  health.committed();
  EXPECT_EQ(problem(), "log_went_back");
}

}  // namespace
}  // namespace micropay
