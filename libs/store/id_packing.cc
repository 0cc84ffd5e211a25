#include "libs/store/id_packing.h"

#include <algorithm>
#include <cstring>

#include "libs/base/varint.h"

namespace micropay {
namespace {

constexpr char kBeforeText = kUuidText;  // '$'
constexpr size_t kFirstSlots = 1'024;
constexpr size_t kVarintBytes = 10;

// Most ids have been seen before: they are compared as text, and parsed only when they are new.
uint64_t hash_of(const char* text) {
  uint64_t parts[4];
  std::memcpy(parts, text, sizeof parts);
  const uint64_t mixed = (parts[0] ^ parts[2]) * 0x9E3779B97F4A7C15ull + (parts[1] ^ parts[3]);
  return (mixed ^ mixed >> 29) * 0xBF58476D1CE4E5B9ull >> 32;
}

// Writes where there is room enough.
char* put_varint(char* at, uint64_t value) {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<char>(value | 0x80);
  *at++ = static_cast<char>(value);
  return at;
}

char* put_bytes(char* at, std::string_view bytes) {
  at = put_varint(at, bytes.size());
  std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

}  // namespace

void IdPacker::pack(std::string_view payload, std::string& packed) {
  ids_.clear();
  slots_.assign(std::max(slots_.size(), kFirstSlots), 0);
  // An id and the size of the literal before it are never longer than the text.
  packed.resize_and_overwrite(payload.size() + kVarintBytes, [&](char* out, size_t) {
    char* end = out;
    int64_t before = 0;
    size_t done = 0;
    for (size_t at = 0;
         (at = payload.find(kBeforeText, at)) < payload.size() && payload.size() - at > kUuidText;) {
      const char* text = payload.data() + ++at;
      if (text[8] != '-') continue;
      const Found id = find(text);
      if (id.number == kNone) continue;
      end = put_bytes(end, payload.substr(done, at - done));
      end = put_varint(end, id.is_new ? 0 : 1 + zigzag(int64_t(id.number) - before));
      if (id.is_new) {
        const Uuid uuid = *parse_canonical_uuid({text, kUuidText});
        end = std::copy(uuid.begin(), uuid.end(), end);
      }
      before = id.number;
      done = at += kUuidText;
    }
    return static_cast<size_t>(put_bytes(end, payload.substr(done)) - out);
  });
}

IdPacker::Found IdPacker::find(const char* text) {
  size_t slot = hash_of(text) & (slots_.size() - 1);
  for (; slots_[slot] != 0; slot = (slot + 1) & (slots_.size() - 1))
    if (std::memcmp(ids_[slots_[slot] - 1], text, kUuidText) == 0) return {slots_[slot] - 1};
  if (!is_uuid({text, kUuidText})) return {};
  ids_.push_back(text);
  slots_[slot] = static_cast<uint32_t>(ids_.size());
  if (ids_.size() * 2 > slots_.size()) grow();
  return {static_cast<uint32_t>(ids_.size() - 1), true};
}

void IdPacker::grow() {
  slots_.assign(slots_.size() * 2, 0);
  for (size_t i = 0; i < ids_.size(); ++i) {
    size_t slot = hash_of(ids_[i]) & (slots_.size() - 1);
    while (slots_[slot] != 0) slot = (slot + 1) & (slots_.size() - 1);
    slots_[slot] = static_cast<uint32_t>(i + 1);
  }
}

bool unpack_ids(std::string_view packed, size_t payload_bytes, std::vector<char>& payload) {
  payload.resize(payload_bytes);
  char* at = payload.data();
  char* const end = at + payload_bytes;
  ByteReader in{packed};
  std::vector<const char*> ids;  // where each stands in the payload for the first time
  uint64_t before = 0;
  while (true) {
    const std::string_view literal = in.sized();
    if (!in.good || literal.size() > static_cast<size_t>(end - at)) return false;
    at = std::copy(literal.begin(), literal.end(), at);
    if (in.rest.empty()) return at == end;
    const uint64_t step = in.varint();
    if (!in.good || static_cast<size_t>(end - at) < kUuidText) return false;
    if (step == 0) {
      const std::string_view bytes = in.bytes(std::tuple_size_v<Uuid>);
      if (!in.good) return false;
      before = ids.size();
      ids.push_back(at);
      format_uuid(reinterpret_cast<const uint8_t*>(bytes.data()), at);
    } else {
      before += static_cast<uint64_t>(unzigzag(step - 1));
      if (before >= ids.size()) return false;
      std::memcpy(at, ids[before], kUuidText);
    }
    at += kUuidText;
  }
}

}  // namespace micropay
