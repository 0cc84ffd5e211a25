#include "libs/runtime/tick_trace.h"

namespace micropay {

std::string_view TickTrace::begin_recorded(const SpanStart& start) {
  Span span = begin_span(sink_, start);
  if (!span.recorded()) return start.parent;
  traceparent_ = span.traceparent();
  spans_.push_back(std::move(span));
  open_ = true;
  return traceparent_;
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
