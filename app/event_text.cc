// Events as text. Data of an event that this binary does not know is shown as its size. Names and
// descriptions come from everybody, and old ones were checked by nobody: what steers a terminal is an escape.
#include "app/event_text.h"

#include "libs/base/time.h"
#include "libs/base/unicode.h"
#include "libs/contract/json.h"

namespace micropay::app {
namespace {

std::string data_json(const Envelope& envelope) {
  const contract::Event* type = contract::model().event(envelope.type());
  if (type == nullptr) return fmt::format("{{\"unknownBytes\":{}}}", envelope.data().size());
  const auto message = type->make();
  if (!message->ParseFromString(envelope.data())) return "{\"damaged\":true}";
  return contract::to_json(*message);
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out += fmt::format(",\"{}\":", name);
  contract::append_json_string(out, value);
}

constexpr std::string_view kDim = "\033[2m", kBold = "\033[1m", kPlain = "\033[0m";

}  // namespace

std::string event_json(const Envelope& envelope) {
  std::string out = "{\"specversion\":\"1.0\"";
  append_member(out, "id", envelope.id());
  append_member(out, "source", "/" + envelope.service());
  append_member(out, "type", envelope.type());
  append_member(out, "subject", envelope.key());
  append_member(out, "time", format_time(envelope.time()));
  append_member(out, "datacontenttype", "application/json");
  append_member(out, "partitionkey", envelope.key());
  append_member(out, "correlationid", envelope.correlation_id());
  append_member(out, "causationid", envelope.causation_id());
  append_member(out, "traceparent", envelope.traceparent());
  append_member(out, "actor", envelope.actor());
  return printable_json(
      out + fmt::format(",\"position\":{},\"data\":{}}}", envelope.position(), data_json(envelope)));
}

std::string event_line(const Envelope& envelope, bool colours) {
  const auto style = [&](std::string_view code) { return colours ? code : std::string_view(); };
  return fmt::format("{:>8}  {}{}{}  {}{:<34}{}  {}  {}{}{}", envelope.position(), style(kDim),
                     format_time(envelope.time()), style(kPlain), style(kBold), printable(envelope.type()),
                     style(kPlain), printable(envelope.key()), style(kDim),
                     printable_json(data_json(envelope)), style(kPlain));
}

std::string event_page(const Envelope& envelope) { return pretty_json(event_json(envelope)); }

std::string pretty_json(std::string_view json) {
  std::string out;
  size_t depth = 0;
  bool in_string = false;
  const auto new_line = [&] { out += "\n" + std::string(depth * 2, ' '); };
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      out += c;
      if (c == '\\') out += json[++i];
      in_string = c != '"';
      continue;
    }
    const bool empty = i + 1 < json.size() && (json[i + 1] == '}' || json[i + 1] == ']');
    if (c == '{' || c == '[') {
      out += c;
      if (empty) out += json[++i];
      else ++depth, new_line();
    } else if (c == '}' || c == ']') {
      --depth, new_line();
      out += c;
    } else {
      in_string = c == '"';
      out += c;
      if (c == ':') out += ' ';
      if (c == ',') new_line();
    }
  }
  return printable_json(out) + "\n";
}

}  // namespace micropay::app
