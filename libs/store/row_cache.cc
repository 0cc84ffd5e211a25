// The row cache.
#include "libs/store/row_cache.h"

namespace micropay {

size_t RowCache::Hash::operator()(const KeyView& key) const {
  // Multiplied once more, because the shard is chosen by the upper bits.
  return (std::hash<std::string_view>()(key.bytes) ^ key.table) * 0x9E3779B97F4A7C15ull;
}

RowCache::RowCache(size_t clean_rows) : clean_per_shard_(std::max<size_t>(clean_rows / kShards, 1)) {}

RowCache::Lookup RowCache::find(const contract::Table& table, std::string_view key) {
  KeyView view{table.id, key};
  Shard& shard = shard_of(view);
  std::lock_guard lock(shard.mutex);
  auto at = shard.rows.find(view);
  if (at == shard.rows.end()) return {.known = false, .row = {}, .removals = shard.removals};
  at->second.used = true;
  return {.known = true, .row = at->second.row, .removals = shard.removals};
}

void RowCache::fill(const contract::Table& table, std::string_view key, Row row, const Lookup& missed) {
  KeyView view{table.id, key};
  Shard& shard = shard_of(view);
  std::lock_guard lock(shard.mutex);
  if (shard.removals != missed.removals || shard.rows.contains(view)) return;
  add(shard, view).row = std::move(row);
  ++shard.clean;
  shrink(shard);
}

void RowCache::put(const contract::Table& table, std::string_view key, Row row, uint64_t tick) {
  KeyView view{table.id, key};
  Shard& shard = shard_of(view);
  std::lock_guard lock(shard.mutex);
  auto at = shard.rows.find(view);
  bool present = at != shard.rows.end();
  Entry& entry = present ? at->second : add(shard, view);
  if (present && !entry.dirty) --shard.clean;
  entry.row = std::move(row);
  entry.tick = tick;
  entry.dirty = entry.used = true;
}

void RowCache::applied(const contract::Table& table, std::string_view key, uint64_t tick) {
  KeyView view{table.id, key};
  Shard& shard = shard_of(view);
  std::lock_guard lock(shard.mutex);
  auto at = shard.rows.find(view);
  if (at == shard.rows.end() || !at->second.dirty || at->second.tick > tick) return;
  at->second.dirty = false;
  ++shard.clean;
  if (!at->second.row) drop(shard, at);
  shrink(shard);
}

void RowCache::refresh(const contract::Table& table, std::string_view key, const Row& row) {
  KeyView view{table.id, key};
  Shard& shard = shard_of(view);
  std::lock_guard lock(shard.mutex);
  ++shard.removals;  // somebody may hold the old row and be about to fill() it
  auto at = shard.rows.find(view);
  if (at == shard.rows.end()) return;
  if (row) at->second.row = row;
  else drop(shard, at);
}

RowCache::Entry& RowCache::add(Shard& shard, KeyView key) {
  auto [at, added] = shard.rows.try_emplace(Key{key.table, std::string(key.bytes)});
  at->second.place = shard.ring.size();
  shard.ring.push_back(&*at);
  size_.fetch_add(1, std::memory_order_relaxed);
  return at->second;
}

void RowCache::drop(Shard& shard, Rows::iterator at) {
  size_t place = at->second.place;
  if (!at->second.dirty) --shard.clean;
  shard.ring[place] = shard.ring.back();
  shard.ring[place]->second.place = place;
  shard.ring.pop_back();
  shard.rows.erase(at);
  ++shard.removals;
  size_.fetch_sub(1, std::memory_order_relaxed);
}

void RowCache::shrink(Shard& shard) {
  while (shard.clean > clean_per_shard_) {
    if (shard.hand >= shard.ring.size()) shard.hand = 0;
    auto* node = shard.ring[shard.hand];
    if (node->second.dirty) ++shard.hand;
    else if (std::exchange(node->second.used, false)) ++shard.hand;
    else drop(shard, shard.rows.find(node->first));
  }
}

}  // namespace micropay
