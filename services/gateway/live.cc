// Opening, authenticating and ending live streams; handing events to them.
#include "services/gateway/live.h"

#include "libs/contract/json.h"
#include "services/gateway/access.h"
#include "services/gateway/event_json.h"
#include "services/gateway/live_session.h"

namespace micropay::gateway {
namespace {

constexpr Duration kAuthenticateWithin = 5 * kSecond;
constexpr Duration kRecheckEvery = 10 * kSecond;  // what nobody told of
constexpr uint16_t kUnauthenticated = 4401, kForbidden = 4403;
constexpr uint16_t kPolicy = 1008;
constexpr uint32_t kUpgradeRequired = 426;
constexpr size_t kMostUnread = 16;  // messages of a stream that is being authenticated
constexpr int kMostAsked = 3;

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

// False: the request is none that a stream could begin with, and was answered.
bool is_handshake(Exchange& exchange) {
  const HttpRequest& request = exchange.request();
  if (request.websocket) return true;
  bool asks = has_token(request.header("upgrade"), "websocket");
  if (asks && request.header("sec-websocket-version") == "13") {
    exchange.refuse({.code = Code::kInvalidArgument,
                     .reason = "malformed_handshake",
                     .detail = "The handshake is not as RFC 6455 4.1 says."});
    return false;
  }
  exchange.headers += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
  exchange.refuse(kUpgradeRequired,
                  {.reason = "upgrade_required", .detail = "This is a WebSocket (RFC 6455)."});
  return false;
}

// Token and position of the handshake.
Result<void> read_handshake(const HttpRequest& request, LiveSession& session) {
  if (const auto bearer = TRY(bearer_token(request))) session.token = *bearer;
  for (auto& [name, value] :
       parse_query(request.query).value_or(std::vector<std::pair<std::string, std::string>>())) {
    if (name == "access_token" && session.token.empty()) session.token = value;
    if (name != "from") continue;
    const auto from = parse_position(value);
    if (!from)
      return fail(Code::kInvalidArgument, "invalid_type", "from: must be a position in the log", "from");
    session.replay_from = std::max<uint64_t>(*from + 1, 1);
  }
  return {};
}

}  // namespace

LiveStreams::LiveStreams(Parts parts, size_t loops)
    : parts_(std::move(parts)),
      replays_(parts_.pool),
      open_(gauge("http_server_websockets", "Open live streams")) {
  for (size_t i = 0; i < loops; ++i) loops_.push_back(std::make_unique<LiveLoop>());
}

LiveStreams::~LiveStreams() = default;

// Guessing tokens costs the address what a handshake costs a user, as it does over REST.
void LiveStreams::handle(const ExchangePtr& exchange) {
  exchange->metrics = &metrics_;
  if (!parts_.rates.take_global(*exchange) || !is_handshake(*exchange)) return;
  auto session = std::make_shared<LiveSession>();
  session->address = address_of(exchange->request().remote_address);
  const auto read = read_handshake(exchange->request(), *session);
  if (!read || session->token.empty()) {
    if (!parts_.rates.take(*exchange, STANDARD, session->address)) return;
    return read ? accept(exchange, session) : exchange->refuse(read.error());
  }
  identify(session->token, exchange->responder().loop(),
           [this, exchange, session](const Result<Identity>& identity) {
             const std::string& caller = identity ? identity->principal.user_id : session->address;
             if (!parts_.rates.take(*exchange, STANDARD, caller)) return;
             if (auto open = may_open(identity); !open) return exchange->refuse(open.error());
             accept(exchange, session);
           });
}

// What is found out elsewhere may have been revoked by the time it is told here: then it is asked for again.
void LiveStreams::identify(std::string_view token, size_t loop, Callers::Found found) {
  if (auto known = parts_.callers.known(token)) return found(*std::move(known));
  auto ask = std::make_shared<std::function<void(int)>>();
  *ask = [this, loop, token = std::string(token), found = std::move(found),
          weak = std::weak_ptr(ask)](int left) {
    parts_.callers.ask(token, loop,
                       [this, token, found, left, again = weak.lock()](Result<Identity> identity) {
                         if (!identity) return found(std::move(identity));
                         if (auto known = parts_.callers.known(token)) return found(*std::move(known));
                         if (left > 0) return (*again)(left - 1);
                         found(std::unexpected(overloaded()));
                       });
  };
  (*ask)(kMostAsked);
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
  if (!session->token.empty()) authenticate(session, std::string(session->token), true);
}

void LiveStreams::closed(const LiveSessionPtr& session) {
  if (!session->socket) return;
  loops_[session->socket->loop()]->remove(*session);
  session->socket.reset();
  open_.add(-1);
  if (!session->authenticated()) return;
  const std::scoped_lock lock(mutex_);
  const auto found = streams_of_.find(session->principal.user_id);
  if (--found->second == 0) streams_of_.erase(found);
}

void LiveStreams::on_message(const LiveSessionPtr& session, std::string_view text) {
  if (session->asking) {  // who it is: what it says waits for that
    if (session->unread.size() >= kMostUnread) return session->socket->close(kPolicy, "Wait for ready.");
    session->unread.emplace_back(text);
    return;
  }
  const std::string& caller = session->authenticated() ? session->principal.user_id : session->address;
  if (auto refused = parts_.rates.refusal(READ, caller))
    return session->send_error(refused->reason, refused->detail);
  ClientMessage message = parse_client_message(text);
  if (message.type == "authenticate") return authenticate(session, message.access_token, false);
  if (message.type == "ping") return session->send(R"({"type":"pong"})");
  if (!session->authenticated()) return session->send_error("unauthenticated", "Send authenticate first.");
  if (message.type == "subscribe") return subscribe(*session, std::move(message.events));
  session->send_error(message.type.empty() ? "malformed_message" : "unknown_message",
                      "Known messages are authenticate, subscribe and ping.");
}

// Also while it runs: with a fresh token of the same user the stream lives on, as far as that token goes.
// `paid`: the handshake took from the limits already.
void LiveStreams::authenticate(const LiveSessionPtr& session, std::string_view token, bool paid) {
  session->asking = true;
  identify(token, session->socket->loop(),
           [this, session, paid, token = std::string(token)](const Result<Identity>& identity) {
             session->asking = false;
             if (!session->socket) return;  // it has ended meanwhile
             if (paid || within_rate(*session, identity)) identified(session, token, identity);
             for (const std::string& text : std::exchange(session->unread, {}))
               if (session->socket) on_message(session, text);
           });
}

bool LiveStreams::within_rate(const LiveSession& session, const Result<Identity>& identity) {
  const auto refused =
      parts_.rates.refusal(STANDARD, identity ? identity->principal.user_id : session.address);
  if (!refused) return true;
  session.send_error(refused->reason, refused->detail);
  if (!identity) session.socket->close(kUnauthenticated, "The token is not accepted.");
  return false;
}

Result<void> LiveStreams::may_open(const Result<Identity>& identity) const {
  if (!identity) return std::unexpected(identity.error());
  const Principal& principal = identity->principal;
  if (principal.kind != Principal::Kind::kApiKey || parts_.access.any_in_scope(principal.scopes)) return {};
  return fail(Code::kPermissionDenied, "forbidden", "The scopes of this API key open no events.");
}

bool LiveStreams::may_hear_all(const Principal& principal) const {
  return principal.kind == Principal::Kind::kUser && parts_.access.any_for_roles(principal.role_bits);
}

void LiveStreams::identified(const LiveSessionPtr& session, const std::string& token,
                             const Result<Identity>& identity) {
  const bool first = !session->authenticated();
  const bool other_user = identity && !first && identity->principal.user_id != session->principal.user_id;
  if (!identity || other_user) {
    session->send_error(identity ? "invalid_token" : identity.error().reason, "The token is not accepted.");
    return session->socket->close(kUnauthenticated, "The token is not accepted.");
  }
  if (auto open = may_open(identity); !open) {
    session->send_error(open.error().reason, open.error().detail);
    return session->socket->close(kForbidden, "The token opens no events.");
  }
  if (first && !admit(*session, identity->principal)) return;
  session->token = token;
  session->expires_at = identity->expires_at;
  session->recheck_at = parts_.clock.now() + kRecheckEvery;
  const bool narrowed = take_scope(session, identity->principal);
  session->send(fmt::format(R"({{"type":"ready","userId":"{}","position":{}}})", session->principal.user_id,
                            parts_.events.end_position() - 1));
  if (narrowed) session->send(subscribed_message(*session));
  if (first && session->replay_from > 0) start_replay(session);
}

bool LiveStreams::admit(LiveSession& session, const Principal& principal) {
  {
    const std::scoped_lock lock(mutex_);
    size_t& streams = streams_of_[principal.user_id];
    if (streams < parts_.max_streams_per_user) {
      ++streams;
      return true;
    }
  }
  session.send_error("too_many_streams", "Too many streams of this user are open.");
  session.socket->close(kPolicy, "Too many streams.");
  return false;
}

// The stream hears from now on what this principal may. True: it heard everybody's events, and no longer
// does.
bool LiveStreams::take_scope(const LiveSessionPtr& session, const Principal& principal) {
  LiveLoop& loop = *loops_[session->socket->loop()];
  const bool same =
      session->principal.role_bits == principal.role_bits && session->principal.scopes == principal.scopes;
  loop.forget(*session);
  session->principal = principal;
  const bool narrowed = session->wide && !may_hear_all(principal);
  if (narrowed) session->wide = false;
  loop.index(*session);
  // What is being read of the log is for the one before.
  if (!same && session->replaying) start_replay(session);
  return narrowed;
}

void LiveStreams::subscribe(LiveSession& session, std::vector<std::string> patterns) {
  if (patterns.empty()) return session.send_error("required", "events: \"*\" or a list of types");
  LiveLoop& loop = *loops_[session.socket->loop()];
  loop.forget(session);
  session.wide = may_hear_all(session.principal);
  loop.index(session);
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
    if (event->type == nullptr) continue;  // of a newer version: nobody knows whose it is
    const contract::EventReaders& readers = parts_.access.of(*event->type);
    EventText text;
    auto offer = [&](LiveSession& session, bool own) {
      if (!session.may_hear(readers, own) || !session.wants(event->envelope.type())) return;
      if (!text) text = event_text(*event);
      session.offer(event->envelope.position(), text);
    };
    for_each_audience(*event, [&](const std::string& user) {
      auto found = loop.by_user.find(user);
      if (found == loop.by_user.end()) return;
      for (LiveSession* session : found->second) offer(*session, true);
    });
    for (LiveSession* session : loop.wide) offer(*session, false);
  }
}

void LiveStreams::on_second(size_t index) {
  Time now = parts_.clock.now();
  std::vector<LiveSessionPtr> silent, expired, rechecked;  // closing may change the index
  for (auto& [key, session] : loops_[index]->sessions) {
    if (!session->authenticated()) {
      if (now >= session->authenticate_by) silent.push_back(session);
      continue;
    }
    if (session->expires_at != 0 && now >= session->expires_at) expired.push_back(session);
    else if (now >= session->recheck_at) rechecked.push_back(session);
  }
  for (auto& session : silent) end(*session, "unauthenticated");
  for (auto& session : expired) end(*session, "token_expired");
  for (auto& session : rechecked) recheck(session, Told::kByTime);
}

// The next events come behind this on the I/O threads: whoever is concerned does not hear them any more.
void LiveStreams::revoked(const std::string& id) {
  for (size_t i = 0; i < loops_.size(); ++i) {
    if (loops_[i]->count.load() == 0) continue;  // who comes later is asked afresh
    parts_.post(i, [this, &loop = *loops_[i], id] {
      for (const LiveSessionPtr& session : loop.of(id)) {
        if (!session->socket) continue;
        if (session->principal.session_id == id) end(*session, "invalid_token");
        else recheck(session, Told::kRevoked);
      }
    });
  }
}

// When nobody can say, it lives on, unless something was revoked: it was good ten seconds ago.
void LiveStreams::recheck(const LiveSessionPtr& session, Told why) {
  session->recheck_at = parts_.clock.now() + kRecheckEvery;
  identify(session->token, session->socket->loop(), [this, session, why](const Result<Identity>& identity) {
    if (!session->socket) return;
    const bool unknown = !identity && identity.error().code != Code::kUnauthenticated;
    if (unknown && why == Told::kByTime) return;
    if (!may_open(identity)) return end(*session, identity ? "forbidden" : "invalid_token");
    if (take_scope(session, identity->principal)) session->send(subscribed_message(*session));
  });
}

void LiveStreams::end(LiveSession& session, std::string_view code) {
  session.send_error(code, "The stream ends.");
  session.socket->close(kUnauthenticated, "Authenticate again.");
  loops_[session.socket->loop()]->forget(session);  // hears nothing while it says goodbye
}

}  // namespace micropay::gateway
