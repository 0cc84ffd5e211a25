// FNV-1a with 64 bits: a digest that is the same on every machine and in every version, for what is
// compared, spread or remembered. It withstands no adversary: keyed_hash.h does.
//   fnv1a(name);  fnv1a(more, fnv1a(name))  goes on where the first ended
#pragma once

#include <cstdint>
#include <string_view>

namespace micropay {

constexpr uint64_t kFnvBasis = 0xCBF29CE484222325;

constexpr uint64_t fnv1a(std::string_view text, uint64_t hash = kFnvBasis) {
  for (const char c : text) hash = (hash ^ uint8_t(c)) * 0x100000001B3;
  return hash;
}

static_assert(fnv1a("foobar") == 0x85944171F73967E8);  // of the authors' test vectors

}  // namespace micropay
