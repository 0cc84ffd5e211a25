// Topics read without a group: from each kind of beginning, to the end and on.
#include "libs/kafka/tail.h"

#include <gtest/gtest.h>

#include <thread>

#include "libs/kafka/kafka_twin.h"

namespace micropay::kafka {
namespace {

using namespace test;

std::vector<uint64_t> read_to_end(Tail& tail) {
  std::vector<uint64_t> positions;
  EXPECT_TRUE(becomes_true([&] {
    while (const auto consumed = tail.next(100 * kMillisecond))
      positions.push_back(consumed->event->envelope.position());
    return tail.at_end();
  }));
  std::ranges::sort(positions);
  return positions;
}

std::vector<uint64_t> numbers(uint64_t first, uint64_t last) {
  std::vector<uint64_t> all;
  for (uint64_t i = first; i <= last; ++i) all.push_back(i);
  return all;
}

struct TailTest : testing::Test {
  std::unique_ptr<Tail> open(const KafkaSettings& settings, const Tail::Options& options) {
    auto tail = Tail::open(settings, options);
    EXPECT_TRUE(tail.has_value()) << tail.error().detail;
    return std::move(*tail);
  }
};

TEST_F(TailTest, FromTheBeginningToTheEndAndOn) {
  SETTINGS_OR_SKIP(settings);
  Source source(settings);
  source.add(500);
  EXPECT_TRUE(becomes_true([&] { return source.shipper.position() == 501; }));
  const auto tail = open(settings, {.topics = {source.topic}, .from = Tail::From::kBeginning});
  EXPECT_EQ(read_to_end(*tail), numbers(1, 500));
  source.add(1);
  std::optional<Consumed> next;
  EXPECT_TRUE(becomes_true([&] { return (next = tail->next(100 * kMillisecond)).has_value(); }));
  EXPECT_EQ(next->event->envelope.position(), 501u);
  EXPECT_EQ(next->topic, source.topic);
}

// Whoever goes on writing: it ends. Without a fixed end it is at the end only where it has caught up.
TEST_F(TailTest, EndsWhereTheTopicEndedAtItsBeginning) {
  SETTINGS_OR_SKIP(settings);
  Source source(settings);
  source.add(500);
  EXPECT_TRUE(becomes_true([&] { return source.shipper.position() == 501; }));
  const auto tail =
      open(settings, {.topics = {source.topic}, .from = Tail::From::kBeginning, .fixed_end = true});
  EXPECT_EQ(tail->part().all, 500u);
  std::atomic<bool> enough{false};
  std::thread writer([&] {
    while (!enough) {
      const uint64_t behind = source.shipper.position();
      source.add(200);
      EXPECT_TRUE(becomes_true([&] { return enough || source.shipper.position() >= behind + 100; }));
    }
  });
  size_t given = 0;
  EXPECT_TRUE(becomes_true([&] {
    while (!tail->at_end() && tail->next(10 * kMillisecond).has_value()) ++given;
    return tail->at_end();
  }));
  enough = true;
  writer.join();
  EXPECT_GE(given, 500u);
  EXPECT_GE(tail->part().given, 500u);
}

TEST_F(TailTest, FromTheEndOnlyWhatIsNew) {
  SETTINGS_OR_SKIP(settings);
  Source source(settings);
  source.add(100);
  EXPECT_TRUE(becomes_true([&] { return source.shipper.position() == 101; }));
  const auto tail = open(settings, {.topics = {source.topic}});
  EXPECT_EQ(read_to_end(*tail), numbers(1, 0));
  source.add(1);
  std::optional<Consumed> next;
  EXPECT_TRUE(becomes_true([&] { return (next = tail->next(100 * kMillisecond)).has_value(); }));
  EXPECT_EQ(next->event->envelope.position(), 101u);
}

TEST_F(TailTest, TheLastOfEachPartition) {
  SETTINGS_OR_SKIP(settings);
  Source source(settings);
  source.add(1'000);
  EXPECT_TRUE(becomes_true([&] { return source.shipper.position() == 1'001; }));
  const auto tail = open(settings, {.topics = {source.topic}, .from = Tail::From::kLast, .last = 5});
  const auto positions = read_to_end(*tail);
  EXPECT_EQ(positions.size(), 20u);
  EXPECT_EQ(positions.back(), 1'000u);
}

TEST_F(TailTest, FromATimeAndFromOffsets) {
  SETTINGS_OR_SKIP(settings);
  Source source(settings);
  source.add(100);
  EXPECT_TRUE(becomes_true([&] { return source.shipper.position() == 101; }));
  const Time between = system_clock().now() + 5 * kMillisecond;
  EXPECT_TRUE(becomes_true([&] { return system_clock().now() > between; }));
  source.add(50);
  EXPECT_TRUE(becomes_true([&] { return source.shipper.position() == 151; }));
  const auto since = open(settings, {.topics = {source.topic}, .from = Tail::From::kTime, .since = between});
  EXPECT_EQ(read_to_end(*since), numbers(101, 150));
  Tail::Options options{.topics = {source.topic}};
  options.offsets[{source.topic, 0}] = 0;
  const auto first_partition = open(settings, options);
  Consumer consumer;
  Subscriber subscriber(settings, consumer.options("balance", {source.topic}));
  ASSERT_TRUE(subscriber.open().has_value());
  EXPECT_TRUE(becomes_true([&] { return consumer.size() == 150; }));
  const auto marks = consumer.marks();
  const auto mark = marks.find({source.topic, 0});
  const size_t in_first = mark == marks.end() ? 0 : mark->second.offset + 1;
  EXPECT_EQ(read_to_end(*first_partition).size(), in_first);
}

TEST_F(TailTest, UnreadableRecordsAreLeftOut) {
  SETTINGS_OR_SKIP(settings);
  Source source(settings);
  publish_raw(settings, source.topic, "x", "y", {});
  source.add(10);
  EXPECT_TRUE(becomes_true([&] { return source.shipper.position() == 11; }));
  const auto tail = open(settings, {.topics = {source.topic}, .from = Tail::From::kBeginning});
  EXPECT_EQ(read_to_end(*tail), numbers(1, 10));
  EXPECT_EQ(tail->unreadable(), 1u);
}

TEST_F(TailTest, ATopicHasToBeThere) {
  SETTINGS_OR_SKIP(settings);
  const auto tail = Tail::open(settings, {.topics = {settings.prefix + "payment-events"}});
  ASSERT_FALSE(tail.has_value());
  EXPECT_EQ(tail.error().reason, "kafka_no_topic");
}

}  // namespace
}  // namespace micropay::kafka
