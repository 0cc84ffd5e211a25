// Rows in memory, in front of the tables: what is committed but not applied yet (dirty, never dropped), and
// what was read lately (clean, dropped by the clock algorithm). A row that was written once and not
// read since leaves with its application, as most do. An erased row is remembered until its erasure is
// applied. That a row does not exist is not remembered, but a key beyond the newest of its table is known to
// be absent: ids are ordered by time. A new row is kept as its bytes, which its tick has anyway, until
// somebody reads it: most are never read. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "libs/store/packed_tick.h"

namespace micropay {

class RowCache {
 public:
  struct Lookup {
    bool known = false;  // false: ask the tables, then fill() with this lookup
    Row row;             // null: erased, or never there
    uint64_t removals = 0;
  };

  // `tables`: how many the model has.
  RowCache(size_t clean_rows, size_t tables);
  ~RowCache();

  Lookup find(const contract::Table& table, std::string_view key);
  // A row that was read from the tables after `missed`. Dropped when a newer one may have come and gone
  // since.
  void fill(const contract::Table& table, std::string_view key, Row row, const Lookup& missed);
  // A committed change, not applied yet. `row`: the same as a message; null when erased. `payload`: what the
  // change looks into.
  void put(const PackedTick::Change& change, const Row& row, const std::shared_ptr<const void>& payload,
           uint64_t tick);
  // The tables have the row as of this tick.
  void applied(const contract::Table& table, std::string_view key, uint64_t tick);
  // A projection's row is in the tables: replaces the cached one if there is one.
  void refresh(const contract::Table& table, std::string_view key, const Row& row);
  // The tables hold no key of this table beyond `key` (empty: none at all), except what is noted later.
  void set_newest(const contract::Table& table, std::string_view key);
  // Before the row is written to the tables.
  void note_stored(const contract::Table& table, std::string_view key);
  size_t size() const { return size_.load(std::memory_order_relaxed); }

 private:
  struct Entry;
  struct KeyView;
  struct Shard;

  static constexpr size_t kShards = 16;
  static void unpack(Entry& entry, const contract::Table& table);
  Shard& shard_of(const KeyView& key);
  Entry& add(Shard& shard, const KeyView& key);
  void drop(Shard& shard, Entry& entry);
  void shrink(Shard& shard);

  std::unique_ptr<std::array<Shard, kShards>> shards_;
  std::vector<std::atomic<uint64_t>> newest_;  // by table id: the first eight bytes of a key, plus one
  const size_t clean_per_shard_;
  std::atomic<size_t> size_ = 0;
};

}  // namespace micropay
