// Events by their positions, read from the log in stretches: neighbours cost one reading. The spans that it
// gives are valid until the next call.
#pragma once

#include <functional>
#include <span>

#include "libs/store/store.h"

namespace micropay {

class EventWindow {
 public:
  using Events = std::vector<std::shared_ptr<const EventRecord>>;
  using Read = std::function<Result<Events>(uint64_t position, size_t limit)>;  // Store::read_events

  explicit EventWindow(Read read, size_t stretch = 64) : read_(std::move(read)), stretch_(stretch) {}

  // `count` events from `position` (from 1) on; fewer when the log ends before. Both lie in one stretch
  // (positions 1 to `stretch`, and so on), or two are read.
  Result<std::span<const std::shared_ptr<const EventRecord>>> get(uint64_t position, size_t count);

 private:
  const Read read_;
  const size_t stretch_;
  uint64_t first_ = 1;  // position of events_[0]
  Events events_;
};

}  // namespace micropay
