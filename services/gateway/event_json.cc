// The envelope's attributes in CloudEvents' names, our extensions after them.
#include "services/gateway/event_json.h"

#include "libs/contract/json.h"

namespace micropay::gateway {
namespace {

void append_attribute(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out.append(",\"").append(name).append("\":");
  contract::append_json_string(out, value);
}

}  // namespace

void append_event_json(std::string& out, const EventRecord& event) {
  const Envelope& envelope = event.envelope;
  out += R"({"specversion":"1.0")";
  append_attribute(out, "id", envelope.id());
  append_attribute(out, "source", "/" + envelope.service());
  append_attribute(out, "type", envelope.type());
  append_attribute(out, "subject", envelope.key());
  append_attribute(out, "time", format_time(envelope.time()));
  append_attribute(out, "datacontenttype", "application/json");
  append_attribute(out, "partitionkey", envelope.key());
  append_attribute(out, "correlationid", envelope.correlation_id());
  append_attribute(out, "causationid", envelope.causation_id());
  append_attribute(out, "traceparent", envelope.traceparent());
  fmt::format_to(std::back_inserter(out), ",\"position\":{},\"data\":", envelope.position());
  if (event.message) contract::append_json(out, *event.message);
  else out += "null";
  out += '}';
}

void for_each_audience(const EventRecord& event, const std::function<void(const std::string&)>& visit) {
  if (event.type == nullptr || !event.message) return;
  const auto* reflection = event.message->GetReflection();
  std::string scratch;
  for (const contract::FieldDescriptor* field : event.type->audience) {
    if (field->is_repeated()) {
      for (int i = 0; i < reflection->FieldSize(*event.message, field); ++i) {
        visit(reflection->GetRepeatedStringReference(*event.message, field, i, &scratch));
      }
    } else {
      const std::string& user = reflection->GetStringReference(*event.message, field, &scratch);
      if (!user.empty()) visit(user);
    }
  }
}

}  // namespace micropay::gateway
