// The row cache. A key is hashed once a call, and an entry keeps its hash.
#include "libs/store/row_cache.h"

#include <absl/container/flat_hash_set.h>

#include <cstring>

#include "libs/base/quick_hash.h"

namespace micropay {

struct RowCache::KeyView {
  explicit KeyView(const Entry& entry);
  KeyView(const contract::Table& of, std::string_view key)
      : table(of.id), bytes(key), hash((quick_hash(key) ^ of.id) * 0x9E3779B97F4A7C15ull) {}
  uint32_t table;
  std::string_view bytes;
  size_t hash;
};

// The key lies in the entry when it fits, as one or two ids do: one cache line less to look at.
struct RowCache::Entry {
  explicit Entry(const KeyView& key) : size(key.bytes.size()), hash(key.hash), table(key.table) {
    if (size <= near.size()) std::memcpy(near.data(), key.bytes.data(), size);
    else far = key.bytes;
  }
  std::string_view bytes() const { return size <= near.size() ? std::string_view(near.data(), size) : far; }
  std::array<char, 32> near;
  const size_t size;
  std::string far;
  const size_t hash;
  const uint32_t table;
  bool dirty = false;
  bool used = false;        // since it was written, or since the clock's hand last passed
  Row row;                  // null, and no payload: erased
  std::string_view packed;  // the row's bytes, while nobody has read it
  std::shared_ptr<const void> payload;
  uint64_t tick = 0;
  size_t place = 0;  // in the ring
};

RowCache::KeyView::KeyView(const Entry& entry) : table(entry.table), bytes(entry.bytes()), hash(entry.hash) {}

struct alignas(64) RowCache::Shard {
  struct Hash {
    using is_transparent = void;
    size_t operator()(const KeyView& key) const { return key.hash; }
    size_t operator()(const std::unique_ptr<Entry>& entry) const { return entry->hash; }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const std::unique_ptr<Entry>& a, const KeyView& b) const {
      return a->hash == b.hash && a->table == b.table && a->bytes() == b.bytes;
    }
    bool operator()(const std::unique_ptr<Entry>& a, const std::unique_ptr<Entry>& b) const { return a == b; }
  };
  std::mutex mutex;
  absl::flat_hash_set<std::unique_ptr<Entry>, Hash, Equal> rows;
  std::vector<Entry*> ring;
  size_t hand = 0;
  size_t clean = 0;
  uint64_t removals = 0;  // changes whenever a row may leave, so that a late fill() is noticed

  Entry* find(const KeyView& key) {
    const auto at = rows.find(key);
    return at == rows.end() ? nullptr : at->get();
  }
};

namespace {

constexpr uint64_t kUnknown = UINT64_MAX;

// Orders as keys do, up to ties.
uint64_t head_of(std::string_view key) {
  uint64_t head = 0;
  for (size_t i = 0; i < 8; ++i) head = head << 8 | (i < key.size() ? uint8_t(key[i]) : 0);
  return std::min(head, kUnknown - 2);
}

}  // namespace

// A message of the row's bytes, which are let go.
void RowCache::unpack(Entry& entry, const contract::Table& table) {
  std::shared_ptr<google::protobuf::Message> row = table.make();
  if (!row->ParseFromArray(entry.packed.data(), static_cast<int>(entry.packed.size())))
    throw StoreUnavailable{{.code = Code::kInternal,
                            .reason = "unreadable_row",
                            .detail = fmt::format("a row of {} is no such record", table.sql_name)}};
  entry.row = std::move(row);
  entry.payload = nullptr;
}

RowCache::RowCache(size_t clean_rows, size_t tables)
    : shards_(std::make_unique<std::array<Shard, kShards>>()),
      newest_(tables),
      clean_per_shard_(std::max<size_t>(clean_rows / kShards, 1)) {
  for (auto& newest : newest_) newest = kUnknown;
}

RowCache::~RowCache() = default;

RowCache::Shard& RowCache::shard_of(const KeyView& key) { return (*shards_)[key.hash >> 60]; }

RowCache::Lookup RowCache::find(const contract::Table& table, std::string_view key) {
  const KeyView view(table, key);
  Shard& shard = shard_of(view);
  std::lock_guard lock(shard.mutex);
  if (Entry* entry = shard.find(view)) {
    entry->used = true;
    if (entry->payload) unpack(*entry, table);
    return {.known = true, .row = entry->row, .removals = shard.removals};
  }
  // Read after the entry was looked for: what is applied is noted before it leaves the cache.
  const bool absent = head_of(key) >= newest_[table.id].load(std::memory_order_acquire);
  return {.known = absent, .row = {}, .removals = shard.removals};
}

void RowCache::fill(const contract::Table& table, std::string_view key, Row row, const Lookup& missed) {
  const KeyView view(table, key);
  Shard& shard = shard_of(view);
  std::lock_guard lock(shard.mutex);
  if (shard.removals != missed.removals || shard.find(view) != nullptr) return;
  add(shard, view).row = std::move(row);
  ++shard.clean;
  shrink(shard);
}

void RowCache::put(const PackedTick::Change& change, const Row& row,
                   const std::shared_ptr<const void>& payload, uint64_t tick) {
  const KeyView view(*change.table, change.key);
  Shard& shard = shard_of(view);
  std::lock_guard lock(shard.mutex);
  Entry* entry = shard.find(view);
  if (entry == nullptr) {
    entry = &add(shard, view);
    entry->packed = change.row;
    entry->payload = change.erased ? nullptr : payload;
  } else {
    if (!entry->dirty) --shard.clean;
    entry->used = true;  // written again: it changes more often than others
    entry->row = row;
    entry->payload = nullptr;
  }
  entry->tick = tick;
  entry->dirty = true;
}

void RowCache::applied(const contract::Table& table, std::string_view key, uint64_t tick) {
  const KeyView view(table, key);
  Shard& shard = shard_of(view);
  std::lock_guard lock(shard.mutex);
  Entry* entry = shard.find(view);
  if (entry == nullptr || !entry->dirty || entry->tick > tick) return;
  entry->dirty = false;
  ++shard.clean;
  if (!entry->row || !entry->used) drop(shard, *entry);
  else shrink(shard);
}

void RowCache::refresh(const contract::Table& table, std::string_view key, const Row& row) {
  const KeyView view(table, key);
  Shard& shard = shard_of(view);
  std::lock_guard lock(shard.mutex);
  ++shard.removals;  // somebody may hold the old row and be about to fill() it
  Entry* entry = shard.find(view);
  if (entry == nullptr) return;
  if (row) entry->row = row;
  else drop(shard, *entry);
}

void RowCache::set_newest(const contract::Table& table, std::string_view key) {
  newest_[table.id].store(key.empty() ? 0 : head_of(key) + 1, std::memory_order_release);
}

void RowCache::note_stored(const contract::Table& table, std::string_view key) {
  std::atomic<uint64_t>& newest = newest_[table.id];  // one thread writes to the tables
  const uint64_t head = head_of(key) + 1;
  if (head > newest.load(std::memory_order_relaxed)) newest.store(head, std::memory_order_release);
}

RowCache::Entry& RowCache::add(Shard& shard, const KeyView& key) {
  Entry& entry = **shard.rows.insert(std::make_unique<Entry>(key)).first;
  entry.place = shard.ring.size();
  shard.ring.push_back(&entry);
  size_.fetch_add(1, std::memory_order_relaxed);
  return entry;
}

void RowCache::drop(Shard& shard, Entry& entry) {
  if (!entry.dirty) --shard.clean;
  shard.ring[entry.place] = shard.ring.back();
  shard.ring[entry.place]->place = entry.place;
  shard.ring.pop_back();
  shard.rows.erase(shard.rows.find(KeyView(entry)));
  ++shard.removals;
  size_.fetch_sub(1, std::memory_order_relaxed);
}

void RowCache::shrink(Shard& shard) {
  while (shard.clean > clean_per_shard_) {
    if (shard.hand >= shard.ring.size()) shard.hand = 0;
    Entry& entry = *shard.ring[shard.hand];
    if (entry.dirty || std::exchange(entry.used, false)) ++shard.hand;
    else drop(shard, entry);
  }
}

}  // namespace micropay
