// Reads one segment of the log, record by record, with a window of read-ahead; and looks at what lies behind
// the last good record, which decides between a torn tail and damage. Used at open, by read_log and for old
// events.
#pragma once

#include <string>
#include <string_view>

#include "libs/store/log_file.h"
#include "libs/store/log_record.h"

namespace micropay {

class SegmentReader {
 public:
  enum class Found : uint8_t { kRecord, kEnd, kBad, kOther };

  // Reads from `offset` to `limit` or the end of the file.
  SegmentReader(const LogFile& file, uint64_t offset, uint64_t limit = UINT64_MAX)
      : file_(file), offset_(offset), next_(offset), limit_(limit) {}

  // kRecord: header and stored payload, its checksum verified; the view is valid until the next call.
  Result<Found> next(RecordHeader& header, std::string_view& stored);
  // The same without reading payloads.
  Result<Found> hop(RecordHeader& header);
  // Where the record last found begins, or where next() met something else.
  uint64_t offset() const { return offset_; }
  // Where the next record begins.
  uint64_t next_offset() const { return next_; }

 private:
  // Makes [offset, offset + bytes) readable at the returned address; null: the file ends before.
  Result<const char*> window(uint64_t offset, size_t bytes, size_t ahead);

  const LogFile& file_;
  uint64_t offset_, next_, limit_;
  std::string buffer_;
  uint64_t buffer_offset_ = 0;
};

// What lies in a segment from `offset` on.
struct Remainder {
  uint64_t later_tick = 0;  // of a whole record with a tick after `after_tick`; 0: there is none
  uint64_t later_offset = 0;
  uint64_t dirty_end = 0;  // end of the last block that is not all zeros; 0: there is none
};
Result<Remainder> scan_remainder(const LogFile& file, uint64_t offset, uint64_t after_tick);

// The last record of a file by its header alone, looked for from the end; tick 0: there is none.
struct LastRecord {
  uint64_t tick = 0, end = 0;
};
Result<LastRecord> find_last_record(const LogFile& file);

// The error of a log that was damaged after it was written.
std::unexpected<Error> log_damaged(const std::string& segment, uint64_t byte, uint64_t tick,
                                   std::string_view what);
std::unexpected<Error> log_of_other_version(const std::string& segment);

}  // namespace micropay
