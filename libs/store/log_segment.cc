// Appending to the log and reading it. Opening is in log_recovery.cc.
#include "libs/store/log_segment.h"

#include <cstring>

#include "libs/base/check.h"

namespace micropay {
namespace {
constexpr uint32_t kRecordsPerMark = 64;
}

TickLog::TickLog(std::shared_ptr<LogFolder> folder, TickLogOptions options)
    : folder_(std::move(folder)), options_(options) {
  options_.segment_bytes = align_block(options_.segment_bytes);
  options_.first_bytes = std::min(align_block(options_.first_bytes), options_.segment_bytes);
}

TickLog::~TickLog() {
  preparer_.reset();
  if (file_ && !segments_.empty()) (void)file_->resize(segments_.back().used);
}

Result<void> TickLog::append(const RecordHeader& header, std::string_view record) {
  CHECK(!options_.read_only && record.size() == header.record_bytes());
  CHECK(header.tick == end_.tick + 1 && header.first_position == end_.next_position);
  uint64_t offset = segments_.back().used;
  if (offset > 0 && offset + record.size() > capacity_) {
    TRY(rotate());
    offset = 0;
  }
  auto written = file_->write_at(offset, record);
  if (written) written = file_->sync();
  if (!written) {
    // The write may have reached the disk all the same; it must not come back as a tick that nobody answered
    // for.
    BlockBuffer zeros;
    zeros.grow(kLogBlock);
    std::memset(zeros.data(), 0, kLogBlock);
    if (file_->write_at(offset, {zeros.data(), kLogBlock})) (void)file_->sync();
    return written;
  }
  std::lock_guard lock(mutex_);
  note(header, offset);
  return {};
}

void TickLog::note(const RecordHeader& header, uint64_t offset) {
  Segment& segment = segments_.back();
  if (segment.first_tick == 0) {
    segment.first_tick = header.tick;
    segment.first_position = header.first_position;
    segment.marked = true;
    since_mark_ = kRecordsPerMark;
  }
  if (++since_mark_ > kRecordsPerMark) {
    segment.marks.push_back({header.tick, header.first_position, offset});
    since_mark_ = 1;
  }
  segment.used = offset + header.record_bytes();
  end_ = {.tick = header.tick, .next_position = header.next_position()};
}

Result<void> TickLog::rotate() {
  PreparedSegment next = TRY(preparer_->take());
  std::unique_ptr<LogFile> finished = std::exchange(file_, std::move(next.file));
  uint64_t finished_bytes = segments_.back().used;
  uint32_t number = segments_.back().number + 1;
  capacity_ = next.bytes;
  {
    std::lock_guard lock(mutex_);
    older_bytes_ += finished_bytes;
    segments_.push_back({.name = next.name, .number = number});
  }
  prepare_next(std::move(finished), finished_bytes);
  return {};
}

void TickLog::prepare_next(std::unique_ptr<LogFile> finished, uint64_t finished_bytes) {
  // Sizes grow from the first one's: the next must be ready before the present one is full.
  uint64_t bytes = std::clamp(capacity_ * 4, options_.first_bytes, options_.segment_bytes);
  preparer_->prepare(fmt::format("{:08}.log", segments_.back().number + 1), bytes, std::move(finished),
                     finished_bytes);
}

LogEnd TickLog::end() const {
  std::lock_guard lock(mutex_);
  return end_;
}

uint64_t TickLog::bytes() const {
  std::lock_guard lock(mutex_);
  return older_bytes_ + (segments_.empty() ? 0 : segments_.back().used);
}

std::vector<TickLog::Extent> TickLog::extents() const {
  std::lock_guard lock(mutex_);
  std::vector<Extent> extents;
  for (const Segment& segment : segments_)
    if (segment.first_tick != 0) extents.push_back({segment.name, segment.used});
  return extents;
}

Result<void> TickLog::read(uint64_t from_tick, const Each& each) const {
  return read_places(from_tick, [&](const RecordHeader& header, std::string_view stored, const Place&) {
    return each(header, stored);
  });
}

Result<void> TickLog::read_places(uint64_t from_tick, const EachPlace& each) const {
  return walk(&Mark::tick, from_tick,
              [&](const RecordHeader& header, std::string_view stored, const Place& place) {
                return header.tick < from_tick || each(header, stored, place);
              });
}

Result<void> TickLog::read_position(uint64_t from_position, const Each& each) const {
  return walk(&Mark::position, from_position,
              [&](const RecordHeader& header, std::string_view stored, const Place&) {
                return header.next_position() <= from_position || each(header, stored);
              });
}

Result<void> TickLog::walk(uint64_t Mark::* by, uint64_t from, const EachPlace& each) const {
  size_t index = 0, last = 0;
  uint64_t last_used = 0;
  {
    std::lock_guard lock(mutex_);
    if (end_.tick == 0) return {};
    last = segments_.size() - 1;
    last_used = segments_[last].used;
    auto first = [by](const Segment& segment) {
      return by == &Mark::tick ? segment.first_tick : segment.first_position;
    };
    while (index < last && segments_[index + 1].first_tick != 0 && first(segments_[index + 1]) <= from)
      ++index;
  }
  Mark start = TRY(start_in(index, by, from));
  uint64_t expected_tick = start.tick, expected_position = start.position, offset = start.offset;
  Extent before{};  // where the segment before ended
  for (; index <= last; ++index, offset = 0) {
    std::string name;
    uint64_t limit = last_used;
    {
      std::lock_guard lock(mutex_);
      name = segments_[index].name;
      if (index < last) limit = segments_[index].used;
    }
    if (limit == 0) return {};
    auto file = TRY(folder_->open(name, LogFolder::Mode::kRead));
    SegmentReader reader(*file, offset, limit);
    RecordHeader header;
    std::string_view stored;
    for (;;) {
      auto found = TRY(reader.next(header, stored));
      if (found == SegmentReader::Found::kOther) return log_of_other_version(name);
      if (found == SegmentReader::Found::kEnd && (index < last || reader.offset() == limit)) {
        if (reader.offset() >= limit) break;
        Remainder rest = TRY(scan_remainder(*file, reader.offset(), UINT64_MAX));
        if (rest.dirty_end == 0) break;
        return log_damaged(
            name, reader.offset(), expected_tick,
            fmt::format("zeros where a record begins, but more up to byte {}", rest.dirty_end));
      }
      if (found != SegmentReader::Found::kRecord)
        return log_damaged(name, reader.offset(), expected_tick, "the record does not match its checksum");
      if (header.tick != expected_tick) {
        bool gap = reader.offset() == 0 && !before.name.empty();
        return log_damaged(gap ? before.name : name, gap ? before.bytes : reader.offset(), expected_tick,
                           fmt::format("tick {} where {} was expected", header.tick, expected_tick));
      }
      if (expected_position != 0 && header.first_position != expected_position)
        return log_damaged(
            name, reader.offset(), header.tick,
            fmt::format("event {} where {} was expected", header.first_position, expected_position));
      expected_tick = header.tick + 1;
      expected_position = header.next_position();
      if (!each(header, stored, {name, reader.offset()})) return {};
    }
    before = {name, reader.offset()};
  }
  return {};
}

// The last mark that is not behind `from`.
Result<TickLog::Mark> TickLog::start_in(size_t index, uint64_t Mark::* by, uint64_t from) const {
  bool marked;
  {
    std::lock_guard lock(mutex_);
    marked = segments_[index].marked;
  }
  if (!marked) TRY(mark_segment(index));
  std::lock_guard lock(mutex_);
  const Segment& segment = segments_[index];
  Mark start{segment.first_tick, segment.first_position, 0};
  for (const Mark& mark : segment.marks) {
    if (mark.*by > from) break;
    start = mark;
  }
  return start;
}

// Older segments get their marks when somebody first reads from their middle.
Result<void> TickLog::mark_segment(size_t index) const {
  std::string name;
  {
    std::lock_guard lock(mutex_);
    name = segments_[index].name;
  }
  auto file = TRY(folder_->open(name, LogFolder::Mode::kRead));
  SegmentReader reader(*file, 0);
  std::vector<Mark> marks;
  RecordHeader header;
  for (uint32_t count = 0; TRY(reader.hop(header)) == SegmentReader::Found::kRecord; ++count)
    if (count % kRecordsPerMark == 0) marks.push_back({header.tick, header.first_position, reader.offset()});
  std::lock_guard lock(mutex_);
  segments_[index].marks = std::move(marks);
  segments_[index].marked = true;
  return {};
}

}  // namespace micropay
