// Log rows.
#include "libs/sqlserver/log_rows.h"

#include "libs/base/check.h"

namespace micropay {
namespace {

std::unexpected<Error> damaged(int64_t tick, std::string_view what) {
  return fail(Code::kInternal, "log_damaged", fmt::format("tick {} of the database's log: {}", tick, what));
}

}  // namespace

Result<void> LogRow::pack(const Tick& tick) {
  if (packed_ != &tick || header_.time != tick.time) {
    const std::string_view padded = TRY(encoder_.encode(tick, header_));
    record_.assign(padded.substr(0, kHeaderBytes + header_.stored_bytes));
    packed_ = &tick;
    return {};
  }
  header_.tick = tick.number;
  header_.first_position = tick.first_position;
  write_header(record_.data(), header_);
  return {};
}

std::string_view log_since_sql() {
  return R"(SELECT "tick","record","instance","epoch" FROM "log" WHERE "tick">? ORDER BY "tick" LIMIT ?)";
}

std::string_view log_insert_sql() {
  return R"(INSERT INTO "log" ("tick","first_position","time","instance","epoch","record") )"
         R"(VALUES (?,?,?,?,?,?))";
}

Result<TickRecord> record_of(const SqlRows& answer, size_t row) {
  const int64_t number = answer.integer(row, 0);
  const std::string_view stored = answer.value(row, 1).bytes;
  RecordHeader header;
  if (stored.size() < kHeaderBytes || read_header(stored.data(), header) != HeaderState::kValid)
    return damaged(number, "its header is not one");
  if (header.tick != static_cast<uint64_t>(number)) return damaged(number, "it is another tick's record");
  TickRecord record;
  const std::string_view payload = stored.substr(kHeaderBytes);
  if (!payload_matches(header, payload) || !decode_record(header, payload, record))
    return damaged(number, "its payload is changed");
  return record;
}

Result<std::shared_ptr<const Tick>> tick_of(const SqlRows& answer, size_t row, const contract::Model& model) {
  const TickRecord record = TRY(record_of(answer, row));
  auto tick = std::make_shared<Tick>();
  if (!to_tick(record, model, *tick)) return damaged(answer.integer(row, 0), "a message in it is not one");
  return tick;
}

}  // namespace micropay
