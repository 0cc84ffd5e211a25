// Counts and times calls by method and outcome: micropay_rpc_<side>_requests_total and _duration_seconds. A
// metric is registered when it is first needed. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "libs/base/metrics.h"
#include "libs/contract/model.h"

namespace micropay::rpc {

class CallMetrics {
 public:
  explicit CallMetrics(std::string side);  // "client", "server"
  // `code`: null when it went well.
  void record(const contract::Method& method, const Code* code, Duration took);

 private:
  static constexpr size_t kOutcomes = size_t(Code::kTooLarge) + 2;
  struct Slot {
    std::array<std::atomic<Counter*>, kOutcomes> counters{};
    std::atomic<Histogram*> durations{nullptr};
  };
  const std::string side_;
  std::vector<std::unique_ptr<Slot>> slots_;  // by method id
};

// micropay_rpc_connections_lost_total{side,reason}, with a log line. Idle connections that end are neither.
void record_loss(std::string_view side, std::string_view reason);

}  // namespace micropay::rpc
