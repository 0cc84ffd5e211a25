// The log: ticks in order, in segment files NNNNNNNN.log. One thread appends; any thread reads what is
// durable.
//
// A segment is zero-filled before it is used and cut to its records when it is full. Behind the last segment
// with records lies at most one that is prepared and empty. A record that does not check out is a torn tail
// when it is in the last segment and no later record follows: it was never acknowledged, and is zeroed.
// Anything else is damage.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "libs/store/log_reader.h"
#include "libs/store/segment_preparer.h"

namespace micropay {

struct TickLogOptions {
  uint64_t segment_bytes = 64 << 20;
  uint64_t first_bytes = 4 << 20;  // of the first segment of a run, so that a start does not wait for zeros
  bool read_only = false;
  bool prepare_in_background = true;
  uint64_t least_tick = 0;  // known to have been written: a log that ends before it is damaged
};

class TickLog {
 public:
  using Each = std::function<bool(const RecordHeader&, std::string_view stored)>;  // false: enough
  struct Place {                                                                   // of a record
    std::string_view segment;
    uint64_t byte = 0;
  };
  using EachPlace = std::function<bool(const RecordHeader&, std::string_view stored, const Place&)>;
  struct Extent {
    std::string name;
    uint64_t bytes;
  };

  // Errors: log_damaged, newer_format, storage_failed, storage_full.
  static Result<std::unique_ptr<TickLog>> open(std::shared_ptr<LogFolder> folder, TickLogOptions options);
  ~TickLog();  // cuts the last segment to its records

  // Durable when it returns; after an error the same tick may be appended again.
  Result<void> append(const RecordHeader& header, std::string_view record);
  LogEnd end() const;
  // Records from the tick or the event position on, in order, up to what was durable at the call.
  Result<void> read(uint64_t from_tick, const Each& each) const;
  Result<void> read_places(uint64_t from_tick, const EachPlace& each) const;
  Result<void> read_position(uint64_t from_position, const Each& each) const;
  // The files of the log up to its present end, for a backup.
  std::vector<Extent> extents() const;
  uint64_t bytes() const;
  // Of a log opened for reading: what lies behind the last record, of a write that did not end.
  uint64_t unfinished_bytes() const { return unfinished_bytes_; }

 private:
  struct Mark {  // every so many records, where one begins
    uint64_t tick, position, offset;
  };
  struct Segment {
    std::string name;
    uint32_t number = 0;
    uint64_t used = 0;        // bytes of records; of older segments: of the file
    uint64_t first_tick = 0;  // 0: none yet
    uint64_t first_position = 0;
    bool marked = false;  // `marks` cover it
    std::vector<Mark> marks;
  };

  TickLog(std::shared_ptr<LogFolder> folder, TickLogOptions options);
  Result<void> recover();
  Result<void> list_segments(std::vector<Segment>& empty_ones);
  Result<void> check_complete() const;
  Result<void> check_follows(const std::string& name, uint64_t next_tick) const;
  Result<void> read_last_segment(const LogFile& file);
  Result<void> check_empty(const std::vector<Segment>& empty_ones);
  Result<void> go_on();
  Result<void> rotate();
  void prepare_next(std::unique_ptr<LogFile> finished, uint64_t finished_bytes);
  void note(const RecordHeader& header, uint64_t offset);
  Result<void> walk(uint64_t Mark::* by, uint64_t from, const EachPlace& each) const;
  Result<Mark> start_in(size_t index, uint64_t Mark::* by, uint64_t from) const;
  Result<void> mark_segment(size_t index) const;

  std::shared_ptr<LogFolder> folder_;
  TickLogOptions options_;
  mutable std::mutex mutex_;  // guards the three that follow; only the appending thread changes them
  mutable std::vector<Segment> segments_;
  LogEnd end_;
  uint64_t older_bytes_ = 0;       // of segments before the last
  std::unique_ptr<LogFile> file_;  // the last segment, for writing
  uint64_t capacity_ = 0;          // of it
  uint64_t unfinished_bytes_ = 0;
  uint32_t since_mark_ = 0;
  std::unique_ptr<SegmentPreparer> preparer_;
};

}  // namespace micropay
