// What commands of the last seconds have led to, by caller and by record: marks that go with calls to other
// services, so that whoever has changed something reads it, and whoever reads a record that was changed, too
// (decisions/0010). In memory, bounded: what is forgotten is only what may be read from an older state.
#pragma once

#include <atomic>
#include <deque>
#include <mutex>
#include <unordered_map>

#include "libs/runtime/engine.h"

namespace micropay::gateway {

class RecentWrites {
 public:
  explicit RecentWrites(const Clock& clock, size_t most = 100'000) : clock_(clock), most_(most) {}

  // Of the caller and of the ids in the request and in the answer.
  using Keys = std::vector<uint64_t>;
  static Keys keys_of(const Command& command);
  void note(Keys keys, const Answer& answer);
  // What other services than the method's have to know before they answer this.
  Marks before(const Command& command) const;

 private:
  struct Entry {
    Marks marks;
    Time until = 0;
  };
  const Clock& clock_;
  const size_t most_;
  mutable std::mutex mutex_;
  std::unordered_map<uint64_t, Entry> entries_;     // guarded by mutex_
  std::deque<std::pair<Time, uint64_t>> in_order_;  // guarded by mutex_; of entries, or of what they were
  std::atomic<bool> any_{false};
};

}  // namespace micropay::gateway
