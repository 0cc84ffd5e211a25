// The body of a request: of known length, or chunked (RFC 9112 7.1) as a small state machine over single
// bytes of framing, with the data between copied in one piece.
#include "libs/http/request_parser.h"

namespace micropay {
namespace {

constexpr size_t kMaxOverhead = 8 << 10;  // extensions and trailers of one body
constexpr ParseError kMalformedChunk{400, "malformed_chunk", "The chunked body is not well-formed."};
constexpr ParseError kTooLarge{413, "body_too_large", "The body is too large."};

}  // namespace

void BodyReader::start(const RequestHead& head, size_t max_bytes) {
  max_bytes_ = max_bytes;
  digits_ = overhead_ = line_bytes_ = 0;
  after_return_ = false;
  left_ = head.chunked ? 0 : head.content_length;
  state_ = head.chunked ? State::kSize : left_ > 0 ? State::kFixed : State::kDone;
}

std::optional<ParseError> BodyReader::feed(std::string_view& bytes, std::string& body) {
  while (!bytes.empty() && !done()) {
    if (state_ == State::kFixed || state_ == State::kData) {
      size_t count = std::min<uint64_t>(left_, bytes.size());
      if (body.size() + count > max_bytes_) return kTooLarge;
      body.append(bytes.substr(0, count));
      bytes.remove_prefix(count);
      left_ -= count;
      if (left_ == 0) state_ = state_ == State::kFixed ? State::kDone : State::kDataReturn;
    } else {
      char c = bytes.front();
      bytes.remove_prefix(1);
      if (auto error = feed_framing(c)) return error;
      if (state_ == State::kData && body.size() + left_ > max_bytes_) return kTooLarge;
    }
  }
  return {};
}

std::optional<ParseError> BodyReader::feed_framing(char c) {
  switch (state_) {
    case State::kSize: {
      int digit = c >= '0' && c <= '9'                 ? c - '0'
                  : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                       : -1;
      if (digit >= 0) {
        if (++digits_ > 8) return kTooLarge;
        left_ = left_ << 4 | static_cast<uint64_t>(digit);
        return {};
      }
      if (digits_ == 0 || (c != '\r' && c != ';')) return kMalformedChunk;
      state_ = c == '\r' ? State::kSizeLineEnd : State::kExtension;
      return {};
    }
    case State::kExtension:
      if (++overhead_ > kMaxOverhead || c == '\n') return kMalformedChunk;
      if (c == '\r') state_ = State::kSizeLineEnd;
      return {};
    case State::kSizeLineEnd: return c == '\n' ? end_of_size_line() : kMalformedChunk;
    case State::kDataReturn:
      if (c != '\r') return kMalformedChunk;
      state_ = State::kDataLineEnd;
      return {};
    case State::kDataLineEnd:
      if (c != '\n') return kMalformedChunk;
      state_ = State::kSize;
      return {};
    case State::kTrailer: return feed_trailer(c);
    default: return kMalformedChunk;
  }
}

std::optional<ParseError> BodyReader::end_of_size_line() {
  digits_ = 0;
  state_ = left_ > 0 ? State::kData : State::kTrailer;
  return {};
}

std::optional<ParseError> BodyReader::feed_trailer(char c) {
  if (++overhead_ > kMaxOverhead) return kMalformedChunk;
  if (after_return_) {
    if (c != '\n') return kMalformedChunk;
    if (line_bytes_ == 0) state_ = State::kDone;
    line_bytes_ = 0;
    after_return_ = false;
  } else if (c == '\r') {
    after_return_ = true;
  } else {
    if (c == '\n') return kMalformedChunk;
    ++line_bytes_;
  }
  return {};
}

}  // namespace micropay
