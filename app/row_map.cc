// Linear probing; grows at seven tenths.
#include "app/row_map.h"

namespace micropay::app {

RowMap::Entry* RowMap::find(uint64_t key) {
  if (entries_.empty()) return nullptr;
  const size_t mask = entries_.size() - 1;
  for (size_t at = key & mask;; at = (at + 1) & mask) {
    if (entries_[at].key == key) return &entries_[at];
    if (entries_[at].key == 0) return nullptr;
  }
}

RowMap::Entry& RowMap::at(uint64_t key) {
  if (used_ * 10 >= entries_.size() * 7) grow();
  const size_t mask = entries_.size() - 1;
  size_t at = key & mask;
  while (entries_[at].key != 0 && entries_[at].key != key) at = (at + 1) & mask;
  if (entries_[at].key == 0) entries_[at].key = key, ++used_;
  return entries_[at];
}

void RowMap::grow() {
  std::vector<Entry> old = std::move(entries_);
  entries_.assign(old.empty() ? 1024 : old.size() * 2, Entry());
  const size_t mask = entries_.size() - 1;
  for (const Entry& entry : old) {
    if (entry.key == 0) continue;
    size_t at = entry.key & mask;
    while (entries_[at].key != 0) at = (at + 1) & mask;
    entries_[at] = entry;
  }
}

uint64_t RowMap::rows() const {
  uint64_t count = 0;
  each([&](const Entry& entry) { count += entry.row != 0; });
  return count;
}

}  // namespace micropay::app
