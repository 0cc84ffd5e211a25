// Metrics for Prometheus: a value is one relaxed atomic, so that hot paths may count. Register once, keep the
// reference:
//
//   Counter& completed_ = counter("micropay_payments_total", "Payments by outcome", {{"outcome",
//   "completed"}}); completed_.add();
//
// Names follow OpenMetrics: counters end in _total, times are in _seconds, sizes in _bytes. Labels are fixed
// at registration and come from small closed sets: never an id. The same name and labels give the same
// metric; a name with another type, or one that is malformed, ends the process. Metrics live as long as the
// process.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/base/time.h"

namespace micropay {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class Counter {
 public:
  void add(uint64_t count = 1) { value_.fetch_add(count, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

class Gauge {
 public:
  void set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void add(int64_t change) { value_.fetch_add(change, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

class Histogram {
 public:
  // Upper bounds, ascending; a last bucket without bound is added.
  explicit Histogram(std::vector<int64_t> bounds);

  void observe(int64_t value) {
    size_t bucket = 0;
    while (bucket < bounds_.size() && value > bounds_[bucket]) ++bucket;
    buckets_[bucket].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
  }
  const std::vector<int64_t>& bounds() const { return bounds_; }
  std::vector<uint64_t> counts() const;  // a bucket each, not cumulative
  uint64_t count() const;
  int64_t sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  std::vector<int64_t> bounds_;
  std::unique_ptr<std::atomic<uint64_t>[]> buckets_;
  std::atomic<int64_t> sum_{0};
};

Counter& counter(std::string_view name, std::string_view help, const MetricLabels& labels = {});
Gauge& gauge(std::string_view name, std::string_view help, const MetricLabels& labels = {});
// Observes Durations (microseconds), shown in seconds; the name ends in _seconds. Buckets from 50 µs to 10 s.
Histogram& duration_histogram(std::string_view name, std::string_view help, const MetricLabels& labels = {});
// Observes plain numbers: inputs of a tick, bytes of a body.
Histogram& histogram(std::string_view name, std::string_view help, const MetricLabels& labels,
                     std::vector<int64_t> bounds);

// A gauge whose value is asked for when metrics are read; the handle's end removes it. Several with the same
// name and labels are summed. The callback may not register metrics.
class [[nodiscard]] GaugeCallback {
 public:
  GaugeCallback() = default;
  explicit GaugeCallback(uint64_t id) : id_(id) {}
  GaugeCallback(GaugeCallback&& other) noexcept : id_(std::exchange(other.id_, 0)) {}
  GaugeCallback& operator=(GaugeCallback&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  ~GaugeCallback();

 private:
  uint64_t id_ = 0;
};
GaugeCallback gauge_callback(std::string_view name, std::string_view help, const MetricLabels& labels,
                             std::function<double()> value);

// Everything, with the process's own CPU time, memory, files and start time, in text exposition format 0.0.4.
std::string render_metrics();

}  // namespace micropay
