// Publishes records, idempotently: acknowledged by all replicas, in the order given for each key, none twice
// however often the connection breaks. Used by one thread, which handles acknowledgements when it polls.
//
//   auto publisher = TRY(Publisher::open(settings, "payment", [&] { wakeup.notify(); }));
//   TRY(publisher->publish({"payment-events"}, message, 42));
//   publisher->send();
//   publisher->poll([](uint64_t tag, const Error* error) {...});
//
// A broker that is away is waited for without end. What can never be published (too large, no such topic)
// comes back with its error; records behind it may get through all the same, see partition_reader.h.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "libs/kafka/event_message.h"
#include "libs/kafka/settings.h"

namespace micropay::kafka {

class Publisher {
 public:
  // `wake` is called, on a thread of the client's own, when there is something to poll; it must not block.
  static Result<std::unique_ptr<Publisher>> open(const KafkaSettings& settings, std::string_view client_id,
                                                 std::function<void()> wake = {});
  ~Publisher();  // what is not acknowledged may be published or not

  // Copied. kResourceExhausted kafka_queue_full: poll, and try again.
  struct Destination {
    std::string topic;
    int32_t partition = -1;  // by the key
  };
  Result<void> publish(const Destination& to, const EventMessage& message, uint64_t tag);
  // What was published since the last call goes out together, now; without it, within milliseconds. Takes up
  // to two.
  void send();
  using Acknowledged = std::function<void(uint64_t tag, const Error* error)>;
  // Calls for each outcome that is there; true when there were any.
  bool poll(const Acknowledged& acknowledged, Duration wait = 0);
  // Until all are acknowledged or the time is over; false: some are not.
  bool flush(const Acknowledged& acknowledged, Duration timeout);
  size_t unacknowledged() const;

 private:
  struct Impl;
  explicit Publisher(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace micropay::kafka
