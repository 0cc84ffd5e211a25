// Thin calls of libsodium.
#include "libs/security/encoding.h"

#include <sodium.h>

namespace micropay {

std::string secret_digest(std::string_view secret) {
  std::string digest(crypto_generichash_BYTES, '\0');
  crypto_generichash(reinterpret_cast<uint8_t*>(digest.data()), digest.size(),
                     reinterpret_cast<const uint8_t*>(secret.data()), secret.size(), nullptr, 0);
  return digest;
}

bool same_secret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace micropay
