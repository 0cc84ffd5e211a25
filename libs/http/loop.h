// One I/O thread: its event loop, the sockets that live on it, a queue of jobs from other threads, a coarse
// clock. Internal to libs/http.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "libs/base/time.h"
#include "libs/http/server.h"

namespace boost::asio {
class io_context;
}

namespace micropay {

class Loop;

// What all I/O threads of a server share. Every connection holds it, so a Responder that is kept longer than
// its server stays harmless: there is still a loop with a queue, which nobody reads.
struct ServerCore {
  HttpOptions options;
  HttpHandler handler;
  std::atomic<size_t> connections{0};
  std::atomic<size_t> arriving_bytes{0};  // of bodies that are not complete
  std::atomic<bool> stopping{false};
  std::vector<std::unique_ptr<Loop>> loops;

  bool crowded() const { return connections > options.max_connections - options.max_connections / 8; }
};
using ServerCorePtr = std::shared_ptr<ServerCore>;

// Counts one connection of the server for as long as it lives; passed on when HTTP becomes WebSocket.
class ConnectionToken {
 public:
  explicit ConnectionToken(ServerCorePtr core) : core_(std::move(core)) { core_->connections.fetch_add(1); }
  ConnectionToken(ConnectionToken&& other) noexcept = default;
  ConnectionToken& operator=(ConnectionToken&&) = delete;
  ~ConnectionToken() {
    if (core_ != nullptr) core_->connections.fetch_sub(1);
  }

 private:
  ServerCorePtr core_;
};

// A socket of a loop. Everything is called on the loop's thread.
class LoopMember {
 public:
  virtual ~LoopMember() = default;
  virtual void on_tick(Time now) = 0;  // look at your deadlines
  virtual void finish_soon() = 0;      // the server stops: end when idle
  virtual void close() = 0;

 private:
  friend class Loop;
  size_t slot_ = SIZE_MAX;  // place in Loop::members_
};

class Loop {
 public:
  static constexpr size_t kScratchBytes = 64 << 10;

  Loop(size_t index, ServerCore& core);
  ~Loop();
  void start();
  void stop();  // ends the thread; waits for it

  void post(std::function<void()> job);  // any thread; one wake-up for all that are queued meanwhile
  bool here() const { return std::this_thread::get_id() == thread_.get_id(); }
  size_t index() const { return index_; }
  boost::asio::io_context& context() { return *context_; }

  // The rest only on the loop's own thread.
  void add(std::shared_ptr<LoopMember> member);
  void remove(LoopMember& member);  // may destroy it
  void each(const std::function<void(LoopMember&)>& visit);
  char* scratch() { return scratch_.get(); }  // for one read; empty again when its handler returns
  Time now() const { return now_; }           // for deadlines: stands still while the thread stalls
  const std::string& date_line() const { return date_line_; }

 private:
  struct Ticker;
  void run_jobs();
  void tick();

  size_t index_;
  ServerCore& core_;
  std::unique_ptr<boost::asio::io_context> context_;
  std::unique_ptr<Ticker> ticker_;
  std::unique_ptr<char[]> scratch_;
  std::vector<std::shared_ptr<LoopMember>> members_;
  Time now_ = 0;
  Time ticked_at_ = 0;
  Time last_second_ = 0;
  std::string date_line_;
  std::mutex mutex_;
  std::vector<std::function<void()>> jobs_;     // guarded by mutex_
  bool stopped_ = false;                        // guarded by mutex_: jobs are dropped
  std::vector<std::function<void()>> running_;  // being run; kept for its memory
  std::thread thread_;
};

// Takes over the file descriptors; each makes a LoopMember that lives until its peer or the server ends it.
void start_connection(ServerCorePtr core, Loop& loop, int fd, std::string remote_address);
struct WebSocketHandshake {
  std::string key;
  std::string subprotocol;
};
void start_websocket(ServerCorePtr core, Loop& loop, int fd, ConnectionToken token,
                     const WebSocketHandshake& handshake, WebSocketEvents events);

}  // namespace micropay
