// What the gateway needs of the platform behind it: calls, and the events of the live streams. The services
// run in this process (LocalBackend), or elsewhere (remote_backend.h).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "libs/runtime/engine.h"
#include "libs/store/store.h"

namespace micropay {
class HttpServer;
class WorkerPool;
}  // namespace micropay

namespace micropay::gateway {

using EventBatch = std::vector<std::shared_ptr<const EventRecord>>;

// Commands and queries. `check_access` has been passed; the owner of a record is looked at here. Everything
// is called on I/O threads.
class Backend {
 public:
  virtual ~Backend() = default;
  // When the server's loops are there, before the first request comes.
  virtual Result<void> start(HttpServer& /*server*/) { return {}; }
  // After the server's loops have ended. Drops what waits: nothing is answered any more.
  virtual void stop() {}

  // Why a command would be refused for want of room, or of the service: asked before it is read, so that
  // refusing costs little.
  virtual std::optional<Error> refusal(const contract::Method& method) const = 0;
  // The answer, when it can be had on this thread without waiting; else none, and query() is to be asked.
  virtual std::optional<Result<Row>> query_now(const contract::Method& method, const Principal& principal,
                                               const contract::Message& request) = 0;
  // `ask.done` is called once, on any thread.
  virtual void query(Command ask) = 0;
  virtual void submit(Command command) = 0;
  virtual Engine::State state() const = 0;
};

// What was committed, in the order of a log.
class EventFeed {
 public:
  virtual ~EventFeed() = default;
  // Must not block; any one thread, in order. Before anything is committed.
  virtual void on_committed(std::function<void(const EventBatch&)> listener) = 0;
  virtual uint64_t end_position() const = 0;  // of the next event
  // From `position` on, at most `limit`. Any thread; may block.
  virtual Result<EventBatch> read_events(uint64_t position, size_t limit) const = 0;
};

// The engine and the store of this process.
class LocalBackend final : public Backend, public EventFeed {
 public:
  LocalBackend(Engine& engine, const Store& store, size_t query_threads);
  ~LocalBackend() override;
  void stop() override;

  std::optional<Error> refusal(const contract::Method&) const override;
  std::optional<Result<Row>> query_now(const contract::Method& method, const Principal& principal,
                                       const contract::Message& request) override;
  void query(Command ask) override;
  void submit(Command command) override;
  Engine::State state() const override { return engine_.state(); }

  void on_committed(std::function<void(const EventBatch&)> listener) override {
    engine_.on_committed(std::move(listener));
  }
  uint64_t end_position() const override { return store_.end().next_position; }
  Result<EventBatch> read_events(uint64_t position, size_t limit) const override {
    return store_.read_events(position, limit);
  }

 private:
  Engine& engine_;
  const Store& store_;
  std::unique_ptr<WorkerPool> pool_;  // lists, media and what the engine thread answers
};

Error overloaded();  // 503, and when to come again

}  // namespace micropay::gateway
