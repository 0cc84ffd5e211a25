// Opening the log: finding its end, cutting off a torn tail, telling damage, and getting ready to append.
#include <algorithm>
#include <charconv>

#include "libs/store/log_segment.h"

namespace micropay {
namespace {

constexpr int kLiveReadings = 4;  // of a tail that is being written while we read it

// "00000012.log" -> 12; 0: not a segment.
uint32_t segment_number(std::string_view name) {
  uint32_t number = 0;
  if (name.size() != 12 || !name.ends_with(".log")) return 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + 8, number);
  return error == std::errc() && end == name.data() + 8 ? number : 0;
}

// The tick that should follow the readable records of a segment.
uint64_t tick_after(LogFolder& folder, const std::string& name) {
  auto file = folder.open(name, LogFolder::Mode::kRead);
  if (!file) return 0;
  SegmentReader reader(**file, 0);
  RecordHeader header;
  while (reader.hop(header) == SegmentReader::Found::kRecord) continue;
  return header.tick + 1;
}

}  // namespace

Result<std::unique_ptr<TickLog>> TickLog::open(std::shared_ptr<LogFolder> folder, TickLogOptions options) {
  std::unique_ptr<TickLog> log(new TickLog(std::move(folder), options));
  if (auto recovered = log->recover(); !recovered) {
    log->file_.reset();  // else it would be cut to what was readable: a log that is refused stays as it is
    return std::unexpected(recovered.error());
  }
  return log;
}

Result<void> TickLog::recover() {
  std::vector<Segment> empty_ones;
  TRY(list_segments(empty_ones));
  if (!segments_.empty()) {
    std::string name = segments_.back().name;
    auto mode = options_.read_only ? LogFolder::Mode::kRead : LogFolder::Mode::kWrite;
    file_ = TRY(folder_->open(name, mode));
    TRY(read_last_segment(*file_));
    for (size_t index = 0; index + 1 < segments_.size(); ++index) older_bytes_ += segments_[index].used;
  }
  TRY(check_empty(empty_ones));
  TRY(check_complete());
  if (options_.read_only) {
    file_.reset();
    return {};
  }
  // A process that was killed between writing and syncing left what every reader sees and no disk may have.
  // From here on it is answered for.
  if (file_) TRY(file_->sync());
  for (const Segment& segment : empty_ones) TRY(folder_->remove(segment.name));
  return go_on();
}

// Those with a record go to segments_, the ones behind them without a first record to `empty_ones`.
Result<void> TickLog::list_segments(std::vector<Segment>& empty_ones) {
  auto expected_tick = [this] { return segments_.empty() ? 1 : tick_after(*folder_, segments_.back().name); };
  for (const std::string& name : TRY(folder_->list())) {
    uint32_t number = segment_number(name);
    if (number == 0) continue;
    uint32_t before = segments_.empty() ? 0 : segments_.back().number;
    if (!empty_ones.empty()) before = empty_ones.back().number;
    if (number != before + 1)
      return log_damaged(fmt::format("{:08}.log", before + 1), 0, expected_tick(), "the segment is missing");
    auto file = TRY(folder_->open(name, LogFolder::Mode::kRead));
    Segment segment{.name = name, .number = number, .used = TRY(file->size())};
    RecordHeader header;
    SegmentReader reader(*file, 0);
    auto found = TRY(reader.hop(header));
    if (found == SegmentReader::Found::kOther) return log_of_other_version(name);
    if (found != SegmentReader::Found::kRecord) {
      empty_ones.push_back(std::move(segment));
      continue;
    }
    if (!empty_ones.empty())
      return log_damaged(empty_ones.front().name, 0, expected_tick(),
                         "the segment does not begin with a record");
    if (!segments_.empty()) TRY(check_follows(segments_.back().name, header.tick));
    if (segments_.empty() && (header.tick != 1 || header.first_position != 1))
      return log_damaged(name, 0, 1, fmt::format("the log begins with tick {}", header.tick));
    segment.first_tick = header.tick;
    segment.first_position = header.first_position;
    segments_.push_back(std::move(segment));
  }
  return {};
}

Result<void> TickLog::check_complete() const {
  if (end_.tick >= options_.least_tick) return {};
  bool none = segments_.empty();
  return log_damaged(
      none ? "00000001.log" : segments_.back().name, none ? 0 : segments_.back().used, end_.tick + 1,
      fmt::format("the log ends at tick {}, but the tables are of tick {}", end_.tick, options_.least_tick));
}

// A file that was cut short shows in the tick of its last record; what lies before that is read by verify.
Result<void> TickLog::check_follows(const std::string& name, uint64_t next_tick) const {
  auto file = TRY(folder_->open(name, LogFolder::Mode::kRead));
  LastRecord last = TRY(find_last_record(*file));
  if (last.tick + 1 == next_tick && last.end <= align_block(TRY(file->size()))) return {};
  uint64_t missing = std::min(last.tick + 1, next_tick - 1);
  return log_damaged(
      name, last.end, missing,
      fmt::format("it ends with tick {}, but the next file begins with tick {}", last.tick, next_tick));
}

Result<void> TickLog::read_last_segment(const LogFile& file) {
  Segment& segment = segments_.back();
  end_ = {.tick = segment.first_tick - 1, .next_position = segment.first_position};
  segment.first_tick = 0;  // note() sets it again
  segment.used = 0;
  for (int reading = 1;; ++reading) {
    SegmentReader reader(file, segment.used);
    RecordHeader header;
    std::string_view stored;
    auto found = TRY(reader.next(header, stored));
    for (; found == SegmentReader::Found::kRecord; found = TRY(reader.next(header, stored))) {
      if (header.tick != end_.tick + 1 || header.first_position != end_.next_position)
        return log_damaged(segment.name, reader.offset(), end_.tick + 1,
                           fmt::format("tick {} follows tick {}", header.tick, end_.tick));
      note(header, reader.offset());
    }
    if (found == SegmentReader::Found::kOther) return log_of_other_version(segment.name);
    Remainder rest = TRY(scan_remainder(file, segment.used, end_.tick));
    if (rest.later_tick != 0) {
      if (options_.read_only && reading < kLiveReadings) continue;
      return log_damaged(segment.name, segment.used, end_.tick + 1,
                         fmt::format("no readable record, but tick {} follows at byte {}", rest.later_tick,
                                     rest.later_offset));
    }
    if (rest.dirty_end > segment.used) unfinished_bytes_ = rest.dirty_end - segment.used;
    if (rest.dirty_end == 0 || options_.read_only) return {};
    TRY(check_complete());  // what is not a torn tail is left for whoever repairs it
    return fill_with_zeros(*file_, segment.used, align_block(rest.dirty_end));
  }
}

Result<void> TickLog::check_empty(const std::vector<Segment>& empty_ones) {
  for (const Segment& segment : empty_ones) {
    auto file = TRY(folder_->open(segment.name, LogFolder::Mode::kRead));
    Remainder rest = TRY(scan_remainder(*file, 0, end_.tick));
    // A live log may have begun this segment since we listed it: then its first record is the next tick.
    bool begun_now = options_.read_only && rest.later_offset == 0;
    if (rest.later_tick != 0 && !begun_now)
      return log_damaged(segment.name, 0, end_.tick + 1,
                         fmt::format("no readable record, but tick {} follows at byte {}", rest.later_tick,
                                     rest.later_offset));
  }
  return {};
}

// Makes room to append without waiting: at the end of the last segment when it has not its full size, else in
// a new one.
Result<void> TickLog::go_on() {
  preparer_ = std::make_unique<SegmentPreparer>(*folder_, options_.prepare_in_background);
  uint64_t first = std::min(options_.first_bytes, options_.segment_bytes);
  if (segments_.empty()) {
    preparer_->prepare("00000001.log", first, nullptr, 0);
    PreparedSegment prepared = TRY(preparer_->take());
    file_ = std::move(prepared.file);
    capacity_ = prepared.bytes;
    segments_.push_back({.name = prepared.name, .number = 1});
    prepare_next(nullptr, 0);
    return {};
  }
  uint64_t used = segments_.back().used;
  capacity_ = TRY(file_->size()) / kLogBlock * kLogBlock;
  if (capacity_ < used + first / 2 && used + first <= options_.segment_bytes) {
    // When the disk is full it stays as it is: commits say so, and work again when there is space.
    auto grown = fill_with_zeros(*file_, capacity_, used + first);
    if (grown) capacity_ = used + first;
    else (void)file_->resize(capacity_);
  }
  prepare_next(nullptr, 0);
  return {};
}

}  // namespace micropay
