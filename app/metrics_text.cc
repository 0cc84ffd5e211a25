// Reading the text format: `name{labels} value`, comments begin with #.
#include "app/metrics_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

namespace micropay::app {
namespace {

std::optional<double> parse_value(std::string_view text) {
  if (text == "+Inf") return std::numeric_limits<double>::infinity();
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || std::isnan(value)) return {};
  return value;
}

// The value of a label in `a="x",b="y"`; ours have no escapes in what is asked for.
std::string_view label_value(std::string_view labels, std::string_view name) {
  const std::string wanted = std::string(name) + "=\"";
  for (size_t at = labels.find(wanted); at != labels.npos; at = labels.find(wanted, at + 1)) {
    if (at > 0 && labels[at - 1] != ',') continue;  // the end of a longer name
    const size_t from = at + wanted.size();
    return labels.substr(from, labels.find('"', from) - from);
  }
  return {};
}

bool has_all(std::string_view labels, MetricsText::Labels wanted) {
  return std::ranges::all_of(wanted,
                             [&](std::string_view label) { return labels.find(label) != labels.npos; });
}

}  // namespace

HistogramText HistogramText::since(const HistogramText& earlier) const {
  if (earlier.count() > count()) return *this;
  HistogramText difference = *this;
  difference.sum_ -= earlier.sum_;
  for (auto& [bound, cumulative] : difference.cumulative_) {
    const auto before = earlier.cumulative_.find(bound);
    if (before != earlier.cumulative_.end()) cumulative -= before->second;
  }
  return difference;
}

double HistogramText::percentile(double part) const {
  const double wanted = part * count();
  double below = 0, lower = 0;
  for (const auto& [bound, cumulative] : cumulative_) {
    if (cumulative >= wanted && cumulative > below) {
      if (std::isinf(bound)) return lower;
      return lower + (bound - lower) * (wanted - below) / (cumulative - below);
    }
    below = cumulative;
    lower = bound;
  }
  return 0;
}

double MetricsText::sum(std::string_view name, Labels labels) const {
  double total = 0;
  for (const Sample& sample : samples_)
    if (sample.name == name && has_all(sample.labels, labels)) total += sample.value;
  return total;
}

HistogramText MetricsText::histogram(std::string_view name, Labels labels) const {
  HistogramText found;
  for (const Sample& sample : samples_) {
    if (!sample.name.starts_with(name) || !has_all(sample.labels, labels)) continue;
    const std::string_view kind = std::string_view(sample.name).substr(name.size());
    if (kind == "_sum") found.add_sum(sample.value);
    if (kind != "_bucket") continue;
    if (const auto bound = parse_value(label_value(sample.labels, "le"))) found.add(*bound, sample.value);
  }
  return found;
}

std::vector<std::pair<std::string, double>> MetricsText::by_label(std::string_view name,
                                                                  std::string_view label) const {
  std::vector<std::pair<std::string, double>> found;
  for (const Sample& sample : samples_)
    if (sample.name == name) found.emplace_back(label_value(sample.labels, label), sample.value);
  return found;
}

MetricsText parse_metrics(std::string_view text) {
  std::vector<MetricsText::Sample> samples;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t space = line.rfind(' ');
    if (line.starts_with('#') || space == line.npos) continue;
    const auto value = parse_value(line.substr(space + 1));
    if (!value) continue;
    const std::string_view series = line.substr(0, space);
    const size_t brace = std::min(series.find('{'), series.size());
    std::string_view labels = series.substr(brace);
    if (labels.size() >= 2) labels = labels.substr(1, labels.size() - 2);
    samples.push_back({std::string(series.substr(0, brace)), std::string(labels), *value});
  }
  return MetricsText(std::move(samples));
}

}  // namespace micropay::app
