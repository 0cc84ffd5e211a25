// Where records go that nobody here can read: to the topic "<topic>-dlt", as they came, with the cause in
// headers (dlt_topic, dlt_partition, dlt_offset, dlt_group, dlt_reason, dlt_detail). Used by one thread.
#pragma once

#include <memory>
#include <string>

#include "libs/base/error.h"
#include "libs/kafka/consumed.h"
#include "libs/kafka/event_message.h"
#include "libs/kafka/settings.h"

namespace micropay::kafka {

class Publisher;

class DeadLetters {
 public:
  DeadLetters(const KafkaSettings& settings, std::string group);
  ~DeadLetters();
  // Says it in the log and the metrics, and sends the record off.
  void add(const EventMessage& message, const Partition& partition, uint64_t offset, const Error& cause);
  // Waits until what was added is safe: before anything behind it is taken. What cannot be made safe within
  // the time (no such topic) is named in the log, and is still in its own topic.
  void settle();

 private:
  void send(const EventMessage& message, const Partition& partition);
  void lost(const Error& error);
  const KafkaSettings settings_;
  const std::string group_;
  std::unique_ptr<Publisher> publisher_;  // made when it is needed
};

}  // namespace micropay::kafka
