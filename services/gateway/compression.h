// gzip for answers. Thread-safe; each thread keeps its own compressor, because making one costs more than
// using it.
#pragma once

#include <string>
#include <string_view>

namespace micropay::gateway {

constexpr size_t kMinCompressedBytes = 1024;

// Whether an Accept-Encoding header allows gzip ("gzip;q=0" does not).
bool accepts_gzip(std::string_view accept_encoding);
std::string gzip(std::string_view text);

}  // namespace micropay::gateway
