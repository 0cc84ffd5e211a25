#include "libs/store/key_places.h"

#include "libs/base/check.h"
#include "libs/store/checksum.h"

namespace micropay {
namespace {

constexpr size_t kFirstSlots = 16;
constexpr uint64_t kTag = uint64_t(UINT32_MAX) << 32;

// Of the bits behind those that choose the shard.
size_t start_of(uint64_t slot, size_t slots) { return size_t(slot >> 32) & (slots - 1); }

}  // namespace

KeyPlaces::KeyPlaces() : shards_(std::make_unique<std::array<Shard, size_t(1) << kShardBits>>()) {
  for (Shard& shard : *shards_) shard.slots.resize(kFirstSlots);
}
KeyPlaces::~KeyPlaces() = default;

uint64_t KeyPlaces::hash_of(std::string_view key) {
  const uint64_t hash = xxh64(key);
  return hash == 0 ? 1 : hash;
}

void KeyPlaces::put(std::vector<uint64_t>& slots, uint64_t slot) {
  size_t at = start_of(slot, slots.size());
  while (slots[at] != 0) at = (at + 1) & (slots.size() - 1);
  slots[at] = slot;
}

void KeyPlaces::add(uint64_t hash, Place place) {
  CHECK(place != 0);
  Shard& shard = shard_of(hash);
  std::lock_guard lock(shard.mutex);
  if ((shard.used + 1) * 4 > shard.slots.size() * 3) {
    std::vector<uint64_t> larger(shard.slots.size() * 2);
    // In the order of the places, which is that of their coming.
    for (const uint64_t slot : shard.slots)
      if (slot != 0) put(larger, slot);
    shard.slots = std::move(larger);
  }
  put(shard.slots, (hash & kTag) | place);
  ++shard.used;
}

void KeyPlaces::find(uint64_t hash, std::vector<Place>& places) const {
  places.clear();
  const Shard& shard = shard_of(hash);
  std::lock_guard lock(shard.mutex);
  const std::vector<uint64_t>& slots = shard.slots;
  for (size_t at = start_of(hash, slots.size()); slots[at] != 0; at = (at + 1) & (slots.size() - 1))
    if (((slots[at] ^ hash) & kTag) == 0) places.push_back(Place(slots[at]));
}

bool KeyPlaces::may_have(std::string_view key) const {
  thread_local std::vector<Place> places;
  find(hash_of(key), places);
  return !places.empty();
}

uint64_t KeyPlaces::bytes() const {
  uint64_t sum = 0;
  for (const Shard& shard : *shards_) {
    std::lock_guard lock(shard.mutex);
    sum += shard.slots.size() * sizeof(uint64_t);
  }
  return sum;
}

}  // namespace micropay
