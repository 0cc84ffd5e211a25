// Events from a log through a real broker to subscribers: nothing is missing, keys stay in order, whatever
// comes.
#include "libs/kafka/subscriber.h"

#include <gtest/gtest.h>

#include "libs/base/metrics.h"
#include "libs/kafka/event_message.h"
#include "libs/kafka/kafka_twin.h"
#include "libs/kafka/topics.h"

namespace micropay::kafka {
namespace {

using namespace test;

TEST(Subscriber, TakesAllInTheOrderOfTheirKeys) {
  SETTINGS_OR_SKIP(settings);
  Source source(settings);
  Consumer consumer;
  Subscriber subscriber(settings, consumer.options("balance", {source.topic}));
  ASSERT_TRUE(subscriber.open().has_value());
  source.add(3'000);
  source.add(2'000);
  EXPECT_TRUE(becomes_true([&] { return consumer.size() == 5'000; })) << consumer.size();
  expect_all(consumer, 5'000);
  EXPECT_EQ(consumer.repeated(), 0u);
  EXPECT_EQ(subscriber.partitions().size(), 4u);
}

TEST(Subscriber, GoesOnWhereItsOwnerSays) {
  SETTINGS_OR_SKIP(settings);
  Source source(settings);
  Consumer consumer;
  source.add(500);
  {
    Subscriber subscriber(settings, consumer.options("balance", {source.topic}));
    ASSERT_TRUE(subscriber.open().has_value());
    EXPECT_TRUE(becomes_true([&] { return consumer.size() == 500; }));
  }
  source.add(500);
  Subscriber subscriber(settings, consumer.options("balance", {source.topic}));
  ASSERT_TRUE(subscriber.open().has_value());
  EXPECT_TRUE(becomes_true([&] { return consumer.size() == 1'000; })) << consumer.size();
  expect_all(consumer, 1'000);
  EXPECT_EQ(consumer.repeated(), 0u);
}

TEST(Subscriber, AnotherOneTakesItsShareWithoutAGap) {
  for (const char* assignment : {"range", "cooperative-sticky"}) {
    SETTINGS_OR_SKIP(base);
    KafkaSettings settings = base;
    settings.assignment = assignment;
    Source source(settings);
    Consumer consumer;  // both write to it, as two instances write to one database
    std::atomic<size_t> revoked{0};
    SubscriberOptions options = consumer.options("balance", {source.topic});
    options.revoked = [&](const std::vector<Partition>& partitions, bool lost) {
      EXPECT_FALSE(lost);
      revoked += partitions.size();
    };
    Subscriber first(settings, options);
    ASSERT_TRUE(first.open().has_value());
    source.add(500);
    EXPECT_TRUE(becomes_true([&] { return consumer.size() == 500; }));
    {
      Subscriber second(settings, consumer.options("balance", {source.topic}));
      ASSERT_TRUE(second.open().has_value());
      for (int i = 0; i < 20; ++i) source.add(100);
      EXPECT_TRUE(
          becomes_true([&] { return first.partitions().size() == 2 && second.partitions().size() == 2; }));
      for (int i = 0; i < 20; ++i) source.add(100);
      EXPECT_TRUE(becomes_true([&] { return consumer.size() == 4'500; })) << consumer.size();
      EXPECT_GE(revoked, 2u);
      source.add(500);
    }
    EXPECT_TRUE(becomes_true([&] { return first.partitions().size() == 4; }));
    EXPECT_TRUE(becomes_true([&] { return consumer.size() == 5'000; })) << consumer.size();
    expect_all(consumer, 5'000);
  }
}

TEST(Subscriber, WaitsWhileItsOwnerIsFull) {
  SETTINGS_OR_SKIP(settings);
  Source source(settings);
  Consumer consumer;
  Subscriber subscriber(settings, consumer.options("balance", {source.topic}));
  ASSERT_TRUE(subscriber.open().has_value());
  source.add(100);
  EXPECT_TRUE(becomes_true([&] { return consumer.size() == 100; }));
  consumer.set_full(true);
  source.add(5'000);
  EXPECT_TRUE(becomes_true([&] { return subscriber.paused(); }));
  EXPECT_EQ(consumer.size(), 100u);
  consumer.set_full(false);
  subscriber.poke();
  EXPECT_TRUE(becomes_true([&] { return consumer.size() == 5'100; })) << consumer.size();
  EXPECT_FALSE(subscriber.paused());
  expect_all(consumer, 5'100);
  EXPECT_EQ(consumer.repeated(), 0u);
}

TEST(Subscriber, PoisonGoesToTheDeadLetterTopicAndTheRestGoesOn) {
  SETTINGS_OR_SKIP(settings);
  Source source(settings);
  Consumer consumer;
  source.add(10);
  EXPECT_TRUE(becomes_true([&] { return source.shipper.position() == 11; }));
  publish_raw(settings, source.topic, "order-1", "{\"order\":1}", {{"content-type", "application/json"}});
  publish_raw(settings, source.topic, key_of(1), std::string(100'000, '\xff'), {});
  source.add(10);
  Subscriber subscriber(settings, consumer.options("balance", {source.topic}));
  ASSERT_TRUE(subscriber.open().has_value());
  EXPECT_TRUE(becomes_true([&] { return consumer.size() == 20; })) << consumer.size();
  expect_all(consumer, 20);
  auto letters = read_raw(settings, dead_letter_topic_of(source.topic), 2);
  ASSERT_EQ(letters.size(), 2u);
  if (letters[0].key != "order-1") std::swap(letters[0], letters[1]);
  EXPECT_EQ(letters[0].value, "{\"order\":1}");
  EXPECT_EQ(letters[0].headers["content-type"], "application/json");
  EXPECT_EQ(letters[0].headers["dlt_reason"], "missing_header");
  EXPECT_EQ(letters[0].headers["dlt_topic"], source.topic);
  EXPECT_EQ(letters[0].headers["dlt_group"], "balance");
  EXPECT_EQ(letters[1].key, key_of(1));
  EXPECT_EQ(letters[1].value.size(), 100'000u);
}

TEST(Subscriber, UnknownTypesAreSkippedOnlyWhereThatIsWanted) {
  SETTINGS_OR_SKIP(settings);
  Source source(settings);
  source.add(10);
  EXPECT_TRUE(becomes_true([&] { return source.shipper.position() == 11; }));
  EventWriter writer;
  const Event event = initiated(11, 1);
  const EventMessage& message = writer.write(*event);
  std::vector<std::pair<std::string, std::string>> headers;
  for (const MessageHeader& header : message.headers)
    headers.emplace_back(header.name, header.name == "ce_type" ? "payment.teleported" : header.value);
  publish_raw(settings, source.topic, key_of(1), std::string(message.value), headers);
  Counter& skipped = counter("micropay_kafka_unknown_types_total", "", {{"group", "skips"}});
  for (const bool skip : {true, false}) {
    Consumer consumer;
    SubscriberOptions options = consumer.options(skip ? "skips" : "keeps", {source.topic});
    options.skip_unknown_types = skip;
    Subscriber subscriber(settings, options);
    ASSERT_TRUE(subscriber.open().has_value());
    EXPECT_TRUE(becomes_true([&] { return consumer.size() == 10; })) << consumer.size();
    EXPECT_TRUE(!skip || becomes_true([&] { return skipped.value() == 1; }));
    if (skip) continue;
    // While the subscriber is there: a letter that is on its way when it ends is written by the next one.
    const auto letters = read_raw(settings, dead_letter_topic_of(source.topic), 1);
    ASSERT_EQ(letters.size(), 1u);
    EXPECT_EQ(letters[0].headers.at("dlt_group"), "keeps");
    EXPECT_EQ(letters[0].headers.at("dlt_reason"), "unknown_event_type");
  }
}

// A topic that was deleted and made anew has other events at the old offsets: all are taken, in order.
TEST(Subscriber, ATopicThatWasMadeAnewIsReadFromItsStart) {
  SETTINGS_OR_SKIP(settings);
  Source source(settings);
  source.add(2'000);
  EXPECT_TRUE(becomes_true([&] { return source.shipper.position() == 2'001; }));
  Consumer consumer;
  for (uint32_t i = 0; i < settings.partitions; ++i)
    consumer.set_mark({source.topic, i}, {.offset = 50, .position = 5});
  Subscriber subscriber(settings, consumer.options("balance", {source.topic}));
  ASSERT_TRUE(subscriber.open().has_value());
  EXPECT_TRUE(becomes_true([&] { return consumer.size() == 1'995; })) << consumer.size();
  EXPECT_EQ(consumer.positions_of(7).front(), 7u);
  EXPECT_EQ(consumer.positions_of(7).size(), 200u);
}

TEST(Subscriber, AnOffsetBehindTheEndBeginsFromTheStart) {
  SETTINGS_OR_SKIP(settings);
  Source source(settings);
  source.add(50);
  Consumer consumer;
  for (uint32_t i = 0; i < settings.partitions; ++i)
    consumer.set_mark({source.topic, i}, {.offset = 1'000'000, .position = 20});
  Subscriber subscriber(settings, consumer.options("balance", {source.topic}));
  ASSERT_TRUE(subscriber.open().has_value());
  EXPECT_TRUE(becomes_true([&] { return consumer.size() == 30; })) << consumer.size();
}

TEST(Subscriber, AsksAgainWhileItsOwnerDoesNotKnowWhereToBegin) {
  SETTINGS_OR_SKIP(settings);
  Source source(settings);
  source.add(10);
  Consumer consumer;
  SubscriberOptions options = consumer.options("balance", {source.topic});
  std::atomic<int> asked{0};
  options.start = [&, start = options.start](const Partition& partition) -> Result<std::optional<LastTaken>> {
    if (++asked < 3) return fail(Code::kUnavailable, "database_unavailable");
    return start(partition);
  };
  Subscriber subscriber(settings, options);
  ASSERT_TRUE(subscriber.open().has_value());
  EXPECT_TRUE(becomes_true([&] { return consumer.size() == 10; }));
  EXPECT_EQ(asked, 6);
}

// Two processes with one identity: the one that came last stays, the other one says so and ends.
TEST(Subscriber, OfTwoWithOneIdentityTheFirstEnds) {
  SETTINGS_OR_SKIP(settings);
  Source source(settings);
  Consumer consumer;
  std::atomic<bool> failed{false};
  SubscriberOptions options = consumer.options("balance", {source.topic});
  options.member = "balance-0";
  options.failed = [&](const Error& error) { failed = error.reason == "kafka_fatal"; };
  Subscriber first(settings, options);
  ASSERT_TRUE(first.open().has_value());
  EXPECT_TRUE(becomes_true([&] { return first.partitions().size() == 4; }));
  options.failed = {};
  Subscriber second(settings, options);
  ASSERT_TRUE(second.open().has_value());
  EXPECT_TRUE(becomes_true([&] { return failed.load(); }));
  source.add(10);
  EXPECT_TRUE(becomes_true([&] { return consumer.size() == 10; }));
}

// With a member name a restart moves nothing: the others are not disturbed.
TEST(Subscriber, ANamedMemberComesBackToItsPartitions) {
  SETTINGS_OR_SKIP(settings);
  Source source(settings);
  Consumer consumer;
  std::atomic<int> assignments{0};
  std::atomic<size_t> told{0};
  SubscriberOptions options = consumer.options("balance", {source.topic});
  options.assigned = [&](const std::vector<Partition>& partitions) {
    ++assignments;
    told = partitions.size();
  };
  options.member = "balance-0";
  Subscriber stays(settings, options);
  ASSERT_TRUE(stays.open().has_value());
  SubscriberOptions other = consumer.options("balance", {source.topic});
  other.member = "balance-1";
  auto leaves = std::make_unique<Subscriber>(settings, other);
  ASSERT_TRUE(leaves->open().has_value());
  EXPECT_TRUE(becomes_true([&] { return leaves->partitions().size() == 2 && told == 2; }));
  const std::vector<Partition> had = leaves->partitions();
  const int before = assignments;
  leaves = std::make_unique<Subscriber>(settings, other);
  ASSERT_TRUE(leaves->open().has_value());
  EXPECT_TRUE(becomes_true([&] { return leaves->partitions() == had; }));
  EXPECT_EQ(assignments, before);
  source.add(100);
  EXPECT_TRUE(becomes_true([&] { return consumer.size() == 100; }));
}

}  // namespace
}  // namespace micropay::kafka
