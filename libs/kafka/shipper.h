// Ships a service's events from its log to its topic: a thread that reads the log from where it left off,
// publishes in order, and remembers how far all is acknowledged.
//
//   Shipper shipper(settings, store, {.service = "payment", .load = …, .save = …, .may_ship = …});
//   TRY(shipper.start());
//   shipper.poke();      // after a commit
//
// Brokers that are away are waited for; the log is what waits, not memory. Whatever was published and not yet
// remembered is published again after a restart: consumers drop it by its position. For a key, no event is
// ever published before one that is earlier, but for such repetitions.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "libs/base/trace.h"
#include "libs/kafka/settings.h"
#include "libs/store/store.h"

namespace micropay::kafka {

struct ShipperOptions {
  std::string service;
  // The first position that may not be published; asked whenever shipping begins. Kept by save, now and then
  // and at the end: all before the position given is published. Both are called on the shipper's thread; when
  // they fail, they are called again.
  std::function<Result<uint64_t>()> load;
  std::function<Result<void>(uint64_t position)> save;
  // One instance of a service ships at a time: whether this one still may. Asked often, must be quick. A
  // moment of two does no harm.
  std::function<bool()> may_ship = [] { return true; };
  Duration save_interval = kSecond;
  Duration look_interval = kSecond;  // for events that nobody poked for
  TraceSink* traces = nullptr;       // a span of each event that is published for a trace that is recorded
  size_t max_unacknowledged = 5'000;
  size_t max_unacknowledged_bytes = 16 << 20;
};

class Shipper {
 public:
  Shipper(const KafkaSettings& settings, const Store& store, ShipperOptions options);
  ~Shipper();  // stops
  void start();
  void poke();  // any thread; never blocks for long
  // Publishes what the log has, for at most so long, then saves how far that went.
  void stop(Duration timeout = 5 * kSecond);

  uint64_t position() const;  // all before it is acknowledged
  bool shipping() const;      // this instance has the lease
  // Events of the log that are not acknowledged, where it is this instance's to ship; else 0.
  uint64_t lag() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace micropay::kafka
