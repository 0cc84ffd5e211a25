// Records of the log. "tick": a byte, how many events, and the rest is a payload, which must decode, encode
// and decode as the same tick. "zstd": a compressed payload of any bytes. "header": 64 bytes of a header whose
// checksum holds.
#include "libs/store/log_record.h"

#include <cstring>

#include "contracts/runtime.pb.h"
#include "fuzz/messages.h"
#include "fuzz/target.h"
#include "libs/base/check.h"
#include "libs/store/checksum.h"

namespace micropay::fuzz {
namespace {

std::string text_of(const Tick& tick) {
  std::string text = fmt::format("{} {} {}\n", tick.number, tick.first_position, tick.time);
  for (const auto& event : tick.events) {
    StoredEnvelope stored;
    event->envelope.store(stored);
    text += bytes_of(stored) + "\n";
  }
  for (const RowChange& change : tick.changes)
    text += change.table->sql_name + change.key + (change.row ? bytes_of(*change.row) : "erased") + "\n";
  return text;
}

void check_tick(std::string_view bytes) {
  if (bytes.empty()) return;
  const RecordHeader header{.tick = 1,
                            .first_position = 1,
                            .time = 1'700'000'000'000'000,
                            .event_count = uint8_t(bytes[0]),
                            .stored_bytes = uint32_t(bytes.size() - 1)};
  TickRecord decoded;
  Tick tick, again;
  if (!decode_record(header, bytes.substr(1), decoded) || !to_tick(decoded, contract::model(), tick)) return;
  static TickEncoder& encoder = *new TickEncoder;
  RecordHeader written, read;
  const std::string_view stored = encoder.encode(tick, written).value();
  CHECK(read_header(stored.data(), read) == HeaderState::kValid);
  CHECK(read.record_bytes() == stored.size() && read.tick == tick.number);
  const std::string_view payload = stored.substr(kHeaderBytes, read.stored_bytes);
  TickRecord stored_record;
  CHECK(payload_matches(read, payload) && decode_record(read, payload, stored_record));
  CHECK(to_tick(stored_record, contract::model(), again));
  CHECK(text_of(again) == text_of(tick));
}

void check_zstd(std::string_view bytes) {
  if (bytes.size() < 2) return;
  RecordHeader header{.tick = 1, .compressed = true};
  uint16_t raw_bytes = 0;
  std::memcpy(&raw_bytes, bytes.data(), sizeof raw_bytes);
  header.raw_bytes = raw_bytes;
  header.stored_bytes = uint32_t(bytes.size() - 2);
  TickRecord record;
  if (decode_record(header, bytes.substr(2), record)) CHECK(record.tick == header.tick);
}

void check_header(std::string_view bytes) {
  char at[kHeaderBytes] = {}, again[kHeaderBytes];
  std::memcpy(at, bytes.data(), std::min(bytes.size(), sizeof at));
  std::memcpy(at, "PLOG", 4);
  const uint64_t checksum = xxh64({at, 56});
  std::memcpy(at + 56, &checksum, sizeof checksum);
  RecordHeader header, read;
  if (read_header(at, header) != HeaderState::kValid) return;
  CHECK(header.record_bytes() >= kHeaderBytes && header.record_bytes() % kLogBlock == 0);
  write_header(again, header);
  CHECK(read_header(again, read) == HeaderState::kValid);
  CHECK(read.tick == header.tick && read.first_position == header.first_position && read.time == header.time);
  CHECK(read.stored_bytes == header.stored_bytes && read.raw_bytes == header.raw_bytes);
}

void run(std::string_view bytes) {
  const std::string_view line = take_line(bytes);
  if (line == "zstd") return check_zstd(bytes);
  if (line == "header") return check_header(bytes);
  check_tick(bytes);
}

const Register kRegistered("log_record", run);

}  // namespace
}  // namespace micropay::fuzz
