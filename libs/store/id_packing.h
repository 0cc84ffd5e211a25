// Ids in a payload said short, before it is compressed: a payment's ten events and nine rows name the same
// few ids a hundred times, as text of 36 characters each, and a compressor spends most of its time on finding
// that out.
//
//   packed := (literal id)* literal
//   literal := varint size, bytes; one before an id ends with '$', the length byte that protobuf puts before
//   36
//              characters
//   id      := varint 0: a new one, 16 bytes | 1 + zigzag: its number among the ids so far, less that of the
//   id
//              before it. The same steps come again with each payment, and compress well.
//
// Any bytes may be packed, and come back as they were. The log's encoder uses it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/ids.h"

namespace micropay {

class IdPacker {
 public:
  // Replaces what `packed` holds. Keeps its memory; one thread.
  void pack(std::string_view payload, std::string& packed);

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Found {
    uint32_t number = kNone;  // kNone: the text is no id
    bool is_new = false;
  };
  Found find(const char* text);
  void grow();

  std::vector<uint32_t> slots_;   // number + 1 by hash, 0: free; a power of two of them, at most half in use
  std::vector<const char*> ids_;  // where each stands in the payload for the first time
};

// `payload` gets exactly `payload_bytes`; false when `packed` is not of that many.
bool unpack_ids(std::string_view packed, size_t payload_bytes, std::vector<char>& payload);

}  // namespace micropay
