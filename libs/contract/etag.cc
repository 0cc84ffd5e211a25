// Digest and text form of entity tags. The digest folds 128-bit products over 16-byte blocks (the
// construction of wyhash), which is fast for the few hundred bytes of a record and spreads every bit of the
// input.
#include "libs/contract/etag.h"

#include <cstring>

#include "libs/contract/json.h"

namespace micropay::contract {
namespace {

constexpr std::string_view kGzip = "-gzip";
constexpr uint64_t kSecrets[] = {0xa0761d6478bd642full, 0xe7037ed1a0b428dbull, 0x8ebc6af09c88c6e3ull};

uint64_t fold(uint64_t a, uint64_t b) {
  auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t load(const char* bytes, size_t count) {  // little-endian machines only, like the log format
  uint64_t value = 0;
  std::memcpy(&value, bytes, count);
  return value;
}

}  // namespace

uint64_t digest64(std::string_view bytes) {
  uint64_t state = kSecrets[0];
  const char* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= 16; left -= 16, at += 16) state = fold(load(at, 8) ^ kSecrets[1], load(at + 8, 8) ^ state);
  uint64_t low = load(at, std::min<size_t>(left, 8));
  uint64_t high = left > 8 ? load(at + 8, left - 8) : 0;
  state = fold(low ^ kSecrets[1], high ^ state);
  uint64_t digest = fold(state ^ kSecrets[2], bytes.size() ^ kSecrets[1]);
  return digest == 0 ? 1 : digest;
}

uint64_t etag_of(const Message& message) {
  static thread_local std::string json;
  json.clear();
  append_json(json, message);
  return digest64(json);
}

std::string format_etag(uint64_t digest, bool gzip) {
  return fmt::format("\"{:016x}{}\"", digest, gzip ? kGzip : "");
}

std::optional<uint64_t> parse_etag(std::string_view text) {
  if (text.size() < 18 || text.front() != '"' || text.back() != '"') return {};
  text = text.substr(1, text.size() - 2);
  if (text.ends_with(kGzip)) text.remove_suffix(kGzip.size());
  if (text.size() != 16) return {};
  uint64_t digest = 0;
  for (char c : text) {
    bool digit = c >= '0' && c <= '9';
    if (!digit && (c < 'a' || c > 'f')) return {};
    digest = digest << 4 | static_cast<uint64_t>(digit ? c - '0' : c - 'a' + 10);
  }
  if (digest == 0) return {};  // of no record
  return digest;
}

}  // namespace micropay::contract
