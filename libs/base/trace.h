// Distributed traces: the W3C Trace Context that travels with a request, and spans, what a part of the
// platform did for it. libs/trace samples and exports them; with no sink, or for what is not sampled, all of
// this costs a comparison.
//
//   Span span = begin_span(sink, {.name = "CreatePayment", .service = "payment", .parent = traceparent});
//   command.traceparent = span.traceparent_or(traceparent);   // what follows is below this span
//   if (!result) span.fail(result.error().reason);
//   span.end();                                               // or its end of life
//
// A span belongs to one thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/time.h"

namespace micropay {

constexpr size_t kTraceparentSize = 55;  // 00-<32 hex>-<16 hex>-<2 hex>

struct TraceContext {
  std::array<uint64_t, 2> trace_id{};
  uint64_t span_id = 0;
  bool sampled = false;  // who began the trace wants to see it whole
};

// None when it is not of the form that W3C Trace Context demands, or its ids are zero.
std::optional<TraceContext> parse_traceparent(std::string_view text);
std::string format_traceparent(const TraceContext& context);
// Of a text that parse_traceparent takes.
inline bool traceparent_sampled(std::string_view text) {
  if (text.size() != kTraceparentSize) return false;
  const char flags = text.back();
  return ((flags <= '9' ? flags - '0' : flags - 'a' + 10) & 1) != 0;
}
// A tracestate that may be passed on: visible, at most 512 characters and 32 members; else empty.
std::string_view valid_tracestate(std::string_view text);

enum class SpanKind : uint8_t { kInternal = 1, kServer, kClient, kProducer, kConsumer };

struct SpanAttribute {
  std::string_view key;  // a literal
  std::string text;      // of text; else empty
  int64_t number = 0;
};

struct SpanRecord {
  static constexpr size_t kMaxAttributes = 16, kMaxLinks = 8, kMaxTextBytes = 256;

  TraceContext context;
  uint64_t parent_span_id = 0;  // 0: the first of its trace
  std::string name;
  std::string service;  // "payment"
  SpanKind kind = SpanKind::kInternal;
  Time began = 0, ended = 0;
  std::vector<SpanAttribute> attributes;
  std::vector<TraceContext> links;
  std::string tracestate;
  std::string failure;  // empty: it went well
};

// Where spans go. Any thread.
class TraceSink {
 public:
  virtual ~TraceSink() = default;
  virtual bool sample_root() = 0;     // whether a trace that begins here is recorded
  virtual uint64_t new_number() = 0;  // for ids; never 0
  virtual Time now() const = 0;
  virtual void take(std::unique_ptr<SpanRecord> span) = 0;  // must not block
};

struct SpanStart {
  std::string_view name;     // of few: "POST /api/v1/payments", never with an id
  std::string_view service;  // who does it
  SpanKind kind = SpanKind::kInternal;
  std::string_view parent = {};  // a traceparent; empty or invalid: a trace begins, if the sink wants one
  bool may_begin_trace = true;   // false: only below a parent
};

class Span {
 public:
  Span() = default;  // not recorded
  Span(TraceSink& sink, std::unique_ptr<SpanRecord> record) : sink_(&sink), record_(std::move(record)) {}
  Span(Span&&) noexcept = default;
  Span& operator=(Span&& other) noexcept {
    end();
    sink_ = other.sink_;
    record_ = std::move(other.record_);
    return *this;
  }
  ~Span() {
    if (record_) end();
  }

  bool recorded() const { return record_ != nullptr; }
  // Empty when it is not recorded.
  std::string traceparent() const { return record_ ? format_traceparent(record_->context) : std::string(); }
  std::string traceparent_or(std::string_view incoming) const {
    return record_ ? format_traceparent(record_->context) : std::string(incoming);
  }

  // Beyond what a record may hold, they are left out or cut.
  void set(std::string_view key, std::string_view value);
  void set(std::string_view key, const char* value) { set(key, std::string_view(value)); }
  void set(std::string_view key, int64_t value);
  void rename(std::string_view name);
  void link(std::string_view traceparent);
  void tracestate(std::string_view text);
  void fail(std::string_view what);
  void ended_at(Time time);  // end() will say so, whenever it is called
  void end();
  void drop() { record_.reset(); }  // it did not happen

 private:
  TraceSink* sink_ = nullptr;
  std::unique_ptr<SpanRecord> record_;
};

namespace detail {
Span record_span(TraceSink& sink, const SpanStart& start);
}

inline Span begin_span(TraceSink* sink, const SpanStart& start) {
  if (sink == nullptr) return {};
  // A parent decides; without one the sink does.
  if (start.parent.empty() ? !start.may_begin_trace : !traceparent_sampled(start.parent)) return {};
  return detail::record_span(*sink, start);
}

}  // namespace micropay
