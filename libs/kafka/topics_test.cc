// Topics are made as they are wanted, and one that is otherwise is refused.
#include "libs/kafka/topics.h"

#include <gtest/gtest.h>

#include "libs/kafka/kafka_twin.h"
#include "libs/kafka/topic_ends.h"

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

// What a topic ends with tells whether it carries what a log has: the newest event, wherever records that
// nobody can read stand behind it, and whether anything was ever written.
TEST(Topics, SayWhatTheyEndWith) {
  SETTINGS_OR_SKIP(of_shared);
  KafkaSettings settings = of_shared;
  settings.partitions = 1;
  Source source(settings);
  const Partition only{source.topic, 0};
  const auto end = [&] {
    const auto ends = topic_ends(settings, {"payment", "fraud"});
    return ends && ends->size() == 1 ? ends->at(only) : TopicEnd{.place = UINT64_MAX};
  };
  EXPECT_TRUE(end().never_written());
  source.add(300);
  EXPECT_TRUE(becomes_true([&] { return source.shipper.position() == 301; }));
  publish_raw(settings, source.topic, "", "no event", {});
  TopicEnd now = end();
  EXPECT_EQ(now.high, 301u);
  ASSERT_TRUE(now.event.has_value());
  EXPECT_EQ(now.event->position, 300u);
  EXPECT_EQ(now.event->id, initiated(300, 0)->envelope.id());
  EXPECT_EQ(now.place, 300u);
  // Made anew it is empty, and what the log has can be published again.
  ASSERT_TRUE(make_anew(settings, {"payment"}).has_value());
  now = end();
  EXPECT_TRUE(now.never_written());
  EXPECT_FALSE(now.event.has_value());
  ASSERT_TRUE(make_anew(settings, {"payment"}).has_value());
  EXPECT_TRUE(end().never_written());
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
