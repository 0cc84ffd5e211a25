// What fraud took of balance's log, against what balance emitted: whole it is clean; an event that is
// missing, taken twice, out of order or of nobody, and a watermark that does not fit are named.
#include "app/cluster/heard_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/modules.h"
#include "libs/kafka/key_partition.h"

namespace micropay::app {
namespace {

using testing::HasSubstr;

constexpr uint32_t kPartitions = 4;
constexpr char kKey[] = "0190a000-0000-7000-8000-000000000001";

class HeardCheckTest : public testing::Test {
 protected:
  HeardCheckTest() {
    // Positions 2, 4, 6, 8: others lie between them.
    for (uint64_t i = 1; i <= 4; ++i) check_.event("balance", event(i));
  }

  static Envelope event(uint64_t number, const char* type = "account.balance.reserved") {
    Envelope event;
    event.set_type(*contract::model().event(type));
    event.set_id(fmt::format("0190b000-0000-7000-8000-{:012}", number));
    event.set_key(kKey);
    event.set_position(2 * number);
    return event;
  }
  void heard(std::initializer_list<uint64_t> numbers) {
    for (const uint64_t number : numbers) check_.event("fraud", event(number));
  }
  void watermark(uint64_t position) {
    ConsumerRecord record;
    record.set_service(fmt::format("source:balance/{}", kafka::key_partition(kKey, kPartitions)));
    record.set_position(position);
    check_.watermark("fraud", record);
  }
  // Fraud begins to hear balance when it has taken in the log up to `taken`, in its own log at `position`.
  void begins(uint64_t taken, uint64_t position) {
    const auto place = [&](const std::string& name, uint64_t at) {
      ConsumerRecord row;
      row.set_service(name);
      row.set_position(at);
      const std::string bytes = row.SerializeAsString();
      TickRecord record;
      record.changes.push_back(
          {.table = &name_of("runtime_consumer"), .key = {}, .row = bytes, .erased = false});
      check_.record("fraud", record);
    };
    if (taken != 0) place(fmt::format("source:balance/{}", kafka::key_partition(kKey, kPartitions)), taken);
    place("hears:fraud/account.balance.reserved", position);
  }
  // Others hear balance, too, and are left out: nothing is said of their watermarks, so all waits there.
  std::string problem() const { return check_.compare().problem; }
  uint64_t waiting() const { return check_.compare().waiting; }

  Settings settings_;
  HeardCheck check_{make_services({settings_, ""}, {"balance", "fraud"}).value(), kPartitions};
};

TEST_F(HeardCheckTest, AllHeardIsClean) {
  heard({1, 2, 3, 4});
  watermark(8);
  EXPECT_EQ(problem(), "");
  EXPECT_EQ(waiting(), 0u);
  EXPECT_EQ(check_.compare().heard, 4u);
}

TEST_F(HeardCheckTest, WhatIsBehindTheWatermarkWaits) {
  heard({1, 2});
  watermark(4);
  EXPECT_EQ(problem(), "");
  EXPECT_EQ(waiting(), 2u);
  EXPECT_THAT(check_.compare().first_waiting, HasSubstr("event 6 of balance"));
}

TEST_F(HeardCheckTest, AMissingEventIsNamed) {
  heard({1, 3, 4});
  watermark(8);
  EXPECT_THAT(problem(), HasSubstr("fraud did not take event 4 of balance"));
}

TEST_F(HeardCheckTest, AMissingLastEventIsNamed) {
  heard({1, 2, 3});
  watermark(8);
  EXPECT_THAT(problem(), HasSubstr("fraud did not take event 8 of balance"));
}

TEST_F(HeardCheckTest, AnEventThatWasTakenTwiceIsNamed) {
  heard({1, 2, 2, 3, 4});
  watermark(8);
  EXPECT_THAT(problem(), HasSubstr("twice"));
}

TEST_F(HeardCheckTest, TheLastOneTwiceIsNamed) {
  heard({1, 2, 3, 4, 4});
  watermark(8);
  EXPECT_THAT(problem(), HasSubstr("twice"));
}

TEST_F(HeardCheckTest, AnotherOrderIsNamed) {
  heard({1, 3, 2, 4});
  watermark(8);
  EXPECT_THAT(problem(), HasSubstr("took others before event 4 of balance"));
}

TEST_F(HeardCheckTest, AWatermarkThatWasPutBackIsNamed) {
  heard({1, 2, 3, 4});
  watermark(6);
  EXPECT_THAT(problem(), HasSubstr("watermark 6"));
}

TEST_F(HeardCheckTest, AWatermarkMayBeAtAnEventThatIsPassed) {
  check_.event("balance", event(5, "account.balance.updated"));  // fraud does not hear it
  heard({1, 2, 3, 4});
  watermark(10);
  EXPECT_EQ(problem(), "");
  watermark(9);
  EXPECT_THAT(problem(), HasSubstr("watermark 9")) << "no event is there";
  watermark(12);
  EXPECT_THAT(problem(), HasSubstr("watermark 12"));
  check_.went_on("balance");
  EXPECT_EQ(problem(), "");
}

// A handler that fraud has had only since it had taken in balance's log up to event 4: what was before is not
// missing, what comes behind is.
TEST_F(HeardCheckTest, ANewHandlerHearsFromItsFirstStartOn) {
  begins(4, 17);
  heard({3, 4});
  watermark(8);
  EXPECT_EQ(problem(), "");
  EXPECT_EQ(check_.compare().heard, 2u);
}

TEST_F(HeardCheckTest, ANewHandlerThatMissesWhatCameSinceIsNamed) {
  begins(4, 17);
  heard({4});
  watermark(8);
  EXPECT_THAT(problem(), HasSubstr("did not take event 6 of balance"));
}

TEST_F(HeardCheckTest, AServiceThatIsNewHearsAllThatThereIs) {
  begins(0, 1);
  heard({2, 3, 4});
  watermark(8);
  EXPECT_THAT(problem(), HasSubstr("did not take event 2 of balance"));
}

TEST_F(HeardCheckTest, AnEventThatIsNotTakenIsNamedThoughALaterOneIsPassed) {
  check_.event("balance", event(5, "account.balance.updated"));
  heard({1, 2, 3});
  watermark(10);
  EXPECT_THAT(problem(), HasSubstr("did not take event 8 of balance"));
}

TEST_F(HeardCheckTest, AnEventThatItsSourceNeverHadIsNamedUnlessTheSourceWentOn) {
  heard({1, 2, 3, 4, 5});
  watermark(10);
  EXPECT_THAT(problem(), HasSubstr("does not have"));
  check_.went_on("balance");
  EXPECT_EQ(problem(), "");
}

}  // namespace
}  // namespace micropay::app
