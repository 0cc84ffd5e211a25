#include "libs/base/ids.h"

#include <sodium.h>
#include <algorithm>

namespace micropay {
namespace {

constexpr char kHex[] = "0123456789abcdef";
constexpr std::array<int8_t, 256> kNibble = [] {
  std::array<int8_t, 256> table{};
  table.fill(-1);
  for (int i = 0; i < 10; ++i) table[size_t('0' + i)] = int8_t(i);
  for (int i = 0; i < 6; ++i) table[size_t('a' + i)] = table[size_t('A' + i)] = int8_t(10 + i);
  return table;
}();
constexpr bool is_hyphen(size_t at) { return at == 8 || at == 13 || at == 18 || at == 23; }

}  // namespace

void format_uuid(const uint8_t* bytes, std::string& into) {
  into.resize(36);
  char* at = into.data();
  for (size_t i = 0; i < std::tuple_size_v<Uuid>; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *at++ = '-';
    *at++ = kHex[bytes[i] >> 4];
    *at++ = kHex[bytes[i] & 15];
  }
}

std::string format_uuid(const Uuid& uuid) {
  std::string text;
  format_uuid(uuid.data(), text);
  return text;
}

std::optional<Uuid> parse_uuid(std::string_view text) {
  if (text.size() != 36) return {};
  Uuid uuid;
  for (size_t at = 0, i = 0; i < 16; ++i) {
    if (is_hyphen(at) && text[at++] != '-') return {};
    const int high = kNibble[uint8_t(text[at])], low = kNibble[uint8_t(text[at + 1])];
    if ((high | low) < 0) return {};
    uuid[i] = uint8_t(high << 4 | low);
    at += 2;
  }
  return uuid;
}

bool is_uuid(std::string_view text) {
  return parse_uuid(text) &&
         std::none_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'F'; });
}

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
  Uuid uuid;
  for (size_t i = 0; i < 6; ++i) uuid[i] = uint8_t(last_ms_ >> (40 - 8 * i));
  // rand_a takes the counter's upper 12 bits, rand_b its lower 20 and then 42 bits of the seed.
  uuid[6] = uint8_t(0x70 | (counter_ >> 28));
  uuid[7] = uint8_t(counter_ >> 20);
  const uint64_t rest = uint64_t(counter_ & 0xfffff) << 42 | (seed_ & ((uint64_t(1) << 42) - 1));
  for (size_t i = 0; i < 8; ++i) uuid[8 + i] = uint8_t(rest >> (56 - 8 * i));
  uuid[8] = uint8_t(0x80 | (uuid[8] & 0x3f));
  return format_uuid(uuid);
}

}  // namespace micropay
