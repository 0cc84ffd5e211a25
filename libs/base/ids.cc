#include "libs/base/ids.h"

#include <sodium.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace micropay {
namespace {

enum class HexCase : uint8_t { kAny, kLower };

template <typename Integer>
uint64_t load(const char* at) {
  Integer value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// Sixteen characters at once, in the vector types of GCC and Clang: a payment parses a hundred ids.
typedef uint8_t Bytes __attribute__((vector_size(16)));
typedef uint16_t Pairs __attribute__((vector_size(16)));
typedef uint64_t Words __attribute__((vector_size(16)));
typedef uint8_t HalfBytes __attribute__((vector_size(8)));

// Of 16 hexadecimal digits, 8 bytes; notes in `bad` what is none.
HalfBytes bytes_of(uint64_t first, uint64_t second, HexCase allowed, Bytes& bad) {
  static_assert(std::endian::native == std::endian::little);
  const Bytes text = Bytes(Words{first, second});
  const uint8_t fold = allowed == HexCase::kAny ? 0x20 : 0;
  const Bytes digit = text - '0', letter = (text | fold) - 'a';
  const Bytes is_digit = Bytes(digit < 10), is_letter = Bytes(letter < 6);
  bad |= ~(is_digit | is_letter);
  const Pairs nibbles = Pairs((digit & is_digit) | ((letter + 10) & is_letter));
  return __builtin_convertvector((nibbles << 4 | nibbles >> 8) & 0xff, HalfBytes);
}

void write_text(Bytes uuid, char* into) {
  const Bytes high = uuid >> 4, low = uuid & 15;
  const auto digits = [](Bytes nibbles) { return nibbles + '0' + (Bytes(nibbles > 9) & ('a' - '0' - 10)); };
  const Bytes halves[] = {
      digits(__builtin_shufflevector(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)),
      digits(
          __builtin_shufflevector(high, low, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31))};
  const char* hex = reinterpret_cast<const char*>(halves);
  into[8] = into[13] = into[18] = into[23] = '-';
  std::memcpy(into, hex, 8);
  std::memcpy(into + 9, hex + 8, 4);
  std::memcpy(into + 14, hex + 12, 4);
  std::memcpy(into + 19, hex + 16, 4);
  std::memcpy(into + 24, hex + 20, 12);
}

std::optional<Uuid> parse(std::string_view text, HexCase allowed) {
  if (text.size() != kUuidText || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-')
    return {};
  const char* at = text.data();
  Bytes bad = {};
  const HalfBytes halves[] = {
      bytes_of(load<uint64_t>(at), load<uint32_t>(at + 9) | load<uint32_t>(at + 14) << 32, allowed, bad),
      bytes_of(load<uint32_t>(at + 19) | load<uint32_t>(at + 24) << 32, load<uint64_t>(at + 28), allowed,
               bad)};
  if (((Words(bad))[0] | (Words(bad))[1]) != 0) return {};
  Uuid uuid;
  std::memcpy(uuid.data(), halves, sizeof halves);
  return uuid;
}

}  // namespace

void format_uuid(const uint8_t* bytes, char* into) {
  Bytes uuid;
  std::memcpy(&uuid, bytes, sizeof uuid);
  write_text(uuid, into);
}

void format_uuid(const uint8_t* bytes, std::string& into) {
  into.resize(kUuidText);
  format_uuid(bytes, into.data());
}

std::string format_uuid(const Uuid& uuid) {
  std::string text;
  format_uuid(uuid.data(), text);
  return text;
}

std::optional<Uuid> parse_uuid(std::string_view text) { return parse(text, HexCase::kAny); }

std::optional<Uuid> parse_canonical_uuid(std::string_view text) { return parse(text, HexCase::kLower); }

Time uuid_time(const Uuid& uuid) {
  uint64_t ms = 0;
  for (size_t i = 0; i < 6; ++i) ms = ms << 8 | uuid[i];
  return Time(ms) * kMillisecond;
}

std::string derived_uuid(std::string_view text) {
  Uuid uuid;
  crypto_generichash(uuid.data(), uuid.size(), reinterpret_cast<const uint8_t*>(text.data()), text.size(),
                     nullptr, 0);
  uuid[6] = uint8_t(0x80 | (uuid[6] & 0x0f));
  uuid[8] = uint8_t(0x80 | (uuid[8] & 0x3f));
  return format_uuid(uuid);
}

void IdGenerator::begin_after(Time time) {
  last_ms_ = std::max(last_ms_, uint64_t(std::max<Time>(time, 0) / kMillisecond));
  counter_ = UINT32_MAX;
}

bool IdGenerator::made_since_mark(std::string_view uuid) const {
  const auto byte = [uuid](size_t i) { return uint64_t(uint8_t(uuid[i])); };
  uint64_t ms = 0, rest = byte(8) & 0x3f;
  for (size_t i = 0; i < 6; ++i) ms = ms << 8 | byte(i);
  for (size_t i = 9; i < 16; ++i) rest = rest << 8 | byte(i);
  constexpr uint64_t kSeedBits = (uint64_t(1) << 42) - 1;
  if (byte(6) >> 4 != 7 || (rest & kSeedBits) != (seed_ & kSeedBits)) return false;
  const uint32_t counter = uint32_t((byte(6) & 15) << 28 | byte(7) << 20 | rest >> 42);
  return std::pair(ms, counter) > marked_;
}

std::string IdGenerator::next(Time now) {
  const uint64_t ms = uint64_t(std::max<Time>(now, 0) / kMillisecond);
  if (ms > last_ms_) last_ms_ = ms, counter_ = 0;
  else if (++counter_ == 0) ++last_ms_;  // 2^32 ids in a millisecond: borrow from the next
  // rand_a takes the counter's upper 12 bits, rand_b its lower 20 and then 42 bits of the seed.
  const uint64_t high = last_ms_ << 16 | 0x7000 | counter_ >> 20;
  const uint64_t low =
      uint64_t(1) << 63 | uint64_t(counter_ & 0xfffff) << 42 | (seed_ & ((uint64_t(1) << 42) - 1));
  std::string text(kUuidText, '\0');
  write_text(Bytes(Words{std::byteswap(high), std::byteswap(low)}), text.data());
  return text;
}

}  // namespace micropay
