// How far a service has taken in the topics of others, and the calls that wait for more of them
// (decisions/0010). The engine tells it after each commit, the dispatch of calls asks it and waits here
// without a thread; a call that waits too long goes on as it is.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <unordered_set>

#include "libs/base/time.h"
#include "libs/runtime/marks.h"

namespace micropay {

struct Service;

// What a service has taken in of others' topics. The engine tells; anybody asks.
class Watermarks {
 public:
  explicit Watermarks(const std::vector<Service>& services);

  // On the engine's thread, after a commit: of `name` ("source:payment/3") all is known up to `position`;
  // and, when all such of the commit are told, those who waited for them go on.
  void reached(std::string_view name, uint64_t position);
  void wake();
  // Whether all of these are known here, but for those that nobody here hears.
  bool cover(const Marks& marks) const;
  // Runs `go` once: when they are known, or in expire() after the deadline. It must not block, and comes on
  // any thread. False when too many wait already.
  bool wait_for(Marks marks, Time deadline, std::function<void(bool known)> go);
  // The same for whoever misses what he cannot name: when more is known than when `seen` was told().
  bool wait_for_more(uint64_t seen, Time deadline, std::function<void()> go);
  uint64_t told() const;  // how often something was reached
  // `ask` is called, with a lock held, when somebody begins to wait; before anybody can.
  void on_wait(std::function<void()> ask) { ask_ = std::move(ask); }
  bool anybody_waits() const { return count_.load(std::memory_order_relaxed) != 0; }
  void expire(Time now);
  void forget_waiting();  // nothing is run any more when it has returned, nor waits again

 private:
  struct Waiting {
    Marks marks;  // that are not known, or were not when it was looked last
    Time deadline;
    std::function<void(bool)> go;
    bool any = false;  // in place of marks: whatever comes
  };
  using Place = std::pair<const contract::Service*, uint32_t>;
  void add(Waiting waiting);  // with the lock
  bool hears(const Mark& mark) const;
  bool known(const Mark& mark) const;  // with the lock
  template <typename Chosen>
  void run_if(Chosen chosen, bool known);

  bool hears_all_ = false;
  std::vector<const contract::Service*> own_;
  std::unordered_set<uint32_t> heard_;
  mutable std::mutex mutex_;
  std::map<Place, uint64_t> positions_;  // guarded by mutex_
  std::vector<Waiting> waiting_;         // guarded by mutex_
  std::atomic<size_t> count_{0};         // of waiting_
  std::function<void()> ask_;
  uint64_t told_ = 0;    // guarded by mutex_
  bool closed_ = false;  // guarded by mutex_
};

// "source:payment/3", as a ConsumerRecord's key; null service when it is no such name.
std::pair<const contract::Service*, uint32_t> source_of(std::string_view name);

}  // namespace micropay
