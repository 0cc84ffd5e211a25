// Reads HTTP/1.1 requests (RFC 9112) out of bytes as they arrive, strictly: whatever two readers might
// understand differently is refused, because a proxy in front could be the other reader. No I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libs/http/message.h"

namespace micropay {

struct ParseError {
  uint32_t status = 400;
  std::string_view reason;  // stable word
  std::string_view detail;
};

struct HeadLimits {
  size_t max_bytes = 16 << 10;
  size_t max_headers = 100;
  size_t max_target_bytes = 8 << 10;
};

// Looks for the end of the head, going on where the last call stopped.
class HeadScanner {
 public:
  // Length of the head with its empty line; 0: not complete yet. A line that ends in a bare line feed is an
  // error.
  std::optional<ParseError> scan(std::string_view bytes, const HeadLimits& limits, size_t& length);
  void reset() {
    scanned_ = 0;
    first_line_ = true;
  }

 private:
  size_t scanned_ = 0;
  bool first_line_ = true;
};

struct RequestHead {
  HttpRequest request;
  uint64_t content_length = 0;
  bool chunked = false;
  bool expects_continue = false;
  bool http11 = true;
};

// `bytes` is what HeadScanner found: request line, headers, empty line.
std::optional<ParseError> parse_head(std::string_view bytes, const HeadLimits& limits, RequestHead& head);

// Takes the bytes of one body, of known length or chunked (extensions and trailers are read over).
class BodyReader {
 public:
  void start(const RequestHead& head, size_t max_bytes);
  // Appends to `body`, and removes what it took from the front of `bytes`.
  std::optional<ParseError> feed(std::string_view& bytes, std::string& body);
  bool done() const { return state_ == State::kDone; }

 private:
  enum class State : uint8_t {
    kFixed,        // `left_` bytes of a body of known length
    kSize,         // hexadecimal digits of a chunk's size
    kExtension,    // up to the end of the size line
    kSizeLineEnd,  // its line feed
    kData,         // `left_` bytes of a chunk
    kDataReturn,   // the line break behind it
    kDataLineEnd,
    kTrailer,  // trailer lines up to an empty one
    kDone,
  };
  std::optional<ParseError> feed_framing(char c);
  std::optional<ParseError> end_of_size_line();
  std::optional<ParseError> feed_trailer(char c);

  State state_ = State::kDone;
  uint64_t left_ = 0;
  size_t max_bytes_ = 0;
  size_t digits_ = 0;
  size_t overhead_ = 0;    // bytes of extensions and trailers, which are bounded, too
  size_t line_bytes_ = 0;  // of the trailer line
  bool after_return_ = false;
};

}  // namespace micropay
