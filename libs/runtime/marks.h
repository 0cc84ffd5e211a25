// How far a caller has seen the topics of services, so that other services answer it from no older state
// (decisions/0010): the engine makes marks of what a command led to, the gateway carries them, the calls'
// dispatch waits for them. Marks of what is not known here are left out: they delay, they never decide.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "libs/base/time.h"
#include "libs/contract/model.h"

namespace micropay {

struct Service;

constexpr size_t kMostMarks = 48;  // of a call; the highest position of each kind counts

// An event that was seen, or one before which all were: a position in a service's log.
struct Mark {
  const contract::Service* service = nullptr;  // whose topic
  uint32_t partition = 0;
  uint32_t type = 0;  // digest of the event's type: who does not hear it need not wait for it
  uint64_t position = 0;
};
using Marks = std::vector<Mark>;

uint32_t type_digest(std::string_view event_type);
void add_mark(Marks& marks, const Mark& mark);  // the higher position of two; beyond kMostMarks: none

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
  void expire(Time now);
  void forget_waiting();  // nothing is run any more when it has returned

 private:
  struct Waiting {
    Marks marks;  // that are not known, or were not when it was looked last
    Time deadline;
    std::function<void(bool)> go;
  };
  using Place = std::pair<const contract::Service*, uint32_t>;
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
};

// "source:payment/3", as a ConsumerRecord's key; null service when it is no such name.
std::pair<const contract::Service*, uint32_t> source_of(std::string_view name);

}  // namespace micropay
