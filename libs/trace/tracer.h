// Samples spans and sends them away, in batches, from a thread of its own: to an OpenTelemetry collector
// (OTLP over HTTP, JSON) or to Zipkin. A trace that comes from outside is recorded when its caller says so;
// of those that begin here, the part that trace.sampling says.
//
//   Tracer tracer(TRY(TraceSettings::read(settings).options()), system_clock());
//   tracer.start();
//   Span span = begin_span(tracer.sink(), {...});     // libs/base/trace.h
//
// Nothing waits for the target: spans queue up to a bound, beyond it they are dropped and counted
// (micropay_trace_spans_total{outcome}). A batch that the target does not take is tried again with growing
// pauses, then dropped.
#pragma once

#include <memory>
#include <string>

#include "libs/base/error.h"
#include "libs/base/live.h"
#include "libs/base/trace.h"

namespace micropay {

class Settings;

enum class TraceExporter : uint8_t { kNone, kOtlp, kZipkin };

struct TraceOptions {
  TraceExporter exporter = TraceExporter::kNone;
  std::string endpoint;                   // whole URL
  Live<int64_t> sampled_per_million = 0;  // copies share it
  size_t max_queued = 8'192;              // spans
  size_t batch = 512;
  Duration delay = kSecond;  // a span waits so long for others
  Duration timeout = 5 * kSecond;
  uint32_t attempts = 4;
  Duration first_pause = 500 * kMillisecond;  // doubles with each attempt
};

// trace.exporter, trace.endpoint, trace.sampling.
struct TraceSettings {
  std::string exporter, endpoint, sampling;
  Live<int64_t> per_million = 0;  // what trace.sampling says now: a live setting
  static TraceSettings read(Settings& settings);
  Result<TraceOptions> options() const;  // invalid_setting
};
// "0.01", "1", "0.5%": the part as millionths.
std::optional<int64_t> parse_sampling(std::string_view text);

class Tracer {
 public:
  Tracer(TraceOptions options, const Clock& clock);
  ~Tracer();  // stops

  // Null when nothing is exported.
  TraceSink* sink();
  void start();
  // Sends what is queued, for two seconds at most.
  void stop();
  // Live: of traces that begin from now on.
  void sample(int64_t per_million);
  size_t queued() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace micropay
