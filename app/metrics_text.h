// Metrics as /metrics writes them (Prometheus' text format), read back, and what two readings say together:
//
//   const MetricsText now = parse_metrics(text);
//   now.sum("http_server_requests_total", {R"(status="503")"})
//   now.histogram("micropay_engine_commit_seconds").since(earlier).percentile(0.99)
//
// What is not there counts as zero, so a reader works with a platform of another version.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace micropay::app {

// Buckets by their upper bound (infinity for the last), each with its own count.
class HistogramText {
 public:
  void add(double upper_bound, double cumulative) { cumulative_[upper_bound] += cumulative; }
  void add_sum(double sum) { sum_ += sum; }

  // What was observed after `earlier`; everything when the process has started anew in between.
  HistogramText since(const HistogramText& earlier) const;
  double count() const { return cumulative_.empty() ? 0 : cumulative_.rbegin()->second; }
  double sum() const { return sum_; }
  double mean() const { return count() > 0 ? sum_ / count() : 0; }
  // By straight lines within the buckets; the last bound when it lies beyond, 0 when nothing was observed.
  double percentile(double part) const;

 private:
  std::map<double, double> cumulative_;
  double sum_ = 0;
};

class MetricsText {
 public:
  struct Sample {
    std::string name;
    std::string labels;  // `route="GET /ws",status="101"`
    double value;
  };
  using Labels =
      std::initializer_list<std::string_view>;  // each has to be among a sample's: R"(status="503")"

  explicit MetricsText(std::vector<Sample> samples = {}) : samples_(std::move(samples)) {}

  double sum(std::string_view name, Labels labels = {}) const;
  HistogramText histogram(std::string_view name, Labels labels = {}) const;
  // The values of one label of a gauge: {"audit", 12}, {"payment", 12}.
  std::vector<std::pair<std::string, double>> by_label(std::string_view name, std::string_view label) const;
  bool empty() const { return samples_.empty(); }

 private:
  std::vector<Sample> samples_;
};

// Lines that are none of the format are left out.
MetricsText parse_metrics(std::string_view text);

}  // namespace micropay::app
