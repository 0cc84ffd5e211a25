// Encoding and decoding of log records.
#include "libs/store/log_record.h"

#include <zstd.h>

#include <cstring>

#include "libs/base/check.h"
#include "libs/store/checksum.h"

namespace micropay {
namespace {

constexpr uint32_t kMagic = 0x474f4c50;  // "PLOG"
constexpr uint16_t kFlagZstd = 1;
constexpr size_t kMinCompressed = 512;  // smaller payloads fit a block anyway

template <typename T>
T load(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <typename T>
void save(char* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

}  // namespace

HeaderState read_header(const char* at, RecordHeader& header) {
  static constexpr char kZeros[kHeaderBytes] = {};
  if (std::memcmp(at, kZeros, kHeaderBytes) == 0) return HeaderState::kZero;
  if (load<uint32_t>(at) != kMagic || load<uint64_t>(at + 56) != xxh64({at, 56})) return HeaderState::kBad;
  if (load<uint16_t>(at + 4) != kLogVersion) return HeaderState::kOther;
  header.compressed = (load<uint16_t>(at + 6) & kFlagZstd) != 0;
  header.stored_bytes = load<uint32_t>(at + 8);
  header.raw_bytes = load<uint32_t>(at + 12);
  header.tick = load<uint64_t>(at + 16);
  header.first_position = load<uint64_t>(at + 24);
  header.time = load<int64_t>(at + 32);
  header.event_count = load<uint32_t>(at + 40);
  header.payload_checksum = load<uint64_t>(at + 48);
  bool sane =
      header.stored_bytes <= kMaxPayloadBytes && header.raw_bytes <= kMaxPayloadBytes && header.tick > 0;
  return sane ? HeaderState::kValid : HeaderState::kBad;
}

void write_header(char* at, const RecordHeader& header) {
  save<uint32_t>(at, kMagic);
  save<uint16_t>(at + 4, kLogVersion);
  save<uint16_t>(at + 6, header.compressed ? kFlagZstd : 0);
  save<uint32_t>(at + 8, header.stored_bytes);
  save<uint32_t>(at + 12, header.raw_bytes);
  save<uint64_t>(at + 16, header.tick);
  save<uint64_t>(at + 24, header.first_position);
  save<int64_t>(at + 32, header.time);
  save<uint32_t>(at + 40, header.event_count);
  save<uint32_t>(at + 44, 0);
  save<uint64_t>(at + 48, header.payload_checksum);
  save<uint64_t>(at + 56, xxh64({at, 56}));
}

bool payload_matches(const RecordHeader& header, std::string_view stored) {
  return stored.size() == header.stored_bytes && xxh64(stored) == header.payload_checksum;
}

struct TickEncoder::Zstd {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  Zstd() { ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1); }
  ~Zstd() { ZSTD_freeCCtx(context); }
};

TickEncoder::TickEncoder() : zstd_(std::make_unique<Zstd>()) {}
TickEncoder::~TickEncoder() = default;

Result<std::string_view> TickEncoder::encode(const Tick& tick, RecordHeader& header) {
  raw_.clear();
  raw_.reserve(expected_bytes_);
  places_.clear();
  pack_tick(tick, raw_, places_);
  const size_t raw_bytes = raw_.size();
  if (raw_bytes > kMaxPayloadBytes)
    return fail(Code::kInternal, "tick_too_large", fmt::format("a tick of {} bytes", raw_bytes));

  buffer_.grow(align_block(kHeaderBytes + ZSTD_compressBound(raw_bytes + kMinCompressed)));
  char* payload = buffer_.data() + kHeaderBytes;
  size_t stored_bytes = raw_bytes;
  if (raw_bytes > kMinCompressed) {
    ids_.pack(raw_, packed_);
    size_t room = buffer_.capacity() - kHeaderBytes;
    size_t compressed = ZSTD_compress2(zstd_->context, payload, room, packed_.data(), packed_.size());
    CHECK(!ZSTD_isError(compressed));
    stored_bytes = compressed;
  }
  header = {.tick = tick.number,
            .first_position = tick.first_position,
            .time = tick.time,
            .event_count = static_cast<uint32_t>(tick.events.size()),
            .stored_bytes = 0,
            .raw_bytes = static_cast<uint32_t>(raw_bytes),
            .compressed = stored_bytes < raw_bytes,
            .payload_checksum = 0};
  if (!header.compressed) {
    stored_bytes = raw_bytes;
    std::memcpy(payload, raw_.data(), raw_bytes);
  }
  header.stored_bytes = static_cast<uint32_t>(stored_bytes);
  header.payload_checksum = xxh64({payload, stored_bytes});
  write_header(buffer_.data(), header);
  std::memset(payload + stored_bytes, 0, header.record_bytes() - kHeaderBytes - stored_bytes);
  return std::string_view(buffer_.data(), header.record_bytes());
}

PackedTickPtr TickEncoder::packed(const Tick& tick) {
  CHECK(places_.size() == tick.changes.size());
  expected_bytes_ = raw_.size() + raw_.size() / 8;
  auto payload = std::make_shared<const std::string>(std::move(raw_));
  auto packed = std::make_unique<PackedTick>();
  packed->number = tick.number;
  packed->events = tick.events;
  packed->changes.reserve(places_.size());
  const std::string_view bytes = *payload;
  for (size_t i = 0; i < places_.size(); ++i) {
    const ChangePlace& place = places_[i];
    packed->changes.push_back({.table = tick.changes[i].table,
                               .key = bytes.substr(place.key, place.key_bytes),
                               .row = bytes.substr(place.row, place.row_bytes),
                               .erased = tick.changes[i].row == nullptr});
  }
  packed->payload = std::move(payload);
  raw_ = {};
  return packed;
}

bool decode_record(const RecordHeader& header, std::string_view stored, TickRecord& record) {
  record.tick = header.tick;
  record.first_position = header.first_position;
  record.time = header.time;
  if (header.compressed) {
    thread_local std::string packed;
    const unsigned long long size = ZSTD_getFrameContentSize(stored.data(), stored.size());
    if (size > header.raw_bytes + kMinCompressed) return false;  // an error, too
    packed.resize(size);
    const size_t unpacked = ZSTD_decompress(packed.data(), size, stored.data(), stored.size());
    if (unpacked != size || !unpack_ids(packed, header.raw_bytes, record.payload)) return false;
  } else {
    record.payload.assign(stored.begin(), stored.end());
  }
  return unpack_tick(record, header.event_count);
}

std::shared_ptr<const EventRecord> to_event(Envelope envelope, const contract::Model& model) {
  auto event = std::make_shared<EventRecord>();
  event->type = model.event(envelope.type());
  if (event->type != nullptr) {
    std::shared_ptr<google::protobuf::Message> message = event->type->make();
    if (!message->ParseFromString(envelope.data())) return nullptr;
    event->message = std::move(message);
  }
  event->envelope = std::move(envelope);
  return event;
}

namespace {

bool parse_events(const TickRecord& record, const contract::Model& model,
                  std::vector<std::shared_ptr<const EventRecord>>& events) {
  events.reserve(record.events.size());
  for (const Envelope& envelope : record.events) {
    auto event = to_event(envelope, model);
    if (!event) return false;
    events.push_back(std::move(event));
  }
  return true;
}

}  // namespace

bool to_tick(const TickRecord& record, const contract::Model& model, Tick& tick) {
  tick = {.number = record.tick,
          .first_position = record.first_position,
          .time = record.time,
          .events = {},
          .changes = {}};
  if (!parse_events(record, model, tick.events)) return false;
  tick.changes.reserve(record.changes.size());
  for (const TickRecord::Change& stored : record.changes) {
    const contract::Table* table = model.table(std::string_view(*stored.table));
    if (table == nullptr) continue;
    RowChange change{.table = table, .key = std::string(stored.key), .row = {}};
    if (!stored.erased) {
      std::shared_ptr<google::protobuf::Message> row = table->make();
      if (!row->ParseFromArray(stored.row.data(), static_cast<int>(stored.row.size()))) return false;
      change.row = std::move(row);
    }
    tick.changes.push_back(std::move(change));
  }
  return true;
}

PackedTickPtr to_packed(TickRecord& record, const contract::Model& model) {
  auto packed = std::make_unique<PackedTick>();
  packed->number = record.tick;
  if (!parse_events(record, model, packed->events)) return nullptr;
  packed->changes.reserve(record.changes.size());
  for (const TickRecord::Change& stored : record.changes) {
    const contract::Table* table = model.table(std::string_view(*stored.table));
    if (table == nullptr) continue;
    packed->changes.push_back(
        {.table = table, .key = stored.key, .row = stored.row, .erased = stored.erased});
  }
  record.changes.clear();
  packed->payload = std::make_shared<const std::vector<char>>(std::move(record.payload));
  return packed;
}

}  // namespace micropay
