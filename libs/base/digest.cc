#include "libs/base/digest.h"

#include <sodium.h>

#include <cstring>

#include "libs/base/quick_hash.h"

namespace micropay {

Digest128 digest128(std::string_view bytes) {
  Digest128 digest;
  crypto_generichash(digest.data(), digest.size(), reinterpret_cast<const uint8_t*>(bytes.data()),
                     bytes.size(), nullptr, 0);
  return digest;
}

uint64_t aimless_digest64(std::string_view bytes) {
  const Digest128 whole = digest128(bytes);
  uint64_t digest;
  std::memcpy(&digest, whole.data(), sizeof digest);
  return digest == 0 ? 1 : digest;
}

const uint64_t kQuickHashSeed = [] {
  uint64_t seed;
  randombytes_buf(&seed, sizeof seed);
  return seed;
}();

}  // namespace micropay
