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

bool LiveSession::may_hear(const contract::EventReaders& readers, bool own) const {
  if (wide && (readers.role_bits & principal.role_bits) != 0) return true;
  if (!own) return false;
  return principal.kind != Principal::Kind::kApiKey || readers.in_scope(principal.scopes);
}

void LiveLoop::index(LiveSession& session) {
  if (!session.authenticated()) return;
  by_user[session.principal.user_id].push_back(&session);
  if (!session.principal.session_id.empty()) by_session[session.principal.session_id].push_back(&session);
  if (session.wide) wide.push_back(&session);
}

void LiveLoop::forget(LiveSession& session) {
  std::erase(wide, &session);
  const auto forget_in = [&session](Index& index, const std::string& id) {
    const auto found = index.find(id);
    if (found == index.end()) return;
    std::erase(found->second, &session);
    if (found->second.empty()) index.erase(found);
  };
  forget_in(by_user, session.principal.user_id);
  forget_in(by_session, session.principal.session_id);
}

void LiveLoop::remove(LiveSession& session) {
  forget(session);
  if (sessions.erase(&session) > 0) count.fetch_sub(1);
}

std::vector<std::shared_ptr<LiveSession>> LiveLoop::of(const std::string& id) const {
  std::vector<std::shared_ptr<LiveSession>> found;
  for (const Index* index : {&by_user, &by_session})
    if (const auto at = index->find(id); at != index->end())
      for (LiveSession* session : at->second) found.push_back(sessions.at(session));
  return found;
}

ClientMessage parse_client_message(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // as of bodies
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
