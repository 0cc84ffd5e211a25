// Rows in memory, in front of the tables: what is committed but not applied yet (dirty, never dropped), and
// what was read or written lately (clean, dropped by the clock algorithm). An erased row is remembered until
// its erasure is applied. That a row does not exist is not remembered. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libs/store/store.h"

namespace micropay {

class RowCache {
 public:
  struct Lookup {
    bool known = false;  // false: ask the tables, then fill() with this lookup
    Row row;             // null: erased
    uint64_t removals = 0;
  };

  explicit RowCache(size_t clean_rows);

  Lookup find(const contract::Table& table, std::string_view key);
  // A row that was read from the tables after `missed`. Dropped when a newer one may have come and gone
  // since.
  void fill(const contract::Table& table, std::string_view key, Row row, const Lookup& missed);
  // A committed change, not applied yet.
  void put(const contract::Table& table, std::string_view key, Row row, uint64_t tick);
  // The tables have the row as of this tick.
  void applied(const contract::Table& table, std::string_view key, uint64_t tick);
  // A projection's row is in the tables: replaces the cached one if there is one.
  void refresh(const contract::Table& table, std::string_view key, const Row& row);
  size_t size() const { return size_.load(std::memory_order_relaxed); }

 private:
  struct Key {
    uint32_t table;
    std::string bytes;
  };
  struct KeyView {
    uint32_t table;
    std::string_view bytes;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(const KeyView& key) const;
    size_t operator()(const Key& key) const { return (*this)(KeyView{key.table, key.bytes}); }
  };
  struct Equal {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return a.table == b.table && a.bytes == b.bytes;
    }
  };
  struct Entry {
    Row row;
    uint64_t tick = 0;
    bool dirty = false;
    bool used = false;  // since the clock's hand last passed
    size_t place = 0;   // in the ring
  };
  using Rows = std::unordered_map<Key, Entry, Hash, Equal>;
  struct alignas(64) Shard {
    std::mutex mutex;
    Rows rows;
    std::vector<Rows::value_type*> ring;
    size_t hand = 0;
    size_t clean = 0;
    uint64_t removals = 0;  // changes whenever a row may leave, so that a late fill() is noticed
  };

  static constexpr size_t kShards = 16;
  Shard& shard_of(KeyView key) { return shards_[(Hash()(key) >> 48) % kShards]; }
  Entry& add(Shard& shard, KeyView key);
  void drop(Shard& shard, Rows::iterator at);
  void shrink(Shard& shard);

  std::array<Shard, kShards> shards_;
  const size_t clean_per_shard_;
  std::atomic<size_t> size_ = 0;
};

}  // namespace micropay
