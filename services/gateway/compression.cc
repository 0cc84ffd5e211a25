// zlib behind one function.
#include "services/gateway/compression.h"

#include <zlib.h>

#include "libs/base/check.h"
#include "libs/http/accept.h"

namespace micropay::gateway {
namespace {

class Compressor {
 public:
  Compressor() {
    constexpr int kGzipWindow = 15 + 16, kLevel = 4;
    CHECK(deflateInit2(&stream_, kLevel, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  }
  ~Compressor() { deflateEnd(&stream_); }
  Compressor(const Compressor&) = delete;

  std::string run(std::string_view text) {
    deflateReset(&stream_);
    std::string out(deflateBound(&stream_, text.size()), '\0');
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream_.avail_in = static_cast<uInt>(text.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    CHECK(deflate(&stream_, Z_FINISH) == Z_STREAM_END);
    out.resize(stream_.total_out);
    return out;
  }

 private:
  z_stream stream_{};
};

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) { return coding_weight(accept_encoding, "gzip") > 0; }

std::string gzip(std::string_view text) {
  static thread_local Compressor compressor;
  return compressor.run(text);
}

}  // namespace micropay::gateway
