#include "libs/store/recent_events.h"

#include <algorithm>

namespace micropay {
namespace {
constexpr size_t kRecentEvents = 16'384;
}

void RecentEvents::add(const std::vector<std::shared_ptr<const EventRecord>>& events) {
  std::lock_guard lock(mutex_);
  events_.insert(events_.end(), events.begin(), events.end());
  while (events_.size() > kRecentEvents) events_.pop_front();
}

bool RecentEvents::read(uint64_t position, size_t limit,
                        std::vector<std::shared_ptr<const EventRecord>>& events) const {
  std::lock_guard lock(mutex_);
  if (events_.empty() || position < events_.front()->envelope.position()) return false;
  size_t from = std::min<uint64_t>(position - events_.front()->envelope.position(), events_.size());
  size_t count = std::min(limit, events_.size() - from);
  auto first = events_.begin() + static_cast<ptrdiff_t>(from);
  events.assign(first, first + static_cast<ptrdiff_t>(count));
  return true;
}

}  // namespace micropay
