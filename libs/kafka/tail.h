// Reads topics without a group: all partitions, from wherever the caller wants, leaving no trace in Kafka.
// For live streams, `micropay events tail` and building a read model anew.
//
//   auto tail = TRY(Tail::open(settings, {.topics = topics, .from = Tail::From::kBeginning}));
//   while (!tail->at_end())
//     if (auto consumed = tail->next(100 * kMillisecond)) apply(*consumed->event);
//
// Events of one key come in order and once, those of different partitions as they arrive. Used by one thread.
// Brokers that go away are waited for; records that cannot be read are counted and left out.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libs/base/error.h"
#include "libs/kafka/consumed.h"
#include "libs/kafka/settings.h"

namespace micropay::kafka {

class Tail {
 public:
  enum class From : uint8_t { kBeginning, kEnd, kTime, kLast };
  struct Options {
    std::vector<std::string> topics;
    From from = From::kEnd;
    Time since = 0;                              // of kTime: events that Kafka took at this time or later
    uint32_t last = 0;                           // of kLast: so many of each partition
    std::map<Partition, uint64_t> offsets = {};  // of some partitions, instead
    Duration patience = 0;                       // an event may be this late, so that more come with it
    // at_end() is where the topics ended at open(): whoever goes on writing, it comes.
    bool fixed_end = false;
  };

  // kNotFound kafka_no_topic when one is not there, kUnavailable when no broker answers in time.
  static Result<std::unique_ptr<Tail>> open(const KafkaSettings& settings, const Options& options,
                                            Duration timeout = 10 * kSecond);
  ~Tail();

  // None: nothing came within `wait`.
  std::optional<Consumed> next(Duration wait);
  // Whether of each partition all has been given that was there at some moment since open() (fixed_end: at
  // open(); what is behind it is given, too, until the caller has seen that).
  bool at_end() const;
  struct Part {
    uint64_t given = 0, all = 0;  // records; of fixed_end
  };
  Part part() const;
  uint64_t unreadable() const;

 private:
  struct Impl;
  explicit Tail(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace micropay::kafka
