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

std::string format_uuid(const Uuid& uuid) {
  std::string text(36, '-');
  size_t at = 0;
  for (const uint8_t byte : uuid) {
    if (is_hyphen(at)) ++at;
    text[at++] = kHex[byte >> 4];
    text[at++] = kHex[byte & 15];
  }
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
