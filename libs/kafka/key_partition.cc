#include "libs/kafka/key_partition.h"

namespace micropay::kafka {

// MurmurHash2 of Austin Appleby, 32 bits, with the seed of Kafka.
uint32_t murmur2(std::string_view bytes) {
  constexpr uint32_t kMultiplier = 0x5bd1e995, kSeed = 0x9747b28c;
  const auto byte = [&](size_t at) { return uint32_t(uint8_t(bytes[at])); };
  uint32_t hash = kSeed ^ uint32_t(bytes.size());
  size_t at = 0;
  for (; at + 4 <= bytes.size(); at += 4) {
    uint32_t word = byte(at) | byte(at + 1) << 8 | byte(at + 2) << 16 | byte(at + 3) << 24;
    word *= kMultiplier;
    word ^= word >> 24;
    hash = hash * kMultiplier ^ word * kMultiplier;
  }
  if (const size_t rest = bytes.size() - at; rest > 0) {
    for (size_t i = 0; i < rest; ++i) hash ^= byte(at + i) << (8 * i);
    hash *= kMultiplier;
  }
  hash ^= hash >> 13;
  hash *= kMultiplier;
  return hash ^ hash >> 15;
}

}  // namespace micropay::kafka
