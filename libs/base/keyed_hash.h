// A fast hash with a key of its own for each run: 64 bits that nobody outside of the process can foresee, so
// rows that collide cannot be prepared. For comparing within one process; never stored, never sent.
//
//   const KeyedHash hash;      // a new random key
//   hash(bytes) == hash(other)
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace micropay {

class KeyedHash {
 public:
  KeyedHash();
  uint64_t operator()(std::string_view bytes) const;  // never 0

 private:
  std::array<uint64_t, 4> key_;
};

}  // namespace micropay
