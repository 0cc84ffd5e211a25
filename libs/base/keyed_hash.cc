// Folded multiplication of 64 x 64 bits over pairs of words that the key has masked.
#include "libs/base/keyed_hash.h"

#include <sys/random.h>

#include <cstring>

#include "libs/base/check.h"

namespace micropay {
namespace {

uint64_t load(const char* at) {
  uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

uint64_t fold(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return uint64_t(product) ^ uint64_t(product >> 64);
}

}  // namespace

KeyedHash::KeyedHash() { CHECK(getrandom(key_.data(), sizeof key_, 0) == ssize_t(sizeof key_)); }

uint64_t KeyedHash::operator()(std::string_view bytes) const {
  const char* at = bytes.data();
  size_t left = bytes.size();
  uint64_t a = fold(key_[0] ^ left, key_[1]), b = a ^ key_[2];
  for (; left > 32; at += 32, left -= 32) {
    a = fold(load(at) ^ key_[1], load(at + 8) ^ a);
    b = fold(load(at + 16) ^ key_[2], load(at + 24) ^ b);
  }
  a = fold(a ^ key_[3], b ^ key_[0]);
  char tail[32] = {};
  if (left > 0) std::memcpy(tail, at, left);
  a = fold(load(tail) ^ key_[1], load(tail + 8) ^ a);
  a = fold(load(tail + 16) ^ key_[2], load(tail + 24) ^ a);
  a = fold(a ^ key_[3], key_[0] ^ bytes.size());
  return a == 0 ? 1 : a;
}

}  // namespace micropay
