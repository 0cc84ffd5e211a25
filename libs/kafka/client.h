// librdkafka behind RAII, for the sources of this folder only: making a client from the settings, its logs,
// and errors as ours.
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "libs/base/error.h"
#include "libs/kafka/event_message.h"
#include "libs/kafka/settings.h"

struct rd_kafka_s;
struct rd_kafka_conf_s;
struct rd_kafka_queue_s;
struct rd_kafka_topic_partition_list_s;
struct rd_kafka_message_s;
struct rd_kafka_headers_s;

namespace micropay::kafka {

struct Release {
  void operator()(rd_kafka_s* client) const;
  void operator()(rd_kafka_conf_s* conf) const;
  void operator()(rd_kafka_queue_s* queue) const;
  void operator()(rd_kafka_topic_partition_list_s* list) const;
  void operator()(rd_kafka_message_s* message) const;
  void operator()(rd_kafka_headers_s* headers) const;
};
using ClientPtr = std::unique_ptr<rd_kafka_s, Release>;
using ConfPtr = std::unique_ptr<rd_kafka_conf_s, Release>;
using QueuePtr = std::unique_ptr<rd_kafka_queue_s, Release>;
using PartitionListPtr = std::unique_ptr<rd_kafka_topic_partition_list_s, Release>;
using MessagePtr = std::unique_ptr<rd_kafka_message_s, Release>;
using HeadersPtr = std::unique_ptr<rd_kafka_headers_s, Release>;

// Kafka's own words for its properties.
using Properties = std::initializer_list<std::pair<const char*, std::string>>;

// What every client needs, then `properties`. kInvalidArgument kafka_settings for a value that cannot be.
// A consumer's: with patience, records wait at the broker until there are many or the time is over.
struct Fetching {
  explicit Fetching(Duration patience);
  std::string min_bytes, wait_ms;
};
Result<ConfPtr> make_conf(const KafkaSettings& settings, std::string_view client_id, Properties properties);
enum class Role : uint8_t { kProducer, kConsumer };
// Connects behind the scenes, and again when brokers were away; fails only for what can never work (a TLS
// file that is not there).
Result<ClientPtr> make_client(ConfPtr conf, Role role);

// kUnavailable for what passes by itself; reasons kafka_unavailable, kafka_timeout, kafka_not_authorized,
// kafka_no_topic, kafka_replication, kafka_too_large, kafka_fatal, kafka_failed. `response` is an
// rd_kafka_resp_err_t.
Error error_of(int response, std::string_view doing);

// The number of partitions by topic, of all topics.
Result<std::map<std::string, uint32_t>> partitions_of(rd_kafka_s* client, Duration timeout);

// For maps by Partition that are searched for each record.
struct PartitionView {
  std::string_view topic;
  uint32_t number = 0;
};
struct ByPartition {
  using is_transparent = void;
  bool operator()(const auto& a, const auto& b) const {
    return a.number != b.number ? a.number < b.number : std::string_view(a.topic) < std::string_view(b.topic);
  }
};

// The views of what was received; they end with `message`.
EventMessage view_of(const rd_kafka_message_s& message);

}  // namespace micropay::kafka
