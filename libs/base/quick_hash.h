// A hash for tables in memory, of keys that are one or two ids: a few instructions for each eight bytes.
// Each process hashes in a way of its own, so that nobody sends it a thousand keys for one bucket; whoever
// tries long enough can still make two collide, so what is found is compared: where it is not, keyed_hash.h;
// to be kept, fnv.h.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace micropay {

extern const uint64_t kQuickHashSeed;  // digest.cc

inline uint64_t quick_hash(std::string_view bytes) {
  constexpr uint64_t kFactor = 0x9E3779B97F4A7C15;
  uint64_t hash = kQuickHashSeed ^ bytes.size() * kFactor;
  const auto mix = [&hash](uint64_t eight) {  // both halves of the product: every bit counts in every bit
    const auto product = static_cast<unsigned __int128>(hash ^ eight) * kFactor;
    hash = static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    uint64_t eight;
    std::memcpy(&eight, bytes.data(), 8);
    mix(eight);
  }
  if (!bytes.empty()) {
    uint64_t rest = 0;
    std::memcpy(&rest, bytes.data(), bytes.size());
    mix(rest);
  }
  return hash;
}

}  // namespace micropay
