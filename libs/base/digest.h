// Digests that nobody can aim: BLAKE2b, the same in every build and on every machine, so they may be kept and
// compared for ever. For what strangers choose and a collision would cost somebody: requests, keys, callers.
//
//   digest128(bytes) == digest128(other)   // the same bytes, whoever made them
//
// Faster ones, for what nobody aims at: fnv.h (stored), quick_hash.h (a table in memory), keyed_hash.h
// (within one process, against adversaries too).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace micropay {

using Digest128 = std::array<uint8_t, 16>;

Digest128 digest128(std::string_view bytes);
uint64_t aimless_digest64(std::string_view bytes);  // eight bytes of one; never 0

inline std::string_view view_of(const Digest128& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace micropay
