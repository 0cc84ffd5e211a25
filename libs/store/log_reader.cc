// Reading of segments.
#include "libs/store/log_reader.h"

#include <cstring>

namespace micropay {
namespace {
constexpr size_t kReadAhead = 1 << 20;

bool all_zeros(std::string_view bytes) {
  return bytes.empty() ||
         (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}
}  // namespace

Result<const char*> SegmentReader::window(uint64_t offset, size_t bytes, size_t ahead) {
  bool inside = offset >= buffer_offset_ && offset + bytes <= buffer_offset_ + buffer_.size();
  if (!inside) {
    buffer_.resize(std::max(bytes, ahead));
    buffer_.resize(TRY(file_.read_at(offset, buffer_.data(), buffer_.size())));
    buffer_offset_ = offset;
    if (buffer_.size() < bytes) return nullptr;
  }
  return buffer_.data() + (offset - buffer_offset_);
}

Result<SegmentReader::Found> SegmentReader::hop(RecordHeader& header) {
  offset_ = next_;
  if (offset_ >= limit_) return Found::kEnd;
  const char* at = TRY(window(offset_, kHeaderBytes, kLogBlock));
  if (at == nullptr) return buffer_.empty() ? Found::kEnd : Found::kBad;
  switch (read_header(at, header)) {
    case HeaderState::kZero: return Found::kEnd;
    case HeaderState::kBad: return Found::kBad;
    case HeaderState::kOther: return Found::kOther;
    case HeaderState::kValid: break;
  }
  next_ = offset_ + header.record_bytes();
  return Found::kRecord;
}

Result<SegmentReader::Found> SegmentReader::next(RecordHeader& header, std::string_view& stored) {
  if (next_ < limit_) TRY(window(next_, kHeaderBytes, kReadAhead));
  Found found = TRY(hop(header));
  if (found != Found::kRecord) return found;
  const char* at = TRY(window(offset_, header.record_bytes(), kReadAhead));
  if (at != nullptr) {
    stored = {at + kHeaderBytes, header.stored_bytes};
    // The padding shares its block with the end of the payload and was zero before: nothing tears it.
    std::string_view padding(stored.data() + stored.size(),
                             header.record_bytes() - kHeaderBytes - stored.size());
    if (payload_matches(header, stored) && all_zeros(padding)) return Found::kRecord;
  }
  next_ = offset_;
  return Found::kBad;
}

Result<Remainder> scan_remainder(const LogFile& file, uint64_t offset, uint64_t after_tick) {
  static const std::string kZeros(kLogBlock, '\0');
  Remainder remainder;
  std::string chunk(kReadAhead, '\0');
  for (;; offset += chunk.size()) {
    chunk.resize(kReadAhead);
    chunk.resize(TRY(file.read_at(offset, chunk.data(), chunk.size())));
    if (chunk.empty()) return remainder;
    for (size_t at = 0; at < chunk.size(); at += kLogBlock) {
      std::string_view block = std::string_view(chunk).substr(at, kLogBlock);
      if (std::memcmp(block.data(), kZeros.data(), block.size()) == 0) continue;
      remainder.dirty_end = offset + at + kLogBlock;
      RecordHeader header;
      if (remainder.later_tick != 0 || block.size() < kHeaderBytes) continue;
      if (read_header(block.data(), header) != HeaderState::kValid || header.tick <= after_tick) continue;
      SegmentReader reader(file, offset + at);
      std::string_view stored;
      if (TRY(reader.next(header, stored)) != SegmentReader::Found::kRecord) continue;
      remainder.later_tick = header.tick;
      remainder.later_offset = offset + at;
    }
  }
}

Result<LastRecord> find_last_record(const LogFile& file) {
  std::string chunk;
  for (uint64_t end = align_block(TRY(file.size())); end > 0;) {
    uint64_t begin = end > kReadAhead ? end - kReadAhead : 0;
    chunk.assign(end - begin, '\0');
    chunk.resize(TRY(file.read_at(begin, chunk.data(), chunk.size())));
    for (uint64_t at = align_block(chunk.size()); at > 0;) {
      at -= kLogBlock;
      RecordHeader header;
      if (at + kHeaderBytes > chunk.size()) continue;
      if (read_header(chunk.data() + at, header) == HeaderState::kValid)
        return LastRecord{header.tick, begin + at + header.record_bytes()};
    }
    end = begin;
  }
  return LastRecord{};
}

std::unexpected<Error> log_damaged(const std::string& segment, uint64_t byte, uint64_t tick,
                                   std::string_view what) {
  auto error = fail(Code::kFailedPrecondition, "log_damaged",
                    fmt::format("log/{}, byte {}, tick {}: {}; restore the folder from a backup", segment,
                                byte, tick, what));
  error.error().extensions = {
      {"segment", segment}, {"byte", std::to_string(byte)}, {"tick", std::to_string(tick)}};
  return error;
}

std::unexpected<Error> log_of_other_version(const std::string& segment) {
  return fail(Code::kFailedPrecondition, "newer_format",
              fmt::format("log/{} was written by another version, whose format is not {}; use that version",
                          segment, kLogVersion));
}

}  // namespace micropay
