// Hands a service the events of other services: a member of the consumer group of that service, on a thread
// of its own. Where a partition begins is asked of the owner, whose database is the truth; what Kafka is told
// of offsets is for tools that show lag.
//
//   Subscriber subscriber(settings, {.group = "balance", .topics = {"payment-events"},
//       .start = [&](const Partition& p) { return last_taken(p); },          // ConsumerRecord
//       "source:payment/3" .take = [&](const Consumed& c) {
//         if (engine.full()) return false;
//         engine.deliver(c.event, c.partition, c.offset);
//         return true; }});
//   TRY(subscriber.open());
//
// An event may come again (after a rebalance, a restart, or when it was published again): its position tells.
// Events of one key come in order. Records that cannot be read go to the dead-letter topic, and the next
// follows. Brokers that are away are waited for.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libs/base/error.h"
#include "libs/base/time.h"
#include "libs/kafka/consumed.h"
#include "libs/kafka/settings.h"

namespace micropay::kafka {

// The event of a partition that was taken last.
struct LastTaken {
  uint64_t offset = 0;
  uint64_t position = 0;  // envelope.position(): tells whether the topic is still the same one
};

struct SubscriberOptions {
  std::string group;
  std::vector<std::string> topics;
  // Static membership: a restart within the session timeout moves no partition. Unique in the group.
  std::string member = "";
  // All callbacks come on the subscriber's thread. This one for each partition that is assigned; none: from
  // the earliest event that there is. While it fails, nothing is consumed, and it is asked again.
  std::function<Result<std::optional<LastTaken>>(const Partition&)> start;
  // False: no room now. The event is offered again after poke() or a few milliseconds.
  std::function<bool(const Consumed&)> take;
  std::function<void(const std::vector<Partition>&)> assigned = {};
  // They may be another's already when this is called (`lost`).
  std::function<void(const std::vector<Partition>&, bool lost)> revoked = {};
  // Consumption has ended for good: kafka_fatal, because another has the same `member`.
  std::function<void(const Error&)> failed = {};
  // A type that no contract here has may be of a newer version: to the dead-letter topic, or skipped and
  // counted.
  bool skip_unknown_types = false;
  // How long the broker may collect events before it answers: whoever waits for nothing gets them in larger
  // portions, which cost everybody less. 0: each as soon as it is there.
  Duration patience = 0;
};

class Subscriber {
 public:
  Subscriber(const KafkaSettings& settings, SubscriberOptions options);
  ~Subscriber();  // closes
  // Joins the group. Fails for settings that cannot be (kafka_settings), never because brokers are away.
  Result<void> open();
  void poke();   // there is room again; any thread
  void close();  // leaves the group; no callback comes after it

  std::vector<Partition> partitions() const;  // assigned now; any thread
  bool paused() const;                        // `take` said no
  // Why a partition has stood still for seconds, which it will until somebody publishes again: an event is
  // missing before those that there are. Any thread.
  std::optional<Error> held_up() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace micropay::kafka
