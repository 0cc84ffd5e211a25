// Numbers of variable length, seven bits a byte, the lowest first: protobuf's varints, for formats of our own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace micropay {

inline void append_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

// A length, then the bytes.
inline void append_sized(std::string& out, std::string_view bytes) {
  append_varint(out, bytes.size());
  out.append(bytes);
}

// Small for small numbers of either sign.
constexpr uint64_t zigzag(int64_t value) {
  return static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63);
}
constexpr int64_t unzigzag(uint64_t bits) {
  return static_cast<int64_t>(bits >> 1) ^ -static_cast<int64_t>(bits & 1);
}

// Reads from the front of `rest`. What is not there is read as 0 or nothing, and `good` says so at the end.
struct ByteReader {
  std::string_view rest;
  bool good = true;

  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && !rest.empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(rest[0]);
      rest.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    good = false;
    return 0;
  }
  std::string_view bytes(uint64_t count) {
    if (count > rest.size()) {
      good = false;
      return {};
    }
    const std::string_view found = rest.substr(0, count);
    rest.remove_prefix(count);
    return found;
  }
  std::string_view sized() { return bytes(varint()); }
};

}  // namespace micropay
