// The log's files, damaged. A sound log of two segments, then edits of four bytes each: change a byte, zero a
// block, copy a block over another, cut the file. It is refused, or what is read is the beginning of what was
// written: never another tick, never a gap.
#include <random>

#include "fuzz/target.h"
#include "libs/base/check.h"
#include "libs/store/log_file_twin.h"
#include "libs/store/log_segment.h"

namespace micropay::fuzz {
namespace {

constexpr char kFiles[][16] = {"00000001.log", "00000002.log"};
constexpr uint64_t kSegment = 8 * kLogBlock;
constexpr TickLogOptions kOptions{
    .segment_bytes = kSegment, .first_bytes = kSegment, .read_only = false, .prepare_in_background = false};

struct Sound {
  std::shared_ptr<LogFolderTwin> folder = std::make_shared<LogFolderTwin>();
  std::vector<std::string> payloads;

  Sound() {
    auto log = TickLog::open(folder, kOptions).value();
    TickEncoder encoder;
    for (uint64_t number = 1; number <= 12; ++number) {
      auto event = std::make_shared<EventRecord>();
      event->envelope.set_id(fmt::format("{:0{}}", number, number % 3 * 900 + 20));
      RecordHeader header;
      const Tick tick{
          .number = number, .first_position = number, .time = 7, .events = {event}, .changes = {}};
      const std::string_view record = encoder.encode(tick, header).value();
      CHECK(log->append(header, record).has_value());
      payloads.emplace_back(record.substr(kHeaderBytes, header.stored_bytes));
    }
  }
};

void edit(std::string& file, unsigned kind, uint64_t offset, unsigned char value) {
  if (file.empty()) return;
  offset %= file.size();
  const uint64_t block = offset / kLogBlock * kLogBlock;
  const uint64_t from = value % (kSegment / kLogBlock) * kLogBlock;
  switch (kind % 4) {
    case 0: file[offset] = char(value); break;
    case 1: file.replace(block, kLogBlock, kLogBlock, '\0'); break;
    case 2:
      if (from + kLogBlock <= file.size() && block + kLogBlock <= file.size())
        file.replace(block, kLogBlock, file.substr(from, kLogBlock));
      break;
    default: file.resize(value & 1 ? offset : block);
  }
}

void check_read(const std::shared_ptr<LogFolderTwin>& folder, const Sound& sound, bool read_only) {
  TickLogOptions options = kOptions;
  options.read_only = read_only;
  auto log = TickLog::open(folder, options);
  if (!log) {
    CHECK(!log.error().reason.empty());
    return;
  }
  uint64_t next = 1;
  auto read = (*log)->read(1, [&](const RecordHeader& header, std::string_view stored) {
    CHECK(header.tick == next && next <= sound.payloads.size());
    CHECK(stored == sound.payloads[next - 1]);
    ++next;
    return true;
  });
  if (read) CHECK((*log)->end().tick == next - 1);
}

void run(std::string_view bytes) {
  static const Sound& sound = *new Sound;
  std::mt19937_64 random(1);
  const auto damaged = sound.folder->crash(random, false);
  for (; bytes.size() >= 4; bytes.remove_prefix(4)) {
    const auto at = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
    edit(damaged->bytes(kFiles[at(0) >> 7]), at(0), (uint64_t(at(1)) << 8 | at(2)) % kSegment, at(3));
  }
  check_read(damaged, sound, true);
  check_read(damaged, sound, false);  // this one mends a torn tail
  check_read(damaged, sound, true);
}

const Register kRegistered("log_file", run);

}  // namespace
}  // namespace micropay::fuzz
