// What the live stream knows of one socket, and the messages that go over it. Used on the socket's I/O thread
// only.
#pragma once

#include <atomic>
#include <string>
#include <unordered_map>
#include <vector>

#include "libs/contract/event_readers.h"
#include "libs/http/server.h"
#include "libs/runtime/context.h"

namespace micropay::gateway {

using EventText = std::shared_ptr<const std::string>;

struct LiveSession {
  std::shared_ptr<WebSocket> socket;
  std::string token;
  std::string address;  // of the client, as limits count it
  Principal principal;  // kAnonymous until authenticated
  Time expires_at = 0;
  Time authenticate_by = 0;           // while anonymous
  bool asking = false;                // who it is
  std::vector<std::string> unread;    // what it said meanwhile
  Time recheck_at = 0;                // the token may have been revoked meanwhile
  bool wide = false;                  // staff: events of everybody
  std::vector<std::string> patterns;  // "payment.completed", "payment.*"; empty: every type
  uint64_t last_position = 0;         // an event with two audiences is sent once
  uint64_t replay_from = 0;           // 0: no replay asked for
  uint64_t replays = 0;               // begun; only the last of them counts
  bool replaying = false;             // live events are held until what was missed is sent
  std::vector<std::pair<uint64_t, EventText>> held;

  bool authenticated() const { return principal.kind != Principal::Kind::kAnonymous; }
  bool wants(std::string_view event_type) const;
  // `own`: its user is in the event's audience.
  bool may_hear(const contract::EventReaders& readers, bool own) const;
  void send(std::string text) const { socket->send(std::make_shared<const std::string>(std::move(text))); }
  void send_error(std::string_view code, std::string_view detail) const;
  void offer(uint64_t position, const EventText& text);
};

// The sockets of one I/O thread.
struct LiveLoop {
  std::atomic<size_t> count{0};  // read by the publisher
  std::unordered_map<LiveSession*, std::shared_ptr<LiveSession>> sessions;
  using Index = std::unordered_map<std::string, std::vector<LiveSession*>>;
  Index by_user, by_session;  // the latter by the id of what its token is of: a session, or an API key
  std::vector<LiveSession*> wide;

  void index(LiveSession& session);
  void forget(LiveSession& session);  // its events; it stays one of the sessions
  void remove(LiveSession& session);
  // Those of a user, session or API key.
  std::vector<std::shared_ptr<LiveSession>> of(const std::string& id) const;
};

// A message from the client; `type` is empty when it is not a JSON object with a type.
struct ClientMessage {
  std::string type;
  std::string access_token;
  std::vector<std::string> events;  // "*" is one of them, too
};
ClientMessage parse_client_message(std::string_view text);
std::string subscribed_message(const LiveSession& session);

}  // namespace micropay::gateway
