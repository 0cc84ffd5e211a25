// Databases were restored and topics were not: consumers took in 2,319 events that no log had any more, and
// everything said that it was ready. What does not belong together is named before anything is begun.
#include "app/cluster/alignment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace micropay::app {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kTopic[] = "payment-events";

// payment has a log of 20 events, published up to 18; balance has taken 15 of partition 1.
struct AlignmentTest : testing::Test {
  AlignmentTest() {
    facts.push_back({.service = "payment", .end = {.tick = 5, .next_position = 21}, .published = 18});
    facts.push_back({.service = "balance",
                     .marks = {{.source = "payment", .partition = 1, .position = 15, .offset = 40}}});
    ends[{kTopic, 0}] = {.high = 30, .event = {{18, "e18"}}, .place = 18};
    ends[{kTopic, 1}] = {.high = 50, .event = {{17, "e17"}}, .place = 17};
  }
  std::vector<std::string> misfits() {
    const auto found = compare(
        facts, ends, settings, [](const std::string& service, uint64_t position) -> Result<std::string> {
          return service == "payment" && position <= 20 ? fmt::format("e{}", position) : "";
        });
    std::vector<std::string> names;
    for (const Misfit& misfit : found.value()) {
      EXPECT_EQ(misfit.service, "payment");
      names.emplace_back(name_of(misfit.kind));
    }
    return names;
  }
  AlignmentFacts& payment() { return facts[0]; }
  LogLook::Mark& mark() { return facts[1].marks[0]; }
  kafka::TopicEnd& end(uint32_t partition) { return ends[{kTopic, partition}]; }

  kafka::KafkaSettings settings;
  std::vector<AlignmentFacts> facts;
  kafka::TopicEnds ends;
};

TEST_F(AlignmentTest, WhatBelongsTogetherIsLeftAlone) { EXPECT_THAT(misfits(), IsEmpty()); }

TEST_F(AlignmentTest, ATopicWithEventsBehindTheLog) {
  end(0).event = {{25, "e25"}};
  EXPECT_THAT(misfits(), ElementsAre("topic_ahead"));
}

// The log went on after it was restored: it has an event there, another one.
TEST_F(AlignmentTest, ATopicWithOtherEventsInTheirPlace) {
  end(1).event = {{17, "discarded"}};
  EXPECT_THAT(misfits(), ElementsAre("topic_ahead"));
}

TEST_F(AlignmentTest, ADatabaseThatWasRestoredAlone) {
  mark().position = 21;
  end(1).event = {{21, "e21"}};
  EXPECT_THAT(misfits(), ElementsAre("topic_ahead", "consumer_ahead"));
}

TEST_F(AlignmentTest, ATopicThatWasMadeAnewAndIsEmpty) {
  end(0) = end(1) = {};
  payment().published_some = true;
  EXPECT_THAT(misfits(), ElementsAre("topic_behind"));
  payment().published_some = false;  // what was published was of others: but balance has taken one
  EXPECT_THAT(misfits(), ElementsAre("topic_behind"));
}

TEST_F(AlignmentTest, ATopicThatLostItsEnd) {
  end(1) = {.high = 35, .event = {{12, "e12"}}, .place = 12};
  EXPECT_THAT(misfits(), ElementsAre("topic_behind"));
}

// `micropay topics align` has made it anew: its service fills it, and nobody has to wait for that.
TEST_F(AlignmentTest, WhatIsToBePublishedAgainIsNotMissed) {
  end(0) = end(1) = {};
  payment().published = 0;
  EXPECT_THAT(misfits(), IsEmpty());
  payment().published = 10;
  end(1) = {.high = 7, .event = {{10, "e10"}}, .place = 10};
  EXPECT_THAT(misfits(), IsEmpty());
}

TEST_F(AlignmentTest, WhatRetentionTookIsNotMissed) {
  end(0) = {.low = 30, .high = 30};
  end(1) = {.low = 50, .high = 50};
  EXPECT_THAT(misfits(), IsEmpty());
}

// Of a newer version, or nobody's: it stands there, and says nothing of the log.
TEST_F(AlignmentTest, RecordsThatNobodyCanReadAreNoMisfit) {
  end(0) = {.high = 30, .place = 900};
  end(1) = {.high = 50, .place = 900};
  EXPECT_THAT(misfits(), IsEmpty());
}

TEST_F(AlignmentTest, ALogThatIsGoneWithItsTopicKept) {
  payment() = {.service = "payment"};
  facts[1].marks.clear();
  EXPECT_THAT(misfits(), ElementsAre("topic_ahead"));
}

}  // namespace
}  // namespace micropay::app
