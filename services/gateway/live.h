// The live stream at /ws: JSON messages, one event each, to those in the event's audience; staff may ask for
// more.
//
//   client                                              server
//   {"type":"authenticate","accessToken":"…"}           {"type":"ready","userId":"…","position":41}
//   {"type":"subscribe","events":["payment.*"]} {"type":"subscribed","scope":"own","events":["payment.*"]}
//   {"type":"ping"}                                     {"type":"pong"}
//                                                       {"type":"event","event":{CloudEvents}}
//                                                       {"type":"error","code":"…","detail":"…"}
//
// The token may also come as Authorization header or ?access_token=; else the first message brings it, within
// 5 s. `?from=<position>` sends what was missed since that position first.
//
// Who hears what is libs/contract/event_readers.h's, for events as they happen and for what was missed alike:
// what REST refuses is not heard. The scope is that of the newest token: another one of the same user may
// narrow it, one of somebody else ends the stream, and so do logout and revocation, at once. Handshakes,
// tokens and messages take from the same rate limits as requests do.
//
// Sockets are indexed by user on their own I/O thread: an event that concerns nobody who listens costs one
// look-up, however many sockets are open.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "libs/base/metrics.h"
#include "libs/contract/event_readers.h"
#include "services/gateway/backend.h"
#include "services/gateway/callers.h"
#include "services/gateway/exchange.h"
#include "services/gateway/rate_gate.h"
#include "services/gateway/replay_lines.h"

namespace micropay::gateway {

struct LiveSession;
using LiveSessionPtr = std::shared_ptr<LiveSession>;
struct LiveLoop;

class LiveStreams {
 public:
  struct Parts {
    EventFeed& events;
    Callers& callers;
    WorkerPool& pool;
    RateGate& rates;
    const contract::EventAccess& access;
    const Clock& clock;
    std::function<void(size_t loop, std::function<void()>)> post;  // to an I/O thread
    size_t max_streams_per_user;
  };
  LiveStreams(Parts parts, size_t loops);
  ~LiveStreams();

  void handle(const ExchangePtr& exchange);  // GET /ws, on its I/O thread
  void publish(const EventBatch& events);    // any one thread, in the order of the log
  void revoked(const std::string& id);       // a session, an API key, or a user; any thread
  void on_second(size_t loop);               // ends what has expired

 private:
  struct Replay;
  enum class Told : uint8_t { kByTime, kRevoked };  // why a token is looked at again
  void opened(const LiveSessionPtr& session, std::shared_ptr<WebSocket> socket);
  void closed(const LiveSessionPtr& session);
  void on_message(const LiveSessionPtr& session, std::string_view text);
  // Calls `found` with whose the token is, now or later, on the I/O thread.
  void identify(std::string_view token, size_t loop, Callers::Found found);
  void accept(const ExchangePtr& exchange, const LiveSessionPtr& session);
  void authenticate(const LiveSessionPtr& session, std::string_view token, bool paid);
  void identified(const LiveSessionPtr& session, const std::string& token, const Result<Identity>& identity);
  bool within_rate(const LiveSession& session, const Result<Identity>& identity);
  Result<void> may_open(const Result<Identity>& identity) const;
  bool may_hear_all(const Principal& principal) const;
  void recheck(const LiveSessionPtr& session, Told why);
  void end(LiveSession& session, std::string_view code);
  bool admit(LiveSession& session, const Principal& principal);
  bool take_scope(const LiveSessionPtr& session, const Principal& principal);
  void subscribe(LiveSession& session, std::vector<std::string> patterns);
  void deliver(LiveLoop& loop, const EventBatch& events);
  void start_replay(const LiveSessionPtr& session);
  bool read_missed(Replay& replay, const LiveSession& filter) const;
  void finish_replay(LiveSession& session, Replay&& replay);

  Parts parts_;
  ReplayLines replays_;
  RouteMetrics metrics_{"GET /ws"};
  Gauge& open_;
  std::vector<std::unique_ptr<LiveLoop>> loops_;
  std::mutex mutex_;
  std::unordered_map<std::string, size_t> streams_of_;  // by user, on all I/O threads; guarded by mutex_
};

}  // namespace micropay::gateway
