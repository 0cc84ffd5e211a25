#include "libs/kafka/topics.h"

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <map>
#include <thread>

#include "libs/base/log.h"
#include "libs/kafka/client.h"

namespace micropay::kafka {
namespace {

constexpr std::string_view kEvents = "-events";
constexpr size_t kMaxRecordBytes =
    kMaxValueBytes + (2 << 20);  // an event, its headers, and why nobody could read it

constexpr Duration kMetadataTimeout = 5 * kSecond;

using Partitions = std::map<std::string, uint32_t>;  // by topic

Result<ClientPtr> make_admin(const KafkaSettings& settings) {
  return make_client(TRY(make_conf(settings, "micropay-topics", {})), Role::kProducer);
}

Result<void> check_partitions(const std::string& topic, uint32_t found, uint32_t wanted) {
  if (found == wanted) return {};
  return fail(
      Code::kFailedPrecondition, "topic_partitions",
      fmt::format(
          "topic {0} has {1} partitions and kafka.partitions is {2}, and where an event is follows "
          "from that: set kafka.partitions={1}. When somebody has changed the topic: stop all services "
          "and run `micropay topics align`, which makes it again with {2}",
          topic, found, wanted),
      "kafka.partitions");
}

Result<rd_kafka_NewTopic_t*> describe(const KafkaSettings& settings, const std::string& topic) {
  char why[256] = "";
  rd_kafka_NewTopic_t* made = rd_kafka_NewTopic_new(topic.c_str(), int(settings.partitions),
                                                    int(settings.replication), why, sizeof why);
  if (made == nullptr) return fail(Code::kInvalidArgument, "kafka_settings", why);
  rd_kafka_NewTopic_set_config(made, "retention.ms",
                               std::to_string(settings.retention / kMillisecond).c_str());
  rd_kafka_NewTopic_set_config(made, "max.message.bytes", std::to_string(kMaxRecordBytes).c_str());
  // With three copies an acknowledged event is on two disks at least.
  if (settings.replication > 2)
    rd_kafka_NewTopic_set_config(made, "min.insync.replicas",
                                 std::to_string(settings.replication - 1).c_str());
  return made;
}

Result<void> outcome_of(rd_kafka_event_t* event) {
  if (event == nullptr) return fail(Code::kUnavailable, "kafka_timeout", "making topics: no answer in time");
  if (const auto response = rd_kafka_event_error(event); response != RD_KAFKA_RESP_ERR_NO_ERROR)
    return std::unexpected(error_of(response, "making topics"));
  size_t count = 0;
  const auto* result = rd_kafka_event_CreateTopics_result(event);
  const rd_kafka_topic_result_t** topics = rd_kafka_CreateTopics_result_topics(result, &count);
  for (size_t i = 0; i < count; ++i) {
    const auto response = rd_kafka_topic_result_error(topics[i]);
    // Another instance may have been faster.
    if (response == RD_KAFKA_RESP_ERR_NO_ERROR || response == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
      continue;
    const char* words = rd_kafka_topic_result_error_string(topics[i]);
    return std::unexpected(error_of(
        response,
        fmt::format("making topic {} ({})", rd_kafka_topic_result_name(topics[i]), words ? words : "")));
  }
  return {};
}

Result<void> create(rd_kafka_t* client, const KafkaSettings& settings, const std::vector<std::string>& topics,
                    Duration timeout) {
  std::vector<rd_kafka_NewTopic_t*> wanted;
  Result<void> result;
  for (const std::string& topic : topics) {
    auto made = describe(settings, topic);
    if (made) wanted.push_back(*made);
    else result = std::unexpected(made.error());
  }
  if (result) {
    const QueuePtr queue(rd_kafka_queue_new(client));
    rd_kafka_AdminOptions_t* options = rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    char why[256] = "";
    const int timeout_ms = int(timeout / kMillisecond);
    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, why, sizeof why);
    rd_kafka_AdminOptions_set_operation_timeout(options, timeout_ms, why, sizeof why);
    rd_kafka_CreateTopics(client, wanted.data(), wanted.size(), options, queue.get());
    rd_kafka_event_t* event = rd_kafka_queue_poll(queue.get(), timeout_ms + 1000);
    result = outcome_of(event);
    if (event != nullptr) rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
  }
  rd_kafka_NewTopic_destroy_array(wanted.data(), wanted.size());
  return result;
}

Result<void> remove(rd_kafka_t* client, const std::vector<std::string>& topics, Duration timeout) {
  std::vector<rd_kafka_DeleteTopic_t*> gone;
  for (const std::string& topic : topics) gone.push_back(rd_kafka_DeleteTopic_new(topic.c_str()));
  const QueuePtr queue(rd_kafka_queue_new(client));
  rd_kafka_AdminOptions_t* options = rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_DELETETOPICS);
  char why[256] = "";
  const int timeout_ms = int(timeout / kMillisecond);
  rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, why, sizeof why);
  rd_kafka_AdminOptions_set_operation_timeout(options, timeout_ms, why, sizeof why);
  rd_kafka_DeleteTopics(client, gone.data(), gone.size(), options, queue.get());
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue.get(), timeout_ms + 1000);
  const auto outcome = [&]() -> Result<void> {
    if (event == nullptr)
      return fail(Code::kUnavailable, "kafka_timeout", "removing topics: no answer in time");
    if (const auto response = rd_kafka_event_error(event); response != RD_KAFKA_RESP_ERR_NO_ERROR)
      return std::unexpected(error_of(response, "removing topics"));
    size_t count = 0;
    const auto* each = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
    for (size_t i = 0; i < count; ++i)
      if (const auto response = rd_kafka_topic_result_error(each[i]);
          response != RD_KAFKA_RESP_ERR_NO_ERROR && response != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        return std::unexpected(
            error_of(response, fmt::format("removing topic {}", rd_kafka_topic_result_name(each[i]))));
    return {};
  }();
  if (event != nullptr) rd_kafka_event_destroy(event);
  rd_kafka_AdminOptions_destroy(options);
  rd_kafka_DeleteTopic_destroy_array(gone.data(), gone.size());
  return outcome;
}

// A topic that was made is not known to every broker at once, and one that was removed is for a while.
Result<void> await(rd_kafka_t* client, const std::vector<std::string>& topics, Time deadline,
                   bool wanted = true) {
  while (true) {
    const Partitions present = TRY(partitions_of(client, kMetadataTimeout));
    if (std::ranges::all_of(topics,
                            [&](const std::string& topic) { return present.contains(topic) == wanted; }))
      return {};
    if (system_clock().monotonic() > deadline)
      return fail(
          Code::kUnavailable, "kafka_timeout",
          wanted ? "topics that were made are not there yet" : "topics that were removed are still there");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

}  // namespace

std::string topic_of(const KafkaSettings& settings, std::string_view service) {
  return settings.prefix + std::string(service).append(kEvents);
}
std::string service_of(const KafkaSettings& settings, std::string_view topic) {
  if (!topic.starts_with(settings.prefix) || !topic.ends_with(kEvents)) return {};
  topic.remove_prefix(settings.prefix.size());
  topic.remove_suffix(std::min(kEvents.size(), topic.size()));
  return std::string(topic);
}
std::string dead_letter_topic_of(std::string_view topic) { return std::string(topic) + "-dlt"; }

Result<void> make_topics(const KafkaSettings& settings, const std::vector<std::string>& services,
                         Duration timeout) {
  const Time deadline = system_clock().monotonic() + timeout;
  const ClientPtr client = TRY(make_admin(settings));
  const auto left = [&] { return std::max<Duration>(deadline - system_clock().monotonic(), kMillisecond); };
  Partitions present = TRY(partitions_of(client.get(), left()));
  std::vector<std::string> missing;
  for (const std::string& service : services)
    for (const std::string& topic :
         {topic_of(settings, service), dead_letter_topic_of(topic_of(settings, service))})
      if (!present.contains(topic)) missing.push_back(topic);
  if (!missing.empty()) {
    TRY(create(client.get(), settings, missing, left()));
    TRY(await(client.get(), missing, deadline));
    log_info("kafka.topics_made", "Topics were made",
             {{"topics", fmt::format("{}", fmt::join(missing, ", "))}});
    present = TRY(partitions_of(client.get(), left()));
  }
  for (const std::string& service : services)
    if (const auto found = present.find(topic_of(settings, service)); found != present.end())
      TRY(check_partitions(found->first, found->second, settings.partitions));
  return {};
}

Result<void> make_anew(const KafkaSettings& settings, const std::vector<std::string>& services,
                       Duration timeout) {
  const Time deadline = system_clock().monotonic() + timeout;
  const auto left = [&] { return std::max<Duration>(deadline - system_clock().monotonic(), kMillisecond); };
  const ClientPtr client = TRY(make_admin(settings));
  const Partitions present = TRY(partitions_of(client.get(), left()));
  std::vector<std::string> old;
  for (const std::string& service : services)
    if (present.contains(topic_of(settings, service))) old.push_back(topic_of(settings, service));
  if (!old.empty()) {
    TRY(remove(client.get(), old, left()));
    TRY(await(client.get(), old, deadline, false));
  }
  // A name that is free may be taken for a moment still: what was made under it has gone with the old one.
  while (true) {
    TRY(make_topics(settings, services, left()));
    const Partitions made = TRY(partitions_of(client.get(), left()));
    const bool all = std::ranges::all_of(
        services, [&](const std::string& service) { return made.contains(topic_of(settings, service)); });
    if (all) return {};
    if (system_clock().monotonic() > deadline)
      return fail(Code::kUnavailable, "kafka_timeout", "topics are not there again yet");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

Result<std::vector<TopicInfo>> event_topics(const KafkaSettings& settings, Duration timeout) {
  const ClientPtr client = TRY(make_admin(settings));
  std::vector<TopicInfo> found;
  for (const auto& [name, partitions] : TRY(partitions_of(client.get(), timeout)))
    if (name.ends_with(kEvents) && name.starts_with(settings.prefix)) found.push_back({name, partitions});
  return found;
}

}  // namespace micropay::kafka
