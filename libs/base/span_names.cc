#include "libs/base/span_names.h"

#include <fmt/format.h>

namespace micropay {

void name_rpc(Span& span, std::string_view full_name) {
  if (!span.recorded()) return;
  const size_t slash = full_name.find('/');
  span.rename(full_name);
  span.set("rpc.system", "grpc");
  span.set("rpc.service", full_name.substr(0, slash));
  if (slash != full_name.npos) span.set("rpc.method", full_name.substr(slash + 1));
}

void name_message(Span& span, const MessageOfSpan& message) {
  if (!span.recorded()) return;
  span.rename(fmt::format("{} {}", message.operation, message.topic));
  span.set("messaging.system", "kafka");
  span.set("messaging.operation.type", message.operation);
  span.set("messaging.operation.name", message.operation);
  span.set("messaging.destination.name", message.topic);
  span.set("messaging.message.id", message.event_id);
  span.set("cloudevents.event_type", message.event_type);
}

}  // namespace micropay
