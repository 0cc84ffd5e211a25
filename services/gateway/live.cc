// Opening, authenticating and ending live streams; handing events to them.
#include "services/gateway/live.h"

#include "libs/contract/json.h"
#include "services/gateway/access.h"
#include "services/gateway/event_json.h"
#include "services/gateway/live_session.h"

namespace micropay::gateway {
namespace {

constexpr Duration kAuthenticateWithin = 5 * kSecond;
constexpr Duration kRecheckEvery = 10 * kSecond;
constexpr uint16_t kUnauthenticated = 4401;
constexpr uint16_t kPolicy = 1008;
constexpr uint32_t kUpgradeRequired = 426;
constexpr size_t kMostUnread = 16;  // messages of a stream that is being authenticated

EventText event_text(const EventRecord& event) {
  std::string text = R"({"type":"event","event":)";
  append_event_json(text, event);
  return std::make_shared<const std::string>(text + "}");
}

std::optional<uint64_t> parse_position(std::string_view text) {
  uint64_t value = 0;
  if (text.empty() || text.size() > 18) return {};
  for (char c : text) {
    if (c < '0' || c > '9') return {};
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  return value;
}

}  // namespace

LiveStreams::LiveStreams(Parts parts, size_t loops)
    : parts_(std::move(parts)), open_(gauge("http_server_websockets", "Open live streams")) {
  for (size_t i = 0; i < loops; ++i) loops_.push_back(std::make_unique<LiveLoop>());
}

LiveStreams::~LiveStreams() = default;

void LiveStreams::handle(const ExchangePtr& exchange) {
  const HttpRequest& request = exchange->request();
  exchange->metrics = &metrics_;
  bool asks = has_token(request.header("upgrade"), "websocket");
  if (!request.websocket && asks && request.header("sec-websocket-version") == "13") {
    return exchange->refuse({.code = Code::kInvalidArgument,
                             .reason = "malformed_handshake",
                             .detail = "The handshake is not as RFC 6455 4.1 says."});
  }
  if (!request.websocket) {
    exchange->headers += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
    return exchange->refuse(kUpgradeRequired,
                            {.reason = "upgrade_required", .detail = "This is a WebSocket (RFC 6455)."});
  }
  auto session = std::make_shared<LiveSession>();
  auto bearer = bearer_token(request);
  if (!bearer) return exchange->refuse(bearer.error());
  if (*bearer) session->token = **bearer;
  for (auto& [name, value] :
       parse_query(request.query).value_or(std::vector<std::pair<std::string, std::string>>())) {
    if (name == "access_token" && session->token.empty()) session->token = value;
    if (name != "from") continue;
    auto from = parse_position(value);
    if (!from) {
      return exchange->refuse({.code = Code::kInvalidArgument,
                               .reason = "invalid_type",
                               .detail = "from: must be a position in the log",
                               .field = "from"});
    }
    session->replay_from = std::max<uint64_t>(*from + 1, 1);
  }
  if (session->token.empty()) return accept(exchange, session);
  identify(session->token, exchange->responder().loop(),
           [this, exchange, session](const Result<Identity>& identity) {
             if (!identity) return exchange->refuse(identity.error());
             accept(exchange, session);
           });
}

void LiveStreams::identify(std::string_view token, size_t loop, Callers::Found found) {
  if (auto known = parts_.callers.known(token)) return found(*std::move(known));
  parts_.callers.ask(token, loop, std::move(found));
}

void LiveStreams::accept(const ExchangePtr& exchange, const LiveSessionPtr& session) {
  const HttpRequest& request = exchange->request();
  session->authenticate_by = parts_.clock.now() + kAuthenticateWithin;
  bool offered = has_token(request.header("sec-websocket-protocol"), "micropay.json");
  exchange->responder().accept(
      {.on_open = [this, session](std::shared_ptr<WebSocket> socket) { opened(session, std::move(socket)); },
       .on_message = [this, session](std::string_view text) { on_message(session, text); },
       .on_close = [this, session] { closed(session); }},
      offered ? "micropay.json" : "");
}

void LiveStreams::opened(const LiveSessionPtr& session, std::shared_ptr<WebSocket> socket) {
  session->socket = std::move(socket);
  LiveLoop& loop = *loops_[session->socket->loop()];
  loop.sessions.emplace(session.get(), session);
  loop.count.fetch_add(1);
  open_.add(1);
  metrics_.record(101, 0);
  if (!session->token.empty()) authenticate(session, std::string(session->token));
}

void LiveStreams::closed(const LiveSessionPtr& session) {
  if (!session->socket) return;
  loops_[session->socket->loop()]->remove(*session);
  session->socket.reset();
  open_.add(-1);
}

void LiveStreams::on_message(const LiveSessionPtr& session, std::string_view text) {
  if (session->asking) {  // who it is: what it says waits for that
    if (session->unread.size() >= kMostUnread) return session->socket->close(kPolicy, "Wait for ready.");
    session->unread.emplace_back(text);
    return;
  }
  ClientMessage message = parse_client_message(text);
  if (message.type == "authenticate") return authenticate(session, message.access_token);
  if (message.type == "ping") return session->send(R"({"type":"pong"})");
  if (!session->authenticated()) return session->send_error("unauthenticated", "Send authenticate first.");
  if (message.type == "subscribe") return subscribe(*session, std::move(message.events));
  session->send_error(message.type.empty() ? "malformed_message" : "unknown_message",
                      "Known messages are authenticate, subscribe and ping.");
}

// Also while it runs: with a fresh token of the same user the stream lives on.
void LiveStreams::authenticate(const LiveSessionPtr& session, std::string_view token) {
  session->asking = true;
  identify(token, session->socket->loop(),
           [this, session, token = std::string(token)](const Result<Identity>& identity) {
             session->asking = false;
             if (!session->socket) return;  // it has ended meanwhile
             identified(session, token, identity);
             for (const std::string& text : std::exchange(session->unread, {}))
               if (session->socket) on_message(session, text);
           });
}

void LiveStreams::identified(const LiveSessionPtr& session, const std::string& token,
                             const Result<Identity>& identity) {
  bool other_user =
      identity && session->authenticated() && identity->principal.user_id != session->principal.user_id;
  if (!identity || other_user) {
    session->send_error(identity ? "invalid_token" : identity.error().reason, "The token is not accepted.");
    return session->socket->close(kUnauthenticated, "The token is not accepted.");
  }
  bool first = !session->authenticated();
  session->token = token;
  session->expires_at = identity->expires_at;
  session->recheck_at = parts_.clock.now() + kRecheckEvery;
  if (first && !admit(session, *identity)) return;
  session->send(fmt::format(R"({{"type":"ready","userId":"{}","position":{}}})", session->principal.user_id,
                            parts_.events.end_position() - 1));
  if (first && session->replay_from > 0) start_replay(session);
}

bool LiveStreams::admit(const LiveSessionPtr& session, const Identity& identity) {
  LiveLoop& loop = *loops_[session->socket->loop()];
  auto others = loop.by_user.find(identity.principal.user_id);
  if (others != loop.by_user.end() && others->second.size() >= parts_.max_streams_per_user) {
    session->send_error("too_many_streams", "Too many streams of this user are open.");
    session->socket->close(kPolicy, "Too many streams.");
    return false;
  }
  session->principal = identity.principal;
  loop.index(*session);
  return true;
}

void LiveStreams::subscribe(LiveSession& session, std::vector<std::string> patterns) {
  LiveLoop& loop = *loops_[session.socket->loop()];
  if (patterns.empty()) return session.send_error("required", "events: \"*\" or a list of types");
  if (session.principal.staff() && !session.wide) {
    session.wide = true;
    loop.wide.push_back(&session);
  }
  if (std::ranges::count(patterns, "*") > 0) patterns.clear();
  session.patterns = std::move(patterns);
  session.send(subscribed_message(session));
}

void LiveStreams::publish(const EventBatch& events) {
  std::shared_ptr<const EventBatch> shared;
  for (size_t i = 0; i < loops_.size(); ++i) {
    if (loops_[i]->count.load(std::memory_order_relaxed) == 0 || events.empty()) continue;
    if (!shared) shared = std::make_shared<const EventBatch>(events);
    parts_.post(i, [this, &loop = *loops_[i], shared] { deliver(loop, *shared); });
  }
}

void LiveStreams::deliver(LiveLoop& loop, const EventBatch& events) {
  for (const auto& event : events) {
    EventText text;
    auto offer = [&](LiveSession& session) {
      if (!session.wants(event->envelope.type())) return;
      if (!text) text = event_text(*event);
      session.offer(event->envelope.position(), text);
    };
    for_each_audience(*event, [&](const std::string& user) {
      auto found = loop.by_user.find(user);
      if (found == loop.by_user.end()) return;
      for (LiveSession* session : found->second) offer(*session);
    });
    for (LiveSession* session : loop.wide) offer(*session);
  }
}

void LiveStreams::on_second(size_t index) {
  Time now = parts_.clock.now();
  std::vector<std::shared_ptr<LiveSession>> ending, rechecked;  // closing may change the index
  for (auto& [key, session] : loops_[index]->sessions) {
    if (!session->authenticated()) {
      if (now >= session->authenticate_by) ending.push_back(session);
      continue;
    }
    if (session->expires_at != 0 && now >= session->expires_at) ending.push_back(session);
    else if (now >= session->recheck_at) rechecked.push_back(session);
  }
  for (auto& session : ending) end(*session);
  for (auto& session : rechecked) recheck(session);
}

// When nobody can say, it lives on: it was good ten seconds ago.
void LiveStreams::recheck(const LiveSessionPtr& session) {
  session->recheck_at = parts_.clock.now() + kRecheckEvery;
  identify(session->token, session->socket->loop(), [this, session](const Result<Identity>& identity) {
    if (!identity && identity.error().code == Code::kUnauthenticated && session->socket) end(*session);
  });
}

void LiveStreams::end(LiveSession& session) {
  session.send_error(session.authenticated() ? "token_expired" : "unauthenticated", "The stream ends.");
  session.socket->close(kUnauthenticated, "Authenticate again.");
}

}  // namespace micropay::gateway
