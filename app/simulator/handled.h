// Whether each event that became durable went to each of its handlers, `on` and `follow`, once, from the
// first event on: of one site. The handlers note what they have taken, and it counts when the tick in which
// they did becomes durable.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "libs/runtime/service.h"
#include "libs/store/store.h"

namespace micropay::app {

class Handled {
 public:
  // The same services with handlers that note; it must outlive them.
  void wrap(std::vector<Service>& services);

  void begin_tick() { noted_.clear(); }
  // What is noted now becomes durable with this tick, or never does.
  void commits(uint64_t tick) { attempts_[tick] = noted_; }
  // The first problem; empty: none.
  std::string durable(const Tick& tick);
  std::string missing() const;  // at the end

 private:
  struct Expected {
    uint64_t digest;  // of service and event
    std::string service;
    std::shared_ptr<const EventRecord> event;
  };
  static uint64_t digest(std::string_view service, std::string_view event);

  std::map<const contract::Event*, std::vector<std::string>> services_;  // with a handler
  std::vector<Expected> expected_;
  std::vector<uint64_t> noted_;                         // of the tick under way
  std::map<uint64_t, std::vector<uint64_t>> attempts_;  // by tick
  std::unordered_set<uint64_t> done_;
};

// The first time of what is done again and again is where a process is most likely to have assumed something:
// its first tick, a service's first event, the first row of each of the engine's own tables. Of one site.
class FirstTimes {
 public:
  // True when there was one.
  bool take(const Tick& tick);

 private:
  std::set<std::string> seen_;
};

}  // namespace micropay::app
