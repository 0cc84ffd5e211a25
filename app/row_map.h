// What the log says every row must be: of each row the hash of its key, the hash of its bytes, and where it
// came from. 24 bytes a row in one open table a SQL table, so that millions fit in memory. Hashes are of one
// KeyedHash.
#pragma once

#include <cstdint>
#include <vector>

namespace micropay::app {

class RowMap {
 public:
  struct Entry {
    uint64_t key = 0;         // 0: free
    uint64_t row = 0;         // 0: erased
    uint64_t where : 63 = 0;  // the tick that wrote it, or its place in a projection's scratch file
    uint64_t seen : 1 = 0;    // among the rows that are kept
  };

  // The entry of this key; made when there is none.
  Entry& at(uint64_t key);
  Entry* find(uint64_t key);  // null: the log knows no such row
  void prefetch(uint64_t key) const {
    if (!entries_.empty()) __builtin_prefetch(&entries_[key & (entries_.size() - 1)]);
  }
  uint64_t rows() const;  // that are not erased
  uint64_t bytes() const { return entries_.capacity() * sizeof(Entry); }
  template <typename F>
  void each(F visit) const {
    for (const Entry& entry : entries_)
      if (entry.key != 0) visit(entry);
  }

 private:
  void grow();

  std::vector<Entry> entries_;  // a power of two
  size_t used_ = 0;
};

}  // namespace micropay::app
