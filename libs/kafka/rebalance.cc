// Which partitions a Subscriber has, and where they begin.
#include <librdkafka/rdkafka.h>

#include <cstring>

#include "libs/base/log.h"
#include "libs/kafka/subscriber_impl.h"
#include "libs/kafka/topics.h"

namespace micropay::kafka {
namespace {

constexpr Duration kAskAgain = 200 * kMillisecond;
constexpr int kSeekTimeoutMs = 10'000;

}  // namespace

void Subscriber::Impl::rebalance(rd_kafka_s* client, int response, rd_kafka_topic_partition_list_s* list,
                                 void* self) {
  auto& impl = *static_cast<Impl*>(self);
  impl.rebalances_.add();
  if (response == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    impl.assign(*list);
  } else if (response == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
    impl.revoke(*list, rd_kafka_assignment_lost(client) == 1);
  } else {
    const Error error = error_of(response, "rebalancing");
    log_warn("kafka.rebalance_failed", "The group could not share its partitions; it will try again",
             {{"group", impl.options_.group}, {"error.message", error.detail}});
    impl.revoke(*list, true);
    rd_kafka_assign(client, nullptr);
  }
}

bool Subscriber::Impl::cooperative() const {
  return std::strcmp(rd_kafka_rebalance_protocol(client_.get()), "COOPERATIVE") == 0;
}

Subscriber::Impl::Assigned Subscriber::Impl::make_assigned(const Partition& partition,
                                                           const std::optional<LastTaken>& last) const {
  const MetricLabels labels{{"topic", partition.topic}, {"group", options_.group}};
  MetricLabels with_partition = labels;
  with_partition.emplace_back("partition", std::to_string(partition.number));
  return {
      .partition = partition,
      .expected = last,
      .reader = {service_of(settings_, partition.topic), last ? std::optional(last->position) : std::nullopt},
      .consumed = &counter("micropay_kafka_consumed_total", "Events taken from topics", labels),
      .repeated = &counter("micropay_kafka_repeated_total", "Events that were published again", labels),
      .ahead =
          &counter("micropay_kafka_ahead_total",
                   "Events left out until one before them, which is missing, is published again", labels),
      .lag = &gauge("micropay_kafka_lag_events", "Events of a partition that are not taken yet",
                    with_partition)};
}

void Subscriber::Impl::assign(rd_kafka_topic_partition_list_s& list) {
  std::vector<Partition> gained;
  for (int i = 0; i < list.cnt; ++i) {
    rd_kafka_topic_partition_t& element = list.elems[i];
    const Partition partition{element.topic, uint32_t(element.partition)};
    const std::optional<LastTaken> last = start_of(partition);
    // The last one is read once more: whether it is still there tells whether this is still that topic.
    element.offset = last ? int64_t(last->offset) : RD_KAFKA_OFFSET_BEGINNING;
    const std::lock_guard lock(mutex_);
    assigned_.insert_or_assign(partition, make_assigned(partition, last));
    gained.push_back(partition);
  }
  if (cooperative()) {
    if (rd_kafka_error_t* error = rd_kafka_incremental_assign(client_.get(), &list))
      rd_kafka_error_destroy(error);
  } else {
    rd_kafka_assign(client_.get(), &list);
  }
  if (paused_) set_paused(true);
  log_info("kafka.partitions_assigned", "Partitions are this instance's now",
           {{"group", options_.group}, {"partitions", gained.size()}});
  if (options_.assigned) options_.assigned(gained);
}

void Subscriber::Impl::revoke(rd_kafka_topic_partition_list_s& list, bool lost) {
  if (!lost) commit_offsets();
  std::vector<Partition> gone;
  for (int i = 0; i < list.cnt; ++i) {
    const std::lock_guard lock(mutex_);
    const auto found = assigned_.find(PartitionView{list.elems[i].topic, uint32_t(list.elems[i].partition)});
    if (found == assigned_.end()) continue;
    found->second.lag->set(0);
    gone.push_back(found->second.partition);
    assigned_.erase(found);
  }
  if (cooperative()) {
    if (rd_kafka_error_t* error = rd_kafka_incremental_unassign(client_.get(), &list))
      rd_kafka_error_destroy(error);
  } else {
    rd_kafka_assign(client_.get(), nullptr);
  }
  if (gone.empty()) return;
  // They will be fetched again by whoever has the partition then.
  std::erase_if(held_, [&](const MessagePtr& message) { return assigned_of(*message) == nullptr; });
  log_info("kafka.partitions_revoked", "Partitions go to other instances",
           {{"group", options_.group}, {"partitions", gone.size()}, {"lost", lost}});
  if (options_.revoked) options_.revoked(gone, lost);
}

// While the owner's database is away there is nowhere to take events to: the group waits.
std::optional<LastTaken> Subscriber::Impl::start_of(const Partition& partition) {
  for (bool told = false; !stopping_; told = true) {
    auto last = options_.start(partition);
    if (last) return *last;
    if (!told)
      log_warn("kafka.start_unknown", "Where a partition begins cannot be read; it is tried again",
               {{"group", options_.group}, {"topic", partition.topic}, {"error.code", last.error().reason}});
    wakeup_.wait(kAskAgain);
  }
  return {};
}

Subscriber::Impl::Assigned* Subscriber::Impl::assigned_of(const rd_kafka_message_s& message) {
  const auto found =
      assigned_.find(PartitionView{rd_kafka_topic_name(message.rkt), uint32_t(message.partition)});
  return found == assigned_.end() ? nullptr : &found->second;
}

Subscriber::Impl::First Subscriber::Impl::check_first(Assigned& assigned, uint64_t offset,
                                                      const EventMessage& message) {
  const LastTaken expected = *std::exchange(assigned.expected, {});
  if (offset == expected.offset) {
    const auto read = read_event(message, contract::model());
    if (read && read->event->envelope.position() == expected.position) {
      assigned.next_offset = int64_t(offset) + 1;
      return First::kTaken;  // all is as it was
    }
    begin_anew(assigned);
    return First::kAnew;
  }
  if (offset > expected.offset + 1) {
    log_error("kafka.events_missed",
              "Events were deleted from their topic before they were taken: this service "
              "was away for longer than kafka.retention",
              {{"group", options_.group},
               {"topic", assigned.partition.topic},
               {"partition", assigned.partition.number},
               {"offset", expected.offset + 1},
               {"earliest", offset}});
    counter("micropay_kafka_missed_total", "Records deleted before they were taken",
            {{"topic", assigned.partition.topic}, {"group", options_.group}})
        .add(offset - expected.offset - 1);
    assigned.reader.begin_anywhere();
  } else if (offset < expected.offset) {
    log_warn("kafka.offset_reset",
             "The topic ends before the last offset that was taken; it is read from its start",
             {{"group", options_.group}, {"topic", assigned.partition.topic}, {"offset", expected.offset}});
  }
  return First::kGoOn;
}

void Subscriber::Impl::begin_anew(Assigned& assigned) {
  log_warn("kafka.topic_recreated",
           "At the last offset is another event: the topic was made anew; it is read from "
           "its start",
           {{"group", options_.group},
            {"topic", assigned.partition.topic},
            {"partition", assigned.partition.number}});
  const PartitionListPtr list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), assigned.partition.topic.c_str(),
                                    int32_t(assigned.partition.number))
      ->offset = RD_KAFKA_OFFSET_BEGINNING;
  if (rd_kafka_error_t* error = rd_kafka_seek_partitions(client_.get(), list.get(), kSeekTimeoutMs)) {
    log_error("kafka.seek_failed", rd_kafka_error_string(error), {{"topic", assigned.partition.topic}});
    rd_kafka_error_destroy(error);
  }
}

}  // namespace micropay::kafka
