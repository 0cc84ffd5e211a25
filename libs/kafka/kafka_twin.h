// What the tests share: events, a broker's address with names of their own, waiting, consumers that write
// down what they got, and brokers that a test may kill.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "libs/base/check.h"
#include "libs/kafka/consumed.h"
#include "libs/kafka/settings.h"
#include "libs/kafka/shipper.h"
#include "libs/kafka/subscriber.h"
#include "libs/kafka/topics.h"
#include "libs/store/store.h"

namespace micropay::kafka::test {

using Event = std::shared_ptr<const EventRecord>;

// payment.initiated; every attribute set. Key n stands for the payment with that number.
Event initiated(uint64_t position, uint64_t key);
std::string key_of(uint64_t key);

// Appends events, a tick each, as positions go on.
class LogMaker {
 public:
  explicit LogMaker(Store& store) : store_(store) {}
  void add(size_t count, size_t keys = 10);
  void add_foreign(size_t count);  // of another service
  void add_large(size_t bytes);

 private:
  void commit(std::vector<Event> events);
  Store& store_;
  uint64_t tick_ = 0, position_ = 1;
};

// The broker of MICROPAY_TEST_KAFKA, with a prefix that no other test has. None: the test is skipped.
std::optional<KafkaSettings> test_settings();
#define SETTINGS_OR_SKIP(name)                                                                      \
  const auto name##_or_none = test_settings();                                                      \
  if (!name##_or_none) GTEST_SKIP() << "MICROPAY_TEST_KAFKA is not set: see tests/servers/with.py"; \
  const KafkaSettings& name = *name##_or_none

// True as soon as it holds; false after the deadline.
bool becomes_true(const std::function<bool()>& holds, Duration deadline = 30 * kSecond);

// Takes as a service would: drops what is at or below the watermark of its partition, and remembers where to
// go on.
class Consumer {
 public:
  SubscriberOptions options(std::string group, std::vector<std::string> topics);
  std::vector<uint64_t> positions_of(uint64_t key) const;  // in the order taken
  size_t size() const;                                     // without repetitions
  size_t repeated() const;
  std::map<Partition, LastTaken> marks() const;
  void set_full(bool full);
  void set_mark(const Partition& partition, LastTaken mark);

 private:
  mutable std::mutex mutex_;
  std::map<Partition, LastTaken> marks_;
  std::map<std::string, std::vector<uint64_t>> positions_;  // by event key
  size_t size_ = 0, repeated_ = 0;
  bool full_ = false;
};

// A payment service that ships what its log has.
struct Source {
  explicit Source(const KafkaSettings& settings)
      : topic(topic_of(settings, "payment")),
        shipper(settings, *store,
                {.service = "payment",
                 .load = [this]() -> Result<uint64_t> { return saved.load(); },
                 .save = [this](uint64_t position) -> Result<void> {
                   saved = position;
                   return {};
                 }}) {
    CHECK(make_topics(settings, {"payment"}, kMinute).has_value());
    shipper.start();
  }
  void add(size_t count) {
    log.add(count);
    shipper.poke();
  }

  const std::string topic;
  std::unique_ptr<Store> store = make_memory_store(contract::model());
  LogMaker log{*store};
  std::atomic<uint64_t> saved{1};
  Shipper shipper;
};

// Every event of the log was taken once, each key in order.
void expect_all(const Consumer& consumer, size_t events, size_t keys = 10);

// One record, from nobody of ours.
void publish_raw(const KafkaSettings& settings, const std::string& topic, std::string key, std::string value,
                 std::vector<std::pair<std::string, std::string>> headers);

struct RawRecord {
  std::string key, value;
  std::map<std::string, std::string> headers;
};
std::vector<RawRecord> read_raw(const KafkaSettings& settings, const std::string& topic, size_t count);

// The size of a record that the topic takes.
void set_topic_limit(const KafkaSettings& settings, const std::string& topic, size_t bytes);

// A broker of the test's own, started by tests/servers/kafka.py in a folder that goes with it.
class OwnBroker {
 public:
  OwnBroker();
  void set_arguments(std::vector<std::string> arguments) { arguments_ = std::move(arguments); }
  ~OwnBroker();
  void start();
  void kill();  // as kill -9
  std::string address() const;
  const std::string& folder() const { return folder_; }

 private:
  std::vector<std::string> arguments_;
  std::string folder_;
  uint16_t port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace micropay::kafka::test
