// The newest events of a log in memory, without gaps, for those who follow it closely. Any thread.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "libs/store/store.h"

namespace micropay {

class RecentEvents {
 public:
  void add(const std::vector<std::shared_ptr<const EventRecord>>& events);
  // False when the position is older than what is kept.
  bool read(uint64_t position, size_t limit, std::vector<std::shared_ptr<const EventRecord>>& events) const;

 private:
  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<const EventRecord>> events_;
};

}  // namespace micropay
