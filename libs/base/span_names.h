// Spans between processes by OpenTelemetry's semantic conventions, so that other people's tools know what
// they see: name and attributes of a gRPC call, and of an event on its way through a Kafka topic. For whoever
// begins such a span; what is not recorded costs nothing.
#pragma once

#include "libs/base/trace.h"

namespace micropay {

// `full_name` as gRPC has it: "micropay.PaymentService/CreatePayment".
void name_rpc(Span& span, std::string_view full_name);

struct MessageOfSpan {
  std::string_view operation;  // send, process
  std::string_view topic, event_type, event_id;
};
void name_message(Span& span, const MessageOfSpan& message);

}  // namespace micropay
