// Where the rows of scattered tables lie (contracts/options.proto), by a hash of their keys, in memory: about
// twelve bytes a row. Keys that are digests come in no order; an index of them on the disk would write a page
// for each, and whoever asks for a key that is not there, as every new Idempotency-Key does, would read one.
// The answer may name a place too many, and never one too few. Any thread; one of them adds.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

namespace micropay {

class KeyPlaces {
 public:
  using Place = uint32_t;  // from 1

  KeyPlaces();
  ~KeyPlaces();
  static uint64_t hash_of(std::string_view key);  // never 0

  void add(uint64_t hash, Place place);
  // Replaces `places` by those where the key's row may lie, in the order in which they were added.
  void find(uint64_t hash, std::vector<Place>& places) const;
  bool may_have(std::string_view key) const;
  uint64_t bytes() const;

 private:
  // Open addressing: the upper half of a slot is that of the hash, the lower the place; 0: free.
  struct Shard {
    mutable std::mutex mutex;
    std::vector<uint64_t> slots;
    size_t used = 0;
  };
  static constexpr int kShardBits = 6;
  static void put(std::vector<uint64_t>& slots, uint64_t slot);
  Shard& shard_of(uint64_t hash) const { return (*shards_)[hash >> (64 - kShardBits)]; }

  std::unique_ptr<std::array<Shard, size_t(1) << kShardBits>> shards_;
};

}  // namespace micropay
