// Whether every service that follows the log was given each event of its types once, from its first start on:
// the log has where it began, and with each step on how many it has followed (ConsumerRecord). An event that
// nobody followed, and a place that was written down only when something had been missed already, show there.
#pragma once

#include <deque>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "contracts/runtime.pb.h"
#include "libs/runtime/service.h"
#include "libs/store/tick_packing.h"

namespace micropay::app {

class FollowCheck {
 public:
  explicit FollowCheck(const std::vector<Service>& services);

  // Every record of the log, in order.
  void take(const TickRecord& record);

  uint64_t followed() const { return followed_; }          // events, by all services together
  uint64_t waiting() const;                                // committed, and not followed yet
  const std::string& problem() const { return problem_; }  // the first one; empty: none

 private:
  struct Follower {
    std::string service;
    uint64_t digest = 0;                 // of its types
    std::set<const std::string*> types;  // names are one object each
    std::optional<ConsumerRecord> at = {};
    bool counts = false;                // `at` is about these types
    uint64_t counted = 0;               // since at->began()
    std::deque<uint64_t> waiting = {};  // positions of its events from at->position() on
  };
  void take_place(Follower& follower, const ConsumerRecord& next, const TickRecord& record);
  void begin(Follower& follower, const ConsumerRecord& next, const TickRecord& record);
  void blame(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
  }

  const std::string& table_;  // name of the consumers' table
  std::vector<Follower> followers_;
  uint64_t followed_ = 0;
  std::string problem_;
};

}  // namespace micropay::app
