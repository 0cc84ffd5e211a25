// Carries out effects on worker threads: when they are due, within the concurrency of their target, behind
// its breaker. The engine owns it and calls everything from its thread; only the workers' answers come from
// others.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "contracts/runtime.pb.h"
#include "libs/base/breaker.h"
#include "libs/base/time.h"
#include "libs/runtime/handlers.h"

namespace micropay {

class TraceSink;

struct EffectResult {
  std::string id;
  uint32_t attempt = 0;
  AnyOutcome outcome;
  bool accepted = false;  // the runner has been told; the tick that took it in is repeated
};

class EffectRunner {
 public:
  // Hands work to a worker; in tests it is run on the spot.
  using Executor = std::function<void(std::function<void()>)>;
  using Done = std::function<void(EffectResult)>;
  EffectRunner(const Handlers& handlers, Executor executor, Done done, TraceSink* traces = nullptr);
  ~EffectRunner();

  void add(const EffectRecord& record);  // new, or its row changed
  void remove(const std::string& id);
  void forget_waiting();  // all that no attempt is under way for
  // Starts what may start now.
  void dispatch(Time now);
  // An attempt ended: the breaker learns. False when it is not the attempt under way (it came late).
  bool finished(const EffectResult& result, Time now);
  // Attempts that outlived their policy's timeout, now of unknown outcome.
  std::vector<EffectResult> expired(Time now);
  Time next_due() const;  // INT64_MAX when nothing waits
  size_t pending() const { return waiting_.size() + running_.size(); }
  size_t running() const { return running_.size(); }

  // The error of an effect that was not carried out, because its row does not say what it is.
  static constexpr const char* kUnreadable = "unreadable_effect";
  static Duration backoff(const EffectPolicy& policy, uint32_t attempts, std::string_view id);

 private:
  struct Waiting {
    EffectRecord record;
    Time due = 0;
  };
  struct Running {
    std::string target;
    const EffectPolicy* policy = nullptr;
    uint32_t attempt = 0;
    Time deadline = 0;
  };
  struct Target {
    Breaker breaker;
    uint32_t running = 0;
  };
  void start(const EffectRecord& record, const Service::EffectHandler& handler, Time now);

  const Handlers& handlers_;
  Executor executor_;
  Done done_;
  TraceSink* const traces_;
  std::unordered_map<std::string, Waiting> waiting_;
  std::multimap<Time, std::string> due_;
  std::unordered_map<std::string, Running> running_;
  std::unordered_map<std::string, Target> targets_;
};

}  // namespace micropay
