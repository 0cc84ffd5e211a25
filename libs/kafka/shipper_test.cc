// The way from a log to its topic: what is published, how far is remembered, and who ships.
#include "libs/kafka/shipper.h"

#include <gtest/gtest.h>

#include "libs/base/metrics.h"
#include "libs/kafka/kafka_twin.h"

namespace micropay::kafka {
namespace {

using namespace test;

TEST(Shipper, LeavesEventsOfOthersToThem) {
  SETTINGS_OR_SKIP(settings);
  Source source(settings);
  source.log.add_foreign(3);
  source.log.add(4);
  source.log.add_foreign(3);
  source.shipper.poke();
  EXPECT_TRUE(becomes_true([&] { return source.shipper.position() == 11; }));
  EXPECT_EQ(source.shipper.lag(), 0u);
  Consumer consumer;
  Subscriber subscriber(settings, consumer.options("balance", {source.topic}));
  ASSERT_TRUE(subscriber.open().has_value());
  EXPECT_TRUE(becomes_true([&] { return consumer.size() == 4; }));
  source.shipper.stop();
  EXPECT_EQ(source.saved, 11u);
}

TEST(Shipper, RemembersNowAndThenAndAtTheEnd) {
  SETTINGS_OR_SKIP(settings);
  Source source(settings);
  source.add(10);
  EXPECT_TRUE(becomes_true([&] { return source.saved == 11; }));
  source.add(10);
  EXPECT_TRUE(becomes_true([&] { return source.shipper.position() == 21; }));
  source.shipper.stop();
  EXPECT_EQ(source.saved, 21u);
}

TEST(Shipper, FindsEventsThatNobodyPokedFor) {
  SETTINGS_OR_SKIP(settings);
  Source source(settings);
  EXPECT_TRUE(becomes_true([&] { return source.shipper.shipping(); }));
  source.log.add(5);
  EXPECT_TRUE(becomes_true([&] { return source.shipper.position() == 6; }, 5 * kSecond));
}

// Two instances over one log, and the lease goes to and fro: consumers see each event once, keys in order.
TEST(Shipper, ShipsOnlyWhileItMay) {
  SETTINGS_OR_SKIP(settings);
  ASSERT_TRUE(make_topics(settings, {"payment"}).has_value());
  const auto store = make_memory_store(contract::model());
  LogMaker log(*store);
  std::atomic<uint64_t> saved{1};
  std::atomic<int> holder{0};
  const auto options = [&](int number) {
    return ShipperOptions{.service = "payment",
                          .load = [&]() -> Result<uint64_t> { return saved.load(); },
                          .save = [&](uint64_t position) -> Result<void> {
                            saved = position;
                            return {};
                          },
                          .may_ship = [&holder, number] { return holder == number; }};
  };
  Shipper first(settings, *store, options(1)), second(settings, *store, options(2));
  first.start();
  second.start();
  log.add(100);
  first.poke();
  second.poke();
  Consumer consumer;
  Subscriber subscriber(settings, consumer.options("balance", {topic_of(settings, "payment")}));
  ASSERT_TRUE(subscriber.open().has_value());
  EXPECT_FALSE(first.shipping() || second.shipping());
  EXPECT_EQ(consumer.size(), 0u);
  size_t events = 100;
  for (int round = 0; round < 6; ++round) {
    holder = 1 + round % 2;
    Shipper& now = round % 2 == 0 ? first : second;
    EXPECT_TRUE(becomes_true([&] { return now.shipping(); }));
    log.add(200);
    events += 200;
    now.poke();
    EXPECT_TRUE(becomes_true([&] { return now.position() == events + 1; })) << now.position();
  }
  EXPECT_TRUE(becomes_true([&] { return consumer.size() == events; })) << consumer.size();
  expect_all(consumer, events);
}

TEST(Shipper, WaitsForATopicThatIsNotThereYet) {
  SETTINGS_OR_SKIP(settings);
  const auto store = make_memory_store(contract::model());
  LogMaker log(*store);
  Shipper shipper(settings, *store,
                  {.service = "payment",
                   .load = []() -> Result<uint64_t> { return 1; },
                   .save = [](uint64_t) -> Result<void> { return {}; }});
  shipper.start();
  log.add(10);
  shipper.poke();
  EXPECT_TRUE(becomes_true([&] { return shipper.lag() == 10; }));
  ASSERT_TRUE(make_topics(settings, {"payment"}).has_value());
  EXPECT_TRUE(becomes_true([&] { return shipper.position() == 11; }));
}

TEST(Shipper, AsksAgainWhileItCannotReadWhereToBegin) {
  SETTINGS_OR_SKIP(settings);
  ASSERT_TRUE(make_topics(settings, {"payment"}).has_value());
  const auto store = make_memory_store(contract::model());
  LogMaker log(*store);
  log.add(10);
  std::atomic<int> asked{0}, saves{0};
  std::atomic<uint64_t> saved{0};
  Shipper shipper(settings, *store,
                  {.service = "payment",
                   .load = [&]() -> Result<uint64_t> {
                     if (++asked < 3) return fail(Code::kUnavailable, "database_unavailable");
                     return 4;
                   },
                   .save = [&](uint64_t position) -> Result<void> {
                     if (++saves == 1) return fail(Code::kUnavailable, "database_unavailable");
                     saved = position;
                     return {};
                   },
                   .save_interval = 50 * kMillisecond});
  shipper.start();
  EXPECT_TRUE(becomes_true([&] { return shipper.position() == 11; }));
  EXPECT_TRUE(becomes_true([&] { return saved == 11; }));
  EXPECT_GE(saves, 2);
  EXPECT_EQ(asked, 3);
}

// One event that the topic does not take: nothing of its key gets past it, and when it is taken all follow.
TEST(Shipper, WhatIsRefusedHoldsUpWhatIsBehindIt) {
  SETTINGS_OR_SKIP(of_shared);
  KafkaSettings settings = of_shared;
  settings.partitions = 1;
  Source source(settings);
  set_topic_limit(settings, source.topic, 1'100'000);
  source.log.add(100);
  source.log.add_large(2'000'000);
  source.log.add(1'000);
  source.shipper.poke();
  EXPECT_TRUE(becomes_true([&] { return source.shipper.position() == 101; }));
  Consumer consumer;
  Subscriber subscriber(settings, consumer.options("balance", {source.topic}));
  ASSERT_TRUE(subscriber.open().has_value());
  EXPECT_TRUE(becomes_true([&] { return consumer.size() == 100; }));
  Counter& failures = counter("micropay_kafka_publish_failures_total", "", {{"topic", source.topic}});
  EXPECT_TRUE(becomes_true([&] { return failures.value() >= 3; }));
  EXPECT_EQ(source.shipper.position(), 101u);
  EXPECT_EQ(consumer.size(), 100u) << "an event went past one that was refused";
  set_topic_limit(settings, source.topic, 5'000'000);
  EXPECT_TRUE(becomes_true([&] { return consumer.size() == 1'101; })) << consumer.size();
  expect_all(consumer, 1'101);
}

TEST(Shipper, PublishesTheRestBeforeItStops) {
  SETTINGS_OR_SKIP(settings);
  Source source(settings);
  EXPECT_TRUE(becomes_true([&] { return source.shipper.shipping(); }));
  source.log.add(20'000);
  source.shipper.stop(kMinute);
  EXPECT_EQ(source.saved, 20'001u);
}

}  // namespace
}  // namespace micropay::kafka
