// From readings to figures, from figures to text.
#include "app/top_screen.h"

#include <cmath>

#include "app/console.h"

namespace micropay::app {
namespace {

constexpr std::string_view kPayments = R"(route="POST /api/v1/payments")";
constexpr std::string_view kRequests = "http_server_requests_total";
constexpr std::string_view kDurations = "http_server_request_duration_seconds";

// What two readings say; a process that was started anew in between counts from zero.
struct Readings {
  const MetricsText& before;
  const MetricsText& now;
  double seconds;

  double rate(std::string_view name, MetricsText::Labels labels = {}) const {
    const double end = now.sum(name, labels), begin = before.sum(name, labels);
    return (end >= begin ? end - begin : end) / seconds;
  }
  HistogramText histogram(std::string_view name, MetricsText::Labels labels = {}) const {
    return now.histogram(name, labels).since(before.histogram(name, labels));
  }
  TopFigures::Latency latency(MetricsText::Labels labels) const {
    const HistogramText took = histogram(kDurations, labels);
    return {took.count() / seconds, took.percentile(0.5), took.percentile(0.9), took.percentile(0.99)};
  }
};

std::string count(double value) { return grouped(uint64_t(std::llround(std::max(0.0, value)))); }

std::string ms(double seconds) {
  const double value = seconds * 1e3;
  return value >= 100 ? fmt::format("{:.0f} ms", value)
                      : fmt::format("{:.{}f} ms", value, value < 10 ? 2 : 1);
}

std::string duration(double seconds) {
  const auto whole = int64_t(seconds);
  if (whole < 120) return fmt::format("{} s", whole);
  if (whole < 7200) return fmt::format("{} min", whole / 60);
  return whole < 172'800 ? fmt::format("{} h", whole / 3600) : fmt::format("{} days", whole / 86'400);
}

std::string latency_text(const TopFigures::Latency& latency) {
  if (latency.rate <= 0) return "";
  return fmt::format("p50 {:<9} p90 {:<9} p99 {}", ms(latency.p50), ms(latency.p90), ms(latency.p99));
}

// A part of a line that is marked when it is not zero.
class Marks {
 public:
  explicit Marks(bool colours) : colours_(colours) {}
  std::string operator()(double value, const std::string& text) const {
    return colours_ && value > 0 ? "\033[33m" + text + "\033[0m" : text;
  }
  std::string heading(const std::string& text) const {
    return colours_ ? "\033[1m" + text + "\033[0m" : text;
  }

 private:
  bool colours_;
};

std::string projections_text(const TopFigures& figures) {
  std::string text;
  for (const auto& [service, lag] : figures.projections)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", service, count(lag));
  return text.empty() ? "none" : text + " ticks behind";
}

}  // namespace

TopFigures top_figures(const TopReading& from, const TopReading& to) {
  const MetricsText& now = to.metrics;
  const double seconds = std::max(double(to.at - from.at) / kSecond, 1e-3);
  const Readings read{from.metrics, now, seconds};
  TopFigures figures{.over_seconds = seconds};
  figures.payments = read.latency({kPayments});
  figures.requests = read.latency({});
  figures.completed = read.rate(kRequests, {kPayments, R"(status="201")"});
  figures.refused = read.rate(kRequests, {kPayments, R"(status="503")"});
  figures.failed = read.rate(kRequests, {kPayments, R"(status="4)"});
  figures.all_refused = read.rate(kRequests, {R"(status="503")"});
  figures.server_errors = read.rate(kRequests, {R"(status="5)"}) - figures.all_refused;
  figures.websockets = now.sum("http_server_websockets");
  figures.ticks = read.rate("micropay_engine_ticks_total");
  figures.events = read.rate("micropay_engine_events_total");
  const HistogramText inputs = read.histogram("micropay_engine_tick_inputs");
  figures.tick_inputs = inputs.mean(), figures.tick_inputs_p99 = inputs.percentile(0.99);
  figures.tick_handlers = read.histogram("micropay_engine_handlers_seconds").mean();
  const HistogramText commits = read.histogram("micropay_engine_commit_seconds");
  figures.tick_commit = commits.mean(), figures.tick_commit_p99 = commits.percentile(0.99);
  const HistogramText syncs = read.histogram("micropay_store_sync_seconds");
  figures.tick_sync = syncs.mean(), figures.tick_sync_p99 = syncs.percentile(0.99);
  figures.queued = now.sum("micropay_engine_queued_inputs");
  figures.followers_lag = now.sum("micropay_engine_followers_lag");
  figures.effects_pending = now.sum("micropay_engine_effects_pending");
  figures.deliveries_pending = now.sum("micropay_engine_deliveries_pending");
  figures.dead_letters = now.sum("micropay_engine_dead_letters_total");
  figures.unapplied_ticks = now.sum("micropay_store_unapplied_ticks");
  figures.cached_rows = now.sum("micropay_store_cached_rows");
  figures.log_bytes = now.sum("micropay_store_log_bytes");
  figures.table_bytes = now.sum("micropay_store_table_bytes");
  figures.projections = now.by_label("micropay_projection_lag_ticks", "service");
  figures.memory_bytes = now.sum("process_resident_memory_bytes");
  figures.cpu_cores = read.rate("process_cpu_seconds_total");
  figures.open_files = now.sum("process_open_fds");
  if (const double started = now.sum("process_start_time_seconds"); started > 0)
    figures.uptime_seconds = std::max(0.0, double(to.wall) / kSecond - started);
  return figures;
}

std::vector<std::string> top_screen(const std::string& address, const TopFigures& f, bool colours) {
  const Marks mark(colours);
  const auto per_second = [](double rate) { return count(rate) + "/s"; };
  std::vector<std::string> lines;
  const auto line = [&](std::string_view name, const std::string& text) {
    lines.push_back(fmt::format("{:<13}{}", name, text));
  };
  lines.push_back(mark.heading(fmt::format("MicroPay at {}, up {}, over {:.1f} s", address,
                                           duration(f.uptime_seconds), f.over_seconds)));
  lines.emplace_back();
  line("payments", fmt::format("{:<13} {}", per_second(f.completed), latency_text(f.payments)));
  line("", mark(f.failed, fmt::format("{} refused by rule", per_second(f.failed))) + ", " +
               mark(f.refused, fmt::format("{} for want of room", per_second(f.refused))));
  line("requests", fmt::format("{:<13} {}", per_second(f.requests.rate), latency_text(f.requests)));
  line("", mark(f.all_refused, fmt::format("503 {}", per_second(f.all_refused))) + ", " +
               mark(f.server_errors, fmt::format("other 5xx {}", per_second(f.server_errors))) +
               fmt::format(", {} live streams open", count(f.websockets)));
  lines.emplace_back();
  line("ticks", fmt::format("{:<13} {:.1f} inputs (p99 {}), {} events", per_second(f.ticks), f.tick_inputs,
                            count(f.tick_inputs_p99), per_second(f.events)));
  line("",
       fmt::format("handlers {}, commit {} (p99 {}), of it write and fsync {} (p99 {})", ms(f.tick_handlers),
                   ms(f.tick_commit), ms(f.tick_commit_p99), ms(f.tick_sync), ms(f.tick_sync_p99)));
  line("queues", fmt::format("engine {}, followers {} events, effects {}, deliveries ", count(f.queued),
                             count(f.followers_lag), count(f.effects_pending)) +
                     mark(f.deliveries_pending, count(f.deliveries_pending)) +
                     ", dead letters since the start " + mark(f.dead_letters, count(f.dead_letters)));
  lines.emplace_back();
  line("tables", fmt::format("{} ticks behind the log", count(f.unapplied_ticks)));
  line("projections", projections_text(f));
  line("disk", fmt::format("log {}, tables {}", bytes_text(uint64_t(f.log_bytes)),
                           bytes_text(uint64_t(f.table_bytes))));
  line("memory", fmt::format("{} resident, {} rows cached", bytes_text(uint64_t(f.memory_bytes)),
                             count(f.cached_rows)));
  line("process", fmt::format("{:.2f} cores, {} open files", f.cpu_cores, count(f.open_files)));
  return lines;
}

std::string top_json(const std::string& address, const TopFigures& f) {
  std::string out = fmt::format(R"({{"address":"{}")", address);
  const auto number = [&](std::string_view name, double value) {
    out += fmt::format(",\"{}\":{:.6g}", name, std::isfinite(value) ? value : 0.0);
  };
  const auto whole = [&](std::string_view name, double value) {
    out += fmt::format(",\"{}\":{:.0f}", name, value);
  };
  const auto latency = [&](const std::string& of, const TopFigures::Latency& value) {
    number(of + "P50Seconds", value.p50), number(of + "P90Seconds", value.p90);
    number(of + "P99Seconds", value.p99);
  };
  number("overSeconds", f.over_seconds), number("uptimeSeconds", f.uptime_seconds);
  number("paymentsPerSecond", f.completed), latency("payment", f.payments);
  number("paymentsFailedPerSecond", f.failed), number("paymentsRefusedPerSecond", f.refused);
  number("requestsPerSecond", f.requests.rate), latency("request", f.requests);
  number("refusedPerSecond", f.all_refused), number("serverErrorsPerSecond", f.server_errors);
  whole("webSockets", f.websockets);
  number("ticksPerSecond", f.ticks), number("eventsPerSecond", f.events);
  number("tickInputs", f.tick_inputs), number("tickInputsP99", f.tick_inputs_p99);
  number("tickHandlersSeconds", f.tick_handlers), number("tickCommitSeconds", f.tick_commit);
  number("tickCommitP99Seconds", f.tick_commit_p99), number("tickSyncSeconds", f.tick_sync);
  number("tickSyncP99Seconds", f.tick_sync_p99);
  whole("queuedInputs", f.queued), whole("followersLagEvents", f.followers_lag);
  whole("effectsPending", f.effects_pending), whole("deliveriesPending", f.deliveries_pending);
  whole("deadLetters", f.dead_letters), whole("unappliedTicks", f.unapplied_ticks);
  whole("cachedRows", f.cached_rows), whole("logBytes", f.log_bytes), whole("tableBytes", f.table_bytes);
  whole("memoryBytes", f.memory_bytes), number("cpuCores", f.cpu_cores), whole("openFiles", f.open_files);
  out += ",\"projectionLagTicks\":{";
  for (size_t i = 0; i < f.projections.size(); ++i)
    out += fmt::format("{}\"{}\":{:.0f}", i > 0 ? "," : "", f.projections[i].first, f.projections[i].second);
  return out + "}}";
}

}  // namespace micropay::app
