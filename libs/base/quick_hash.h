// A hash for tables in memory, of keys that are one or two ids: a few instructions for each eight bytes.
// Another machine may hash otherwise, and whoever chooses keys can make them collide: fnv.h and keyed_hash.h
// are for that.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace micropay {

inline uint64_t quick_hash(std::string_view bytes) {
  constexpr uint64_t kFactor = 0x9E3779B97F4A7C15;
  uint64_t hash = bytes.size() * kFactor;
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
