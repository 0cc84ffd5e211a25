// The registry of metrics and their text form. Registering and reading take a lock; counting does not.
#include "libs/base/metrics.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>

#include "libs/base/check.h"

namespace micropay {
namespace {

enum class Type : uint8_t { kCounter, kGauge, kHistogram };
constexpr const char* kTypeNames[] = {"counter", "gauge", "histogram"};

struct Callback {
  std::string labels;
  std::function<double()> value;
};

// All metrics of a name, by their label text: `outcome="completed"`.
struct Family {
  Type type;
  std::string help;
  int64_t units_per_shown = 1;  // 1'000'000 for a histogram of durations
  std::map<std::string, std::unique_ptr<Counter>> counters;
  std::map<std::string, std::unique_ptr<Gauge>> gauges;
  std::map<std::string, std::unique_ptr<Histogram>> histograms;
  std::map<uint64_t, Callback> callbacks;
};

struct Registry {
  std::mutex mutex;
  std::map<std::string, Family, std::less<>> families;
  uint64_t last_callback = 0;
};

// Never destroyed: threads may still count while the process ends.
Registry& registry() {
  static Registry& the_registry = *new Registry;
  return the_registry;
}

bool valid_name(std::string_view name, bool label) {
  if (name.empty() || (label && (name == "le" || name.starts_with("__")))) return false;
  if (name[0] >= '0' && name[0] <= '9') return false;
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

void escape(std::string& out, std::string_view text, bool quote) {
  for (const char c : text) {
    if (c == '\n') out += "\\n";
    else if (c == '\\' || (quote && c == '"')) (out += '\\') += c;
    else out += c;
  }
}

std::string label_text(const MetricLabels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    CHECK(valid_name(name, true));
    if (!out.empty()) out += ',';
    out += name + "=\"";
    escape(out, value, true);
    out += '"';
  }
  return out;
}

// The family of the name; the caller holds the lock.
Family& family(std::string_view name, std::string_view help, Type type, int64_t units_per_shown = 1) {
  CHECK(valid_name(name, false));
  CHECK(name.ends_with("_total") == (type == Type::kCounter));
  const auto [at, fresh] = registry().families.try_emplace(std::string(name));
  Family& found = at->second;
  if (fresh) found.type = type, found.help = help, found.units_per_shown = units_per_shown;
  CHECK(found.type == type && found.units_per_shown == units_per_shown);
  return found;
}

void sample(std::string& out, std::string_view name, std::string_view labels, std::string_view value) {
  out += name;
  if (!labels.empty()) ((out += '{') += labels) += '}';
  ((out += ' ') += value) += '\n';
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

void render_histogram(std::string& out, const std::string& name, const std::string& labels,
                      const Histogram& histogram, int64_t units_per_shown) {
  const std::vector<uint64_t> counts = histogram.counts();
  const std::string prefix = labels.empty() ? "" : labels + ",";
  const auto shown = [&](int64_t value) { return number(double(value) / double(units_per_shown)); };
  uint64_t total = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    total += counts[i];
    const std::string bound = i < histogram.bounds().size() ? shown(histogram.bounds()[i]) : "+Inf";
    sample(out, name + "_bucket", fmt::format("{}le=\"{}\"", prefix, bound), fmt::to_string(total));
  }
  sample(out, name + "_sum", labels, shown(histogram.sum()));
  sample(out, name + "_count", labels, fmt::to_string(total));
}

void render_family(std::string& out, const std::string& name, const Family& family) {
  out += fmt::format("# HELP {} ", name);
  escape(out, family.help, false);
  out += fmt::format("\n# TYPE {} {}\n", name, kTypeNames[size_t(family.type)]);
  for (const auto& [labels, counter] : family.counters)
    sample(out, name, labels, fmt::to_string(counter->value()));
  for (const auto& [labels, histogram] : family.histograms)
    render_histogram(out, name, labels, *histogram, family.units_per_shown);
  std::map<std::string, double> gauges;
  for (const auto& [labels, gauge] : family.gauges) gauges[labels] += double(gauge->value());
  for (const auto& [id, callback] : family.callbacks) gauges[callback.labels] += callback.value();
  for (const auto& [labels, value] : gauges) sample(out, name, labels, number(value));
}

// When this process began: the boot's time and the process's own since then, in clock ticks.
double started_at() {
  std::string line, word;
  std::getline(std::ifstream("/proc/self/stat") >> std::ws, line);
  const size_t name_end = line.rfind(')');
  std::istringstream fields(name_end == line.npos ? "" : line.substr(name_end + 1));
  for (int field = 3; field <= 22 && fields >> word; ++field) continue;  // the 22nd; the name was the second
  double boot = 0;
  for (std::ifstream stat("/proc/stat"); stat >> line;)
    if (line == "btime") stat >> boot;
  if (!fields || boot == 0) return 0;
  return boot + std::strtod(word.c_str(), nullptr) / double(sysconf(_SC_CLK_TCK));
}

// The usual names of Prometheus' client libraries, read from Linux at the time of asking.
void render_process(std::string& out) {
  const auto plain = [&out](const char* name, const char* type, const char* help, double value) {
    out += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
    sample(out, name, "", number(value));
  };
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return double(time.tv_sec) + double(time.tv_usec) / 1e6; };
  plain("process_cpu_seconds_total", "counter", "CPU time spent, user and system",
        seconds(usage.ru_utime) + seconds(usage.ru_stime));
  double pages_virtual = 0, pages_resident = 0;
  std::ifstream("/proc/self/statm") >> pages_virtual >> pages_resident;
  const double page_bytes = double(sysconf(_SC_PAGESIZE));
  plain("process_virtual_memory_bytes", "gauge", "Virtual memory", pages_virtual * page_bytes);
  plain("process_resident_memory_bytes", "gauge", "Resident memory", pages_resident * page_bytes);
  if (const double started = started_at(); started > 0)
    plain("process_start_time_seconds", "gauge", "When the process began, in seconds since 1970", started);
  if (DIR* folder = opendir("/proc/self/fd")) {
    int files = -3;  // ".", ".." and the folder itself
    while (readdir(folder) != nullptr) ++files;
    closedir(folder);
    plain("process_open_fds", "gauge", "Open file descriptors", files);
  }
}

}  // namespace

Histogram::Histogram(std::vector<int64_t> bounds)
    : bounds_(std::move(bounds)), buckets_(new std::atomic<uint64_t>[bounds_.size() + 1]()) {
  CHECK(std::ranges::is_sorted(bounds_, std::less_equal()));
}

std::vector<uint64_t> Histogram::counts() const {
  std::vector<uint64_t> counts(bounds_.size() + 1);
  for (size_t i = 0; i < counts.size(); ++i) counts[i] = buckets_[i].load(std::memory_order_relaxed);
  return counts;
}

uint64_t Histogram::count() const {
  uint64_t total = 0;
  for (const uint64_t count : counts()) total += count;
  return total;
}

Counter& counter(std::string_view name, std::string_view help, const MetricLabels& labels) {
  const std::lock_guard lock(registry().mutex);
  auto& metric = family(name, help, Type::kCounter).counters[label_text(labels)];
  if (!metric) metric = std::make_unique<Counter>();
  return *metric;
}

Gauge& gauge(std::string_view name, std::string_view help, const MetricLabels& labels) {
  const std::lock_guard lock(registry().mutex);
  auto& metric = family(name, help, Type::kGauge).gauges[label_text(labels)];
  if (!metric) metric = std::make_unique<Gauge>();
  return *metric;
}

Histogram& duration_histogram(std::string_view name, std::string_view help, const MetricLabels& labels) {
  CHECK(name.ends_with("_seconds"));
  const std::lock_guard lock(registry().mutex);
  auto& metric = family(name, help, Type::kHistogram, kSecond).histograms[label_text(labels)];
  if (!metric)
    metric = std::make_unique<Histogram>(
        std::vector<int64_t>{50, 100, 250, 500, 1'000, 2'500, 5'000, 10'000, 25'000, 50'000, 100'000, 250'000,
                             500'000, 1 * kSecond, 5 * kSecond / 2, 5 * kSecond, 10 * kSecond});
  return *metric;
}

Histogram& histogram(std::string_view name, std::string_view help, const MetricLabels& labels,
                     std::vector<int64_t> bounds) {
  const std::lock_guard lock(registry().mutex);
  auto& metric = family(name, help, Type::kHistogram).histograms[label_text(labels)];
  if (!metric) metric = std::make_unique<Histogram>(std::move(bounds));
  return *metric;
}

GaugeCallback gauge_callback(std::string_view name, std::string_view help, const MetricLabels& labels,
                             std::function<double()> value) {
  const std::lock_guard lock(registry().mutex);
  Family& found = family(name, help, Type::kGauge);
  const uint64_t id = ++registry().last_callback;
  found.callbacks[id] = {label_text(labels), std::move(value)};
  return GaugeCallback(id);
}

GaugeCallback::~GaugeCallback() {
  if (id_ == 0) return;
  const std::lock_guard lock(registry().mutex);
  for (auto& [name, family] : registry().families) family.callbacks.erase(id_);
}

std::string render_metrics() {
  std::string out;
  {
    const std::lock_guard lock(registry().mutex);
    for (const auto& [name, family] : registry().families) render_family(out, name, family);
  }
  render_process(out);
  return out;
}

}  // namespace micropay
