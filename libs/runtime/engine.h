// The engine: collects inputs, runs their handlers in one tick, commits once, then answers.
//
//   Engine engine(options, store, system_clock(), services());
//   engine.start();                                  // its own thread; or call step() yourself (tests,
//   simulator) engine.submit({.method = m, .request = r, .done = [](Answer answer) {...}});
//   Result<MessagePtr> page = engine.query(m, principal, request);   // any thread
//   engine.drain(deadline);
//
// One thread, the engine's, runs every handler that changes state, so handlers need no locks and their order
// is the order of the log. A tick never waits for more input: while one commits, the next one's inputs
// gather.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libs/base/digest.h"
#include "libs/base/time.h"
#include "libs/runtime/marks.h"
#include "libs/runtime/service.h"
#include "libs/store/store.h"

namespace micropay {

class TraceSink;
class Watermarks;

struct Answer {
  Result<Row> result;     // the response message, or the error (a failed payment is an error, too)
  uint32_t status = 200;  // HTTP status of success: the method's, or 202 when it is not final yet
  bool replayed = false;  // the first answer to this idempotency key, again
  Marks marks = {};       // of the events that it led to, where EngineOptions::partition_of says
};

struct Command {
  const contract::Method* method = nullptr;
  MessagePtr request;  // validated
  Principal principal;
  std::string correlation_id;  // empty: made
  std::string traceparent;
  std::string idempotency_key;       // empty: none
  uint64_t sent_digest = 0;          // of its bytes, by which the last release knew it again; 0: none
  bool respond_async = false;        // do not wait for the final state
  uint64_t if_match = 0;             // ETag digest the resource must have; 0: none
  bool repeated = false;             // nobody knows what became of an earlier attempt of the same call
  Marks after = {};                  // what the caller has seen; the engine does not look at it
  bool judge_owner = false;          // nobody has asked authorize(): the engine does, in the tick
  std::function<void(Answer)> done;  // called once, on the engine thread: must not block
  // submit()'s own, with a key: what the request means, and where that is remembered (fingerprint.h)
  Digest128 fingerprint = {};
  std::string key_id = {};
};

struct EngineOptions {
  size_t max_queued = 10'000;  // inputs waiting; beyond: unavailable, at once
  size_t max_tick_inputs = 1'000;
  Duration wait_timeout = 10 * kSecond;  // of commands that await an event; then 202
  size_t prepare_threads = 2;
  size_t prepare_queued = 500;
  size_t effect_threads = 4;
  uint64_t seed = 0;  // of ids and randomness; 0: from the system
  // Of an event handler that fails, then dead letter; one that answers kUnavailable waits for something and
  // is tried until it is there.
  uint32_t delivery_attempts = 5;
  // Other instances write the same store: what they do is taken in (decisions/0008), and `follow` handlers
  // run in the tick of their event.
  bool shared_store = false;
  // Least time between the starts of two ticks: a busy instance makes few and large ones, and the first after
  // a pause starts at once. 0: as soon as there is something.
  Duration tick_interval = 0;
  // Whether nobody here waits for what other instances commit: then it is taken in once a second, or with the
  // next input. None: at once. Any thread.
  std::function<bool()> stands_by = {};
  // Where a key is in the topic of its service: answers carry marks then. None: there are no topics.
  std::function<uint32_t(std::string_view key)> partition_of = {};
  TraceSink* traces = nullptr;  // told what is done for traces that are recorded; null: nobody
  // The Kafka topic that a service's events came by, for their spans; none: nothing carries them.
  std::function<std::string(std::string_view service)> topic_of = {};
  // Carries out preparations and effects in place of worker threads; a simulator decides when.
  std::function<void(std::function<void()>)> run_elsewhere = {};
};

struct EngineStats {
  uint64_t ticks, inputs, events, queued, followers_lag, effects_pending, deliveries_pending, dead_letters,
      timers_pending, rejected_overload;
  double handler_seconds, commit_seconds;
};

class Engine {
 public:
  enum class State : uint8_t { kNew, kStarting, kRunning, kDraining, kStopped };

  Engine(const EngineOptions& options, Store& store, const Clock& clock, std::vector<Service> services);
  ~Engine();

  // Loads timers, effects, deliveries; runs seeds of a new folder.
  Result<void> open();
  void start();  // thread of its own
  // One tick with what is there; false when there was nothing to do. Not together with start().
  bool step();
  // Runs ticks until quiet, effects and preparations included (performed on this thread). For tests.
  void settle();
  void drain(Duration deadline);  // no new commands; waits for what runs
  State state() const;

  // Any thread. Answers through command.done; at once when the queue is full or the engine drains.
  void submit(Command command);
  // Whether submit would refuse for want of room: asked before a request is read, so that refusing costs
  // little.
  bool full() const;
  // An event of another process (or of a test), with its position there: handled once however often it comes,
  // because it has to be beyond the last one of its source and partition. The offset in the partition is
  // kept with the position (ConsumerRecord), so that a consumer knows where to go on.
  void deliver(std::shared_ptr<const EventRecord> event, uint32_t partition = 0, uint64_t offset = 0);
  // An event that nobody here hears: it does not become part of this log, but consumption goes on behind it.
  // Not needed for each; without any, what was passed since the last one heard is read again some day.
  void pass(std::shared_ptr<const EventRecord> event, uint32_t partition, uint64_t offset);
  // Waits for the answer. Not on the engine thread.
  Answer call(Command command);
  // Any thread, on a snapshot; on_engine methods are answered by the engine thread.
  Result<Row> query(const contract::Method& method, const Principal& principal,
                    const google::protobuf::Message& request);
  // Authorization of a call beyond its roles: the owner check. kNotFound when the record is another's.
  Result<void> authorize(const contract::Method& method, const Principal& principal,
                         const google::protobuf::Message& request);

  // Called on the engine thread after each commit with what was committed: live streams, metrics. Must not
  // block.
  void on_committed(std::function<void(const std::vector<std::shared_ptr<const EventRecord>>&)> listener);
  // Called on the engine thread after what other instances have committed was taken in. Must not block.
  void on_foreign_commit(std::function<void()> listener);
  EngineStats stats() const;
  // What is known here of other services' events.
  Watermarks& watermarks();
  Time next_due() const;  // when step() would have something to do without new input
  const std::vector<Service>& services() const;
  // The projector to give to the store; made from the same list of services.
  static std::unique_ptr<Projector> make_projector(const std::vector<Service>& services);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace micropay
