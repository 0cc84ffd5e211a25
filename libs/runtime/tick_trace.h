// The spans of one tick: what its handlers did for traces that are recorded. They are told when the tick is
// durable; those of a tick that is run again did not happen. The engine thread's own.
#pragma once

#include <string>
#include <vector>

#include "libs/base/error.h"
#include "libs/base/trace.h"

namespace micropay {

class Envelope;

class TickTrace {
 public:
  explicit TickTrace(TraceSink* sink) : sink_(sink) {}

  // What the events of this input carry: the new span as their parent; when nothing is recorded, what came.
  // Good until the next call. One span at a time.
  std::string_view begin(const SpanStart& start) {
    if (sink_ == nullptr) return start.parent;
    return begin_recorded(start);
  }
  void set(std::string_view key, std::string_view value) {
    if (open_) spans_.back().set(key, value);
  }
  bool recording() const { return open_; }
  // The open span in OpenTelemetry's words: it serves a call of another process, or an event of a topic.
  void serves_call(std::string_view full_name);  // "micropay.payment.Payments/CreatePayment"
  void processes(std::string_view topic, const Envelope& envelope);
  enum class Until : uint8_t { kHandled, kDurable };
  template <typename T>
  void end(const Result<T>& result, Until until = Until::kHandled) {
    if (open_) end_recorded(result ? nullptr : &result.error(), until);
  }
  void committed();
  void discarded();

 private:
  std::string_view begin_recorded(const SpanStart& start);
  void end_recorded(const Error* error, Until until);

  TraceSink* const sink_;
  std::vector<Span> spans_;
  std::string traceparent_;
  bool open_ = false;
};

}  // namespace micropay
