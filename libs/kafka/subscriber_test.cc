// Events from a log through a real broker to subscribers: nothing is missing, keys stay in order, whatever
// comes.
#include "libs/kafka/subscriber.h"

#include <gtest/gtest.h>

#include "libs/kafka/kafka_twin.h"
#include "libs/kafka/shipper.h"
#include "libs/kafka/topics.h"

namespace micropay::kafka {
namespace {

using namespace test;

// A payment service that ships what its log has.
struct Source {
  explicit Source(const KafkaSettings& settings)
      : topic(topic_of(settings, "payment")),
        shipper(settings, *store,
                {.service = "payment",
                 .load = [this]() -> Result<uint64_t> { return saved.load(); },
                 .save = [this](uint64_t position) -> Result<void> {
                   saved = position;
                   return {};
                 }}) {
    const auto made = make_topics(settings, {"payment"});
    EXPECT_TRUE(made.has_value()) << made.error().detail;
    shipper.start();
  }
  void add(size_t count) {
    log.add(count);
    shipper.poke();
  }

  const std::string topic;
  std::unique_ptr<Store> store = make_memory_store(contract::model());
  LogMaker log{*store};
  std::atomic<uint64_t> saved{1};
  Shipper shipper;
};

// Every event of the log was taken once, each key in order.
void expect_all(const Consumer& consumer, size_t events, size_t keys = 10) {
  for (size_t key = 0; key < keys; ++key) {
    std::vector<uint64_t> expected;
    for (uint64_t position = 1; position <= events; ++position)
      if (position % keys == key) expected.push_back(position);
    EXPECT_EQ(consumer.positions_of(key), expected) << "key " << key;
  }
}

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

}  // namespace
}  // namespace micropay::kafka
