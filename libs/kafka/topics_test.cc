// Topics are made as they are wanted, and one that is otherwise is refused.
#include "libs/kafka/topics.h"

#include <gtest/gtest.h>

#include "libs/kafka/kafka_twin.h"

namespace micropay::kafka {
namespace {

using namespace test;

TEST(Topics, AreMadeOnce) {
  SETTINGS_OR_SKIP(settings);
  EXPECT_TRUE(event_topics(settings).value().empty());
  ASSERT_TRUE(make_topics(settings, {"payment", "account"}).has_value());
  ASSERT_TRUE(make_topics(settings, {"account", "balance"}).has_value());
  const auto topics = event_topics(settings);
  ASSERT_TRUE(topics.has_value());
  ASSERT_EQ(topics->size(), 3u);
  EXPECT_EQ((*topics)[0].name, settings.prefix + "account-events");
  EXPECT_EQ((*topics)[0].partitions, 4u);
}

TEST(Topics, OtherPartitionsAreRefused) {
  SETTINGS_OR_SKIP(settings);
  ASSERT_TRUE(make_topics(settings, {"payment"}).has_value());
  KafkaSettings others = settings;
  others.partitions = 5;
  const auto made = make_topics(others, {"payment"});
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().reason, "topic_partitions");
  EXPECT_EQ(made.error().code, Code::kFailedPrecondition);
}

TEST(Topics, MoreCopiesThanBrokersAreRefused) {
  SETTINGS_OR_SKIP(settings);
  KafkaSettings many = settings;
  many.replication = 3;
  const auto made = make_topics(many, {"payment"});
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().reason, "kafka_replication");
}

TEST(Topics, NoBrokerIsUnavailableInTime) {
  KafkaSettings settings;
  settings.brokers = "127.0.0.1:1";
  const auto made = make_topics(settings, {"payment"}, 300 * kMillisecond);
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace micropay::kafka
