// XXH64, the checksum of log records: the published algorithm, so that any tool can check a log. It guards
// against torn writes and flipped bits, not against people.
#pragma once

#include <cstdint>
#include <string_view>

namespace micropay {

uint64_t xxh64(std::string_view bytes, uint64_t seed = 0);

}  // namespace micropay
