#include "libs/runtime/tick_trace.h"

#include "libs/base/span_names.h"
#include "libs/store/envelope.h"

namespace micropay {

std::string_view TickTrace::begin_recorded(const SpanStart& start) {
  Span span = begin_span(sink_, start);
  if (!span.recorded()) return start.parent;
  traceparent_ = span.traceparent();
  spans_.push_back(std::move(span));
  open_ = true;
  return traceparent_;
}

void TickTrace::serves_call(std::string_view full_name) {
  if (open_) name_rpc(spans_.back(), full_name);
}

void TickTrace::processes(std::string_view topic, const Envelope& envelope) {
  if (!open_) return;
  name_message(
      spans_.back(),
      {.operation = "process", .topic = topic, .event_type = envelope.type(), .event_id = envelope.id()});
}

void TickTrace::end_recorded(const Error* error, Until until) {
  open_ = false;
  if (error != nullptr) spans_.back().fail(error->reason);
  if (until == Until::kHandled) spans_.back().ended_at(sink_->now());
}

void TickTrace::committed() {
  spans_.clear();  // each ends now, if it has not
}

void TickTrace::discarded() {
  for (Span& span : spans_) span.drop();
  spans_.clear();
  open_ = false;
}

}  // namespace micropay
