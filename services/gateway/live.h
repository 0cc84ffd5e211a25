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
// 5 s.
// `?from=<position>` sends what was missed since that position first. Sockets are indexed by user on their
// own I/O thread: an event that concerns nobody who listens costs one look-up, however many sockets are open.
#pragma once

#include <atomic>
#include <memory>
#include <unordered_map>
#include <vector>

#include "libs/base/metrics.h"
#include "libs/http/worker_pool.h"
#include "services/gateway/backend.h"
#include "services/gateway/callers.h"
#include "services/gateway/exchange.h"

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
    const Clock& clock;
    std::function<void(size_t loop, std::function<void()>)> post;  // to an I/O thread
    size_t max_streams_per_user;                                   // on one I/O thread
  };
  LiveStreams(Parts parts, size_t loops);
  ~LiveStreams();

  void handle(const ExchangePtr& exchange);  // GET /ws, on its I/O thread
  void publish(const EventBatch& events);    // any one thread, in the order of the log
  void on_second(size_t loop);               // ends what has expired

 private:
  struct Replay;
  void opened(const LiveSessionPtr& session, std::shared_ptr<WebSocket> socket);
  void closed(const LiveSessionPtr& session);
  void on_message(const LiveSessionPtr& session, std::string_view text);
  // Calls `found` with whose the token is, now or later, on the I/O thread.
  void identify(std::string_view token, size_t loop, Callers::Found found);
  void accept(const ExchangePtr& exchange, const LiveSessionPtr& session);
  void authenticate(const LiveSessionPtr& session, std::string_view token);
  void identified(const LiveSessionPtr& session, const std::string& token, const Result<Identity>& identity);
  void recheck(const LiveSessionPtr& session);
  void end(LiveSession& session);
  bool admit(const LiveSessionPtr& session, const Identity& identity);
  void subscribe(LiveSession& session, std::vector<std::string> patterns);
  void deliver(LiveLoop& loop, const EventBatch& events);
  void start_replay(const LiveSessionPtr& session);
  Replay read_missed(uint64_t from, const LiveSession& filter) const;
  void finish_replay(LiveSession& session, Replay&& replay);

  Parts parts_;
  RouteMetrics metrics_{"GET /ws"};
  Gauge& open_;
  std::vector<std::unique_ptr<LiveLoop>> loops_;
};

}  // namespace micropay::gateway
