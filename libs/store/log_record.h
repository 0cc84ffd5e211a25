// One record of the log: a header of 64 bytes, the tick (tick_packing.h; id_packing.h and zstd when that
// pays), zeros up to a block. The header has a checksum of its own, so that a reader can hop over records
// without reading them, and damage is told from the end of the log. All integers little-endian.
//
//   0 magic u32 | 4 version u16 | 6 flags u16 | 8 stored bytes u32 | 12 raw bytes u32 | 16 tick u64
//   24 first position u64 | 32 time i64 | 40 events u32 | 44 zero u32 | 48 XXH64 of the payload | 56 XXH64 of
//   0..55
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "libs/store/id_packing.h"
#include "libs/store/log_file.h"
#include "libs/store/packed_tick.h"
#include "libs/store/tick_packing.h"

namespace micropay {

constexpr uint16_t kLogVersion =
    3;  // 1: ticks were protobuf, 2: ids were compressed as text; before any release
constexpr size_t kHeaderBytes = 64;
constexpr uint32_t kMaxPayloadBytes = 1u << 30;

struct RecordHeader {
  uint64_t tick = 0;
  uint64_t first_position = 0;
  Time time = 0;
  uint32_t event_count = 0;
  uint32_t stored_bytes = 0;
  uint32_t raw_bytes = 0;
  bool compressed = false;
  uint64_t payload_checksum = 0;

  uint64_t record_bytes() const { return align_block(kHeaderBytes + stored_bytes); }
  uint64_t next_position() const { return first_position + event_count; }
};

enum class HeaderState : uint8_t { kValid, kZero, kBad, kOther };  // kOther: of another version
HeaderState read_header(const char* at, RecordHeader& header);     // kHeaderBytes at `at`
void write_header(char* at, const RecordHeader& header);
bool payload_matches(const RecordHeader& header, std::string_view stored);

// Makes records. Keeps its buffers and the zstd context; one thread.
class TickEncoder {
 public:
  TickEncoder();
  ~TickEncoder();
  // The record, aligned and padded; valid until the next call. Fails when it would be over kMaxPayloadBytes
  // (kInternal, tick_too_large).
  Result<std::string_view> encode(const Tick& tick, RecordHeader& header);
  // The tick that was encoded last; once.
  PackedTickPtr packed(const Tick& tick);

 private:
  struct Zstd;
  std::unique_ptr<Zstd> zstd_;
  IdPacker ids_;
  std::string raw_, packed_;
  std::vector<ChangePlace> places_;
  size_t expected_bytes_ = 0;  // of the next payload
  BlockBuffer buffer_;
};

// The stored payload taken apart; false when it is not one. `record` may be used again and again.
bool decode_record(const RecordHeader& header, std::string_view stored, TickRecord& record);

// A decoded record as rows and events of the model; false when a message does not parse. An event or a table
// that the model does not know (of a service that was removed) keeps only its envelope, and its rows are left
// out.
bool to_tick(const TickRecord& record, const contract::Model& model, Tick& tick);
// The same for the applier, which makes no messages of rows; null when an event does not parse. Takes the
// record's payload.
PackedTickPtr to_packed(TickRecord& record, const contract::Model& model);
std::shared_ptr<const EventRecord> to_event(Envelope envelope, const contract::Model& model);

}  // namespace micropay
