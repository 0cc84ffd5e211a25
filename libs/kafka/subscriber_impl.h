// The parts of a Subscriber in one place: subscriber.cc (thread, records, back-pressure) and rebalance.cc
// (which partitions, and where they begin). Nobody else includes this.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "libs/base/metrics.h"
#include "libs/kafka/client.h"
#include "libs/kafka/dead_letters.h"
#include "libs/kafka/partition_reader.h"
#include "libs/kafka/subscriber.h"
#include "libs/kafka/wakeup.h"

namespace micropay::kafka {

struct Subscriber::Impl {
  Impl(const KafkaSettings& settings, SubscriberOptions options);

  struct Assigned {
    Partition partition;
    std::optional<LastTaken> expected;  // until the first record has been seen
    PartitionReader reader;
    int64_t next_offset = -1;  // behind the last that was taken
    int64_t reported_offset = -1;
    Time ahead_since = 0;         // an event is missing before the one that came last; guarded by mutex_
    uint64_t ahead_position = 0;  // of that one; guarded by mutex_
    Counter* consumed = nullptr;
    Counter* repeated = nullptr;
    Counter* ahead = nullptr;
    Gauge* lag = nullptr;
  };

  // --- subscriber.cc ---
  Result<void> open();
  void loop();
  void take_in(MessagePtr message);
  bool offer(const rd_kafka_message_s& message);
  void note_ahead(Assigned& assigned, uint64_t position);
  bool settle(Assigned& assigned, const Reading& reading, const EventMessage& message, uint64_t offset);
  void hold(MessagePtr message);
  void offer_held();
  void set_paused(bool paused);
  void failed_poll(int response, const char* words);
  void report();
  void commit_offsets();

  // --- rebalance.cc ---
  static void rebalance(rd_kafka_s* client, int response, rd_kafka_topic_partition_list_s* list, void* self);
  Assigned make_assigned(const Partition& partition, const std::optional<LastTaken>& last) const;
  void assign(rd_kafka_topic_partition_list_s& list);
  void revoke(rd_kafka_topic_partition_list_s& list, bool lost);
  std::optional<LastTaken> start_of(const Partition& partition);
  Assigned* assigned_of(const rd_kafka_message_s& message);
  // A partition's first record: is it what was expected?
  enum class First : uint8_t { kTaken, kGoOn, kAnew };
  First check_first(Assigned& assigned, uint64_t offset, const EventMessage& message);
  void begin_anew(Assigned& assigned);
  bool cooperative() const;

  const KafkaSettings settings_;
  const SubscriberOptions options_;
  const Clock& clock_ = system_clock();
  Wakeup wakeup_;
  std::atomic<bool> stopping_{false}, paused_{false};
  DeadLetters dead_letters_;
  std::deque<MessagePtr> held_;  // before the client: they are its
  ClientPtr client_;
  std::thread thread_;

  mutable std::mutex mutex_;  // of the map's shape, for partitions()
  std::map<Partition, Assigned, ByPartition> assigned_;
  Time held_since_ = 0, reported_at_ = 0, complained_at_ = 0, missed_at_ = 0;

  Counter& rebalances_;
  Counter& pauses_;
  Counter& skipped_;
};

}  // namespace micropay::kafka
