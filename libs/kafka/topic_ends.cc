#include "libs/kafka/topic_ends.h"

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <set>
#include <thread>

#include "libs/kafka/client.h"
#include "libs/kafka/topics.h"

namespace micropay::kafka {
namespace {

constexpr Duration kAgain = 100 * kMillisecond;
constexpr int64_t kLook = 100;  // records of a partition, for those at its end that nobody can read

Result<ConfPtr> conf_of(const KafkaSettings& settings) {
  return make_conf(settings, "micropay-ends",
                   {{"group.id", settings.prefix + "micropay-ends"},  // asked for, though no group is joined
                    {"enable.auto.commit", "false"},
                    {"enable.auto.offset.store", "false"},
                    {"auto.offset.reset", "earliest"},
                    {"allow.auto.create.topics", "false"},
                    {"enable.partition.eof", "true"},
                    {"fetch.wait.max.ms", "50"},
                    {"queued.max.messages.kbytes", "16384"}});
}

class Looking {
 public:
  Looking(const KafkaSettings& settings, rd_kafka_s* client, Duration timeout)
      : settings_(settings), client_(client), deadline_(system_clock().monotonic() + timeout) {}

  Result<TopicEnds> run(const std::vector<std::string>& services) {
    const auto present = TRY(partitions_of(client_, left()));
    for (const std::string& service : services) {
      const auto found = present.find(topic_of(settings_, service));
      if (found == present.end()) continue;
      for (uint32_t number = 0; number < found->second; ++number) ends_[{found->first, number}];
    }
    if (ends_.empty()) return std::move(ends_);
    TRY(find_offsets());
    TRY(assign());
    TRY(read());
    return std::move(ends_);
  }

 private:
  Duration left() const { return std::max<Duration>(deadline_ - system_clock().monotonic(), kMillisecond); }

  // A partition of a topic that was just made, or whose broker has changed, has no leader for a moment.
  Result<void> find_offsets() {
    while (true) {
      const auto found = [&]() -> Result<void> {
        TRY(offsets_at(RD_KAFKA_OFFSET_BEGINNING, &TopicEnd::low));
        return offsets_at(RD_KAFKA_OFFSET_END, &TopicEnd::high);
      }();
      const bool passes = !found && found.error().reason == "kafka_failed";
      if (!passes || system_clock().monotonic() > deadline_) return found;
      std::this_thread::sleep_for(std::chrono::microseconds(kAgain));
      TRY(partitions_of(client_, left()));  // who leads them now
    }
  }

  Result<void> offsets_at(int64_t which, uint64_t TopicEnd::* into) {
    const PartitionListPtr list(rd_kafka_topic_partition_list_new(int(ends_.size())));
    for (const auto& [partition, end] : ends_)
      rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), int32_t(partition.number))
          ->offset = which;
    auto response = rd_kafka_offsets_for_times(client_, list.get(), int(left() / kMillisecond));
    for (int i = 0; i < list->cnt && response == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
      response = list->elems[i].err;
      ends_[{list->elems[i].topic, uint32_t(list->elems[i].partition)}].*into =
          uint64_t(std::max<int64_t>(list->elems[i].offset, 0));
    }
    if (response != RD_KAFKA_RESP_ERR_NO_ERROR)
      return std::unexpected(error_of(response, "finding where topics end"));
    return {};
  }

  Result<void> assign() {
    const PartitionListPtr list(rd_kafka_topic_partition_list_new(int(ends_.size())));
    for (const auto& [partition, end] : ends_) {
      if (end.high == end.low) continue;
      rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), int32_t(partition.number))
          ->offset = std::max(int64_t(end.low), int64_t(end.high) - kLook);
      open_.insert(partition);
    }
    if (const auto response = rd_kafka_assign(client_, list.get()); response != RD_KAFKA_RESP_ERR_NO_ERROR)
      return std::unexpected(error_of(response, "reading the ends of topics"));
    return {};
  }

  Result<void> read() {
    while (!open_.empty()) {
      if (system_clock().monotonic() > deadline_)
        return fail(Code::kUnavailable, "kafka_timeout",
                    fmt::format("the end of {} does not come", open_.begin()->topic));
      const MessagePtr message(rd_kafka_consumer_poll(client_, 100));
      if (!message || message->rkt == nullptr) continue;
      const Partition partition{rd_kafka_topic_name(message->rkt), uint32_t(message->partition)};
      if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) open_.erase(partition);
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) take(partition, *message);
    }
    return {};
  }

  void take(const Partition& partition, const rd_kafka_message_t& message) {
    TopicEnd& end = ends_[partition];
    const std::string service = service_of(settings_, partition.topic);
    const EventMessage view = view_of(message);
    if (const auto read = read_event(view, contract::model());
        read && read->event->envelope.service() == service) {
      const Envelope& envelope = read->event->envelope;
      if (!end.event || envelope.position() > end.event->position)
        end.event = {.position = envelope.position(), .id = std::string(envelope.id())};
      end.place = std::max(end.place, envelope.position());
    } else if (const auto place = place_of(view, service)) {
      end.place = std::max(end.place, place->position);
    }
    if (uint64_t(message.offset) + 1 >= end.high) open_.erase(partition);
  }

  const KafkaSettings& settings_;
  rd_kafka_s* const client_;
  const Time deadline_;
  TopicEnds ends_;
  std::set<Partition> open_;  // whose end has not come yet
};

}  // namespace

Result<TopicEnds> topic_ends(const KafkaSettings& settings, const std::vector<std::string>& services,
                             Duration timeout) {
  const ClientPtr client = TRY(make_client(TRY(conf_of(settings)), Role::kConsumer));
  rd_kafka_poll_set_consumer(client.get());
  auto ends = Looking(settings, client.get(), timeout).run(services);
  rd_kafka_consumer_close(client.get());
  return ends;
}

}  // namespace micropay::kafka
