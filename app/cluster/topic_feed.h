// The events of all services for a gateway that has no log of its own: read from the topics, for live streams
// and to know whose tokens were revoked. Remembers the last of them, so that a client that comes back gets
// what it missed.
//
// Positions here are times in microseconds, made to grow: so they mean the same, but for some events more or
// less, at every gateway.
#pragma once

#include <atomic>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "libs/kafka/tail.h"
#include "services/gateway/backend.h"

namespace micropay::app {

class TopicFeed final : public gateway::EventFeed {
 public:
  // `since`: events as old as that are read first.
  TopicFeed(const kafka::KafkaSettings& settings, std::vector<std::string> topics, Time since);
  ~TopicFeed() override;
  void start();
  // Called with every event, those of before the start included; before start().
  void on_any(std::function<void(const gateway::EventBatch&)> listener) { any_ = std::move(listener); }

  void on_committed(std::function<void(const gateway::EventBatch&)> listener) override {
    fresh_ = std::move(listener);
  }
  uint64_t end_position() const override { return next_; }
  Result<gateway::EventBatch> read_events(uint64_t position, size_t limit) const override;

 private:
  void run();
  void take(kafka::Tail& tail, const kafka::Consumed& first);
  void remember(const gateway::EventBatch& events);

  const kafka::KafkaSettings settings_;
  const std::vector<std::string> topics_;
  const Time since_, began_;
  std::function<void(const gateway::EventBatch&)> any_, fresh_;
  std::atomic<uint64_t> next_{1};
  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<const EventRecord>> recent_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace micropay::app
