// Processes that end at their first times, between the first event and its follower, and services that are
// new to a folder: what was committed is followed by the next one, once, and nothing of before its time is.
#include <gtest/gtest.h>

#include "contracts/fraud.pb.h"
#include "libs/runtime/data_twin.h"
#include "libs/runtime/handlers.h"

namespace micropay {
namespace {

using test::Data;
using test::list;
using test::paying;

Service following(int& seen) {
  Service service{"notification"};
  service.follow(
      [&seen](Context&, const PaymentCompleted&) -> Result<void> { return ++seen, Result<void>{}; });
  return service;
}

TEST(FirstStart, TheFirstEventOfANewFolderIsFollowedAfterAKill) {
  int seen = 0;
  Data data;
  data.start(list(paying(), following(seen)));
  data.pay();
  data.kill();
  EXPECT_EQ(seen, 0);
  data.start(list(paying(), following(seen)));
  data.settle();
  EXPECT_EQ(seen, 1);
  data.start(list(paying(), following(seen)));
  data.settle();
  EXPECT_EQ(seen, 1);
}

TEST(FirstStart, AFollowerThatIsNewToAFolderHearsEverythingFromThenOn) {
  int seen = 0;
  Data data;
  data.start(list(paying()));
  data.pay();
  data.start(list(paying(), following(seen)));
  data.pay();
  data.kill();
  data.start(list(paying(), following(seen)));
  data.settle();
  EXPECT_EQ(seen, 1) << "not what was before its time, and all since";
}

// One has something to catch up with, and the other is new: what is read for the one is none of the other's.
TEST(FirstStart, EachFollowerBeginsAtItsOwnPlace) {
  int seen = 0, seen_by_new = 0;
  Data data;
  data.start(list(paying(), following(seen)));
  data.pay();
  Service other{"audit"};
  other.follow(
      [&](Context&, const PaymentCompleted&) -> Result<void> { return ++seen_by_new, Result<void>{}; });
  data.start(list(paying(), following(seen), std::move(other)));
  data.settle();
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(seen_by_new, 0);
}

TEST(FirstStart, AFollowerThatWasHereGetsWhatWasCommittedWithoutIt) {
  int seen = 0;
  Data data;
  data.start(list(paying(), following(seen)));
  data.start(list(paying()));  // nothing has happened yet, but it was here
  data.pay();
  data.start(list(paying(), following(seen)));
  data.settle();
  EXPECT_EQ(seen, 1);
}

TEST(FirstStart, TheRecordSaysHowManyWereFollowedSinceWhen) {
  int seen = 0;
  Data data;
  data.start(list(paying(), following(seen)));
  ASSERT_EQ(data.rows<ConsumerRecord>().size(), 1u) << "before anything was committed";
  EXPECT_EQ(data.rows<ConsumerRecord>()[0].position(), 1u);
  for (int i = 0; i < 3; ++i) data.pay();
  data.settle();
  const ConsumerRecord record = data.rows<ConsumerRecord>()[0];
  EXPECT_EQ(record.began(), 1u);
  EXPECT_EQ(record.followed(), 3u);
  EXPECT_EQ(record.position(), 4u);
  data.pay();
  data.settle();
  EXPECT_EQ(data.rows<ConsumerRecord>()[0].followed(), 4u);
  // It follows something else, too: another count, from where it is.
  Service more = following(seen);
  more.follow([](Context&, const PaymentFailed&) -> Result<void> { return {}; });
  data.start(list(paying(), std::move(more)));
  const ConsumerRecord anew = data.rows<ConsumerRecord>()[0];
  EXPECT_EQ(anew.began(), 5u);
  EXPECT_EQ(anew.followed(), 0u);
  EXPECT_NE(anew.follows(), record.follows());
}

Service seeding(int& seeded) {
  Service service{"fraud"};
  service.seed([&seeded](Context& ctx) -> Result<void> {
    FraudPolicy policy;
    policy.set_id("seeded");
    ctx.table<FraudPolicy>().insert(policy);
    return ++seeded, Result<void>{};
  });
  return service;
}

TEST(FirstStart, SeedsRunOnceAlsoInAFolderThatIsOlderThanTheirService) {
  int seeded = 0;
  Data data;
  data.start(list(paying()));
  data.pay();
  for (int i = 0; i < 3; ++i) data.start(list(paying(), seeding(seeded)));
  EXPECT_EQ(seeded, 1);
}

TEST(FirstStart, AServiceHasOneHandlerOfAnEvent) {
  int seen = 0;
  Service twice = following(seen);
  twice.on([](Context&, const PaymentCompleted&) -> Result<void> { return {}; });
  EXPECT_DEATH(Handlers(list(std::move(twice))), "one handler of an event");
}

TEST(Deliveries, OfAServiceThatIsNotHereWaitForIt) {
  int seen = 0;
  bool broken = true;
  const auto services = [&] {
    Service service{"notification"};
    service.follow([&](Context&, const PaymentCompleted&) -> Result<void> {
      if (broken) return fail(Code::kUnavailable, "not_yet");
      return ++seen, Result<void>{};
    });
    return list(paying(), std::move(service));
  };
  Data data;
  data.start(services());
  data.pay();
  data.settle();
  ASSERT_EQ(data.rows<DeliveryRecord>().size(), 1u);
  data.start(list(paying()));
  data.settle();
  EXPECT_EQ(data.rows<DeliveryRecord>().size(), 1u) << "nobody here could take it";
  broken = false;
  data.start(services());
  data.clock->advance(kMinute);
  data.settle();
  EXPECT_EQ(seen, 1);
  EXPECT_TRUE(data.rows<DeliveryRecord>().empty());
}

}  // namespace
}  // namespace micropay
