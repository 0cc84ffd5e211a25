// Whether the topics of services carry what their logs say: event by event, from the first that retention has
// left on to the last that was published. Reads every topic from its beginning; joins no group.
#pragma once

#include <functional>

#include "app/cluster/heard_check.h"
#include "libs/kafka/settings.h"

namespace micropay::app {

class TopicCheck {
 public:
  struct Log {
    std::string service;
    uint64_t published = 0;  // position up to which it says that its events were published
    uint64_t next = 1;       // position behind what was read of it
    std::function<Result<uint64_t>()> next_now;  // and at present; asked once
  };
  // Of logs whose events `logs` has seen.
  TopicCheck(const kafka::KafkaSettings& settings, const HeardCheck& logs)
      : settings_(settings), logs_(logs) {}
  void add(Log log);

  // The error says what is missing first, or that Kafka cannot be read. Reads to where the topics end when it
  // begins, whoever goes on writing; `tell` hears how far it is.
  Result<void> run(const std::function<void(uint64_t read, uint64_t all)>& tell = [](uint64_t, uint64_t) {});
  uint64_t events() const { return events_; }

  // Its parts: the events of the topics, in the order of each partition; and what must have come by then.
  Result<void> take(std::string_view topic, uint32_t partition, const Envelope& event);
  Result<void> finish() const;

 private:
  struct Place {  // in the events that a log has for a partition
    size_t next = 0;
    bool begun = false;
  };
  struct Topic {
    Log log;
    std::string name;
    std::vector<Place> places;
    uint64_t beyond = 0;  // highest position of after the log was read
  };
  Result<void> check_end(const Topic& topic) const;
  Result<void> check_beyond(const Topic& topic) const;

  const kafka::KafkaSettings& settings_;
  const HeardCheck& logs_;
  std::vector<Topic> topics_;
  uint64_t events_ = 0;
};

}  // namespace micropay::app
