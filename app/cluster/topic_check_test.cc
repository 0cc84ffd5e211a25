// A topic against the log of its service: what is missing in the middle or at the end, and what nobody
// emitted, is named; what retention took at the beginning is not missed.
#include "app/cluster/topic_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/modules.h"
#include "libs/kafka/key_partition.h"

namespace micropay::app {
namespace {

using testing::HasSubstr;

constexpr uint32_t kPartitions = 4;
constexpr char kKey[] = "0190a000-0000-7000-8000-000000000001";
constexpr char kTopic[] = "balance-events";

class TopicCheckTest : public testing::Test {
 protected:
  TopicCheckTest() {
    for (uint64_t i = 1; i <= 4; ++i) logs_.event("balance", event(i));
    topics_.add({.service = "balance", .published = 8, .next = 9, .next_now = [this]() -> Result<uint64_t> {
                   return next_now_;
                 }});
  }

  static Envelope event(uint64_t number) {
    Envelope event;
    event.set_type(*contract::model().event("account.balance.reserved"));
    event.set_id(fmt::format("0190b000-0000-7000-8000-{:012}", number));
    event.set_key(kKey);
    event.set_position(2 * number);
    return event;
  }
  // What is said of a topic with these, one after another; empty when nothing is.
  std::string problem(std::initializer_list<uint64_t> numbers) {
    for (const uint64_t number : numbers)
      if (const auto taken = topics_.take(kTopic, kafka::key_partition(kKey, kPartitions), event(number));
          !taken)
        return taken.error().detail;
    const auto finished = topics_.finish();
    return finished ? "" : finished.error().detail;
  }

  Settings settings_;
  kafka::KafkaSettings kafka_;
  HeardCheck logs_{make_services({settings_, ""}, {"balance", "fraud"}).value(), kPartitions};
  TopicCheck topics_{kafka_, logs_};
  uint64_t next_now_ = 9;
};

TEST_F(TopicCheckTest, AllOfTheLogIsClean) {
  EXPECT_EQ(problem({1, 2, 3, 4}), "");
  EXPECT_EQ(topics_.events(), 4u);
}

TEST_F(TopicCheckTest, WhatRetentionTookIsNotMissed) { EXPECT_EQ(problem({3, 4}), ""); }

TEST_F(TopicCheckTest, AnEmptyTopicHasNothingLeft) { EXPECT_EQ(problem({}), ""); }

TEST_F(TopicCheckTest, AnEventThatIsMissingInTheMiddleIsNamed) {
  EXPECT_THAT(problem({1, 3, 4}),
              HasSubstr("event 4 (account.balance.reserved) is missing in balance-events"));
}

TEST_F(TopicCheckTest, APublishedEventThatIsMissingAtTheEndIsNamed) {
  EXPECT_THAT(problem({1, 2, 3}), HasSubstr("event 8"));
}

TEST_F(TopicCheckTest, AnEventBehindTheLogIsOfLaterOrOfNobody) {
  EXPECT_THAT(problem({1, 2, 3, 4, 5}), HasSubstr("event 10"));
  next_now_ = 20;
  EXPECT_EQ(problem({6}), "");
}

TEST_F(TopicCheckTest, AnotherEventInItsPlaceIsNamed) {
  logs_.event("balance", [] {
    Envelope other = event(5);
    other.set_id("0190b000-0000-7000-8000-999999999999");
    return other;
  }());
  EXPECT_THAT(problem({1, 2, 3, 4, 5}), HasSubstr("is not one of the log"));
}

}  // namespace
}  // namespace micropay::app
