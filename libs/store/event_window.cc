#include "libs/store/event_window.h"

namespace micropay {

Result<std::span<const std::shared_ptr<const EventRecord>>> EventWindow::get(uint64_t position,
                                                                             size_t count) {
  if (position < first_ || position + count > first_ + events_.size()) {
    const uint64_t first = position - (position - 1) % stretch_;
    events_ = TRY(read_(first, std::max<size_t>(stretch_, position + count - first)));
    first_ = first;
  }
  const size_t skipped = std::min<size_t>(position - first_, events_.size());
  return std::span(events_).subspan(skipped, std::min(count, events_.size() - skipped));
}

}  // namespace micropay
