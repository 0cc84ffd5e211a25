// Sessions of the live stream: what they want, what they are sent, how a loop finds them.
#include "services/gateway/live_session.h"

#include <simdjson.h>

#include "libs/contract/json.h"

namespace micropay::gateway {
namespace {

constexpr size_t kMaxHeld = 1'000;
constexpr size_t kMaxPatterns = 100;

}  // namespace

bool LiveSession::wants(std::string_view event_type) const {
  if (patterns.empty()) return true;
  return std::ranges::any_of(patterns, [&](std::string_view pattern) {
    if (!pattern.ends_with('*')) return event_type == pattern;
    return event_type.starts_with(pattern.substr(0, pattern.size() - 1));
  });
}

void LiveSession::send_error(std::string_view code, std::string_view detail) const {
  std::string text = R"({"type":"error","code":)";
  contract::append_json_string(text, code);
  text += ",\"detail\":";
  contract::append_json_string(text, detail);
  send(text + "}");
}

void LiveSession::offer(uint64_t position, const EventText& text) {
  if (position <= last_position) return;
  last_position = position;
  if (!replaying) return socket->send(text);
  if (held.size() < kMaxHeld) held.emplace_back(position, text);
  else socket->close(1013, "Too much happened while the missed events were read.");
}

void LiveLoop::index(LiveSession& session) { by_user[session.principal.user_id].push_back(&session); }

void LiveLoop::remove(LiveSession& session) {
  std::erase(wide, &session);
  auto found = by_user.find(session.principal.user_id);
  if (found != by_user.end()) {
    std::erase(found->second, &session);
    if (found->second.empty()) by_user.erase(found);
  }
  if (sessions.erase(&session) > 0) count.fetch_sub(1);
}

ClientMessage parse_client_message(std::string_view text) {
  static thread_local simdjson::dom::parser parser;
  ClientMessage message;
  simdjson::dom::object object;
  if (parser.parse(text.data(), text.size()).get_object().get(object)) return message;
  auto add_pattern = [&message](simdjson::dom::element value) {
    std::string_view pattern;
    if (message.events.size() < kMaxPatterns && !value.get_string().get(pattern))
      message.events.emplace_back(pattern);
  };
  for (auto [key, value] : object) {
    std::string_view word;
    bool is_text = !value.get_string().get(word);
    if (key == "type" && is_text) message.type = word;
    else if (key == "accessToken" && is_text) message.access_token = word;
    if (key != "events") continue;
    simdjson::dom::array items;
    if (value.get_array().get(items)) add_pattern(value);
    else
      for (auto item : items) add_pattern(item);
  }
  return message;
}

std::string subscribed_message(const LiveSession& session) {
  std::string text =
      fmt::format(R"({{"type":"subscribed","scope":"{}","events":[)", session.wide ? "all" : "own");
  for (const std::string& pattern : session.patterns) {
    if (!text.ends_with('[')) text += ',';
    contract::append_json_string(text, pattern);
  }
  if (session.patterns.empty()) text += "\"*\"";
  return text + "]}";
}

}  // namespace micropay::gateway
