// Reading a database in one transaction.
#include "libs/sqlserver/database_snapshot.h"

#include <algorithm>

#include "libs/base/check.h"
#include "libs/sqlserver/server_rows.h"

namespace micropay {
namespace {

constexpr int64_t kChunkTicks = 64;

// It waits for other databases while they are read.
SqlOptions options() {
  return {.application = "micropay-verify",
          .statement_timeout = 10 * kMinute,
          .lock_timeout = 10 * kSecond,
          .idle_in_transaction = kDay};
}

std::unexpected<Error> damaged(uint64_t tick, std::string_view what) {
  return fail(Code::kFailedPrecondition, "log_damaged", fmt::format("tick {}: {}", tick, what));
}

// What the log says of its records, one after another.
struct Sequence {
  uint64_t tick = 0, next_position = 1;
  bool known = false;  // false: begun in the middle, whatever comes first is right

  Result<void> take(uint64_t number, std::string_view record, RecordHeader& header) {
    if (known && number != tick + 1)
      return damaged(tick + 1, number == tick + 2 ? "is missing"
                                                  : fmt::format("is missing, and all up to {}", number - 1));
    if (record.size() < kHeaderBytes || read_header(record.data(), header) != HeaderState::kValid)
      return damaged(number, "its header is not one");
    if (header.tick != number) return damaged(number, fmt::format("is the record of tick {}", header.tick));
    if (record.size() != kHeaderBytes + header.stored_bytes ||
        !payload_matches(header, record.substr(kHeaderBytes)))
      return damaged(number, "its payload is changed");
    if (known && header.first_position != next_position)
      return damaged(number, fmt::format("its events begin at {}, and {} is next", header.first_position,
                                         next_position));
    tick = number;
    next_position = header.next_position();
    known = true;
    return {};
  }
};

}  // namespace

Result<std::unique_ptr<DatabaseSnapshot>> DatabaseSnapshot::open(const SqlAddress& address,
                                                                 SchemaTables tables) {
  auto session = TRY(SqlSession::open(address, options()));
  TRY(check_schema(*session, tables));
  std::unique_ptr<DatabaseSnapshot> snapshot(new DatabaseSnapshot(std::move(session), std::move(tables)));
  TRY(snapshot->begin());
  return snapshot;
}

Result<void> DatabaseSnapshot::begin() {
  TRY(begin_reading(*session_));
  session_->add(R"(SELECT "tick","next_position","time" FROM "log_head" WHERE "id"=1)");
  session_->add(R"(SELECT "service","tick" FROM "projection")");
  const auto answers = TRY(session_->run());
  if (answers[0]->rows() != 1)
    return fail(Code::kFailedPrecondition, "log_damaged", "the row of log_head is missing");
  end_ = {.tick = uint64_t(answers[0]->integer(0, 0)),
          .next_position = uint64_t(answers[0]->integer(0, 1)),
          .time = answers[0]->integer(0, 2)};
  for (size_t i = 0; i < answers[1]->rows(); ++i)
    positions_.emplace_back(answers[1]->value(i, 0).bytes, uint64_t(answers[1]->integer(i, 1)));
  return {};
}

std::optional<uint64_t> DatabaseSnapshot::position(std::string_view name) const {
  const auto found = std::ranges::find(positions_, name, &std::pair<std::string, uint64_t>::first);
  return found == positions_.end() ? std::nullopt : std::optional(found->second);
}

Result<void> DatabaseSnapshot::read_log(uint64_t from_tick, const EachRecord& each) const {
  CHECK(from_tick >= 1);
  Sequence sequence{.tick = from_tick - 1, .known = from_tick == 1};
  while (true) {
    session_->add(R"(SELECT "tick","record" FROM "log" WHERE "tick">? ORDER BY "tick" LIMIT ?)",
                  {sql_value(sequence.tick), sql_value(kChunkTicks)});
    const auto answers = TRY(session_->run());
    for (size_t i = 0; i < answers[0]->rows(); ++i) {
      RecordHeader header;
      const std::string_view record = answers[0]->value(i, 1).bytes;
      TRY(sequence.take(uint64_t(answers[0]->integer(i, 0)), record, header));
      if (!each(header, record.substr(kHeaderBytes))) return {};
    }
    if (answers[0]->rows() < kChunkTicks) break;
  }
  if (sequence.tick != end_.tick)
    return damaged(sequence.tick + 1,
                   fmt::format("is not there: the log ends, and its head says tick {}", end_.tick));
  if (sequence.known && sequence.next_position != end_.next_position)
    return damaged(sequence.tick, fmt::format("its events end before {}, the head says {}",
                                              sequence.next_position, end_.next_position));
  return {};
}

Result<DatabaseSnapshot::Events> DatabaseSnapshot::read_events(uint64_t position, size_t limit,
                                                               const contract::Model& model) const {
  session_->add(R"(SELECT COALESCE(MAX("tick"),1) FROM "log" WHERE "first_position"<=?)",
                {sql_value(std::max<uint64_t>(position, 1))});
  const auto from = uint64_t(TRY(session_->run())[0]->integer(0, 0));
  Events events;
  TickRecord record;
  Result<void> decoded;
  TRY(read_log(from, [&](const RecordHeader& header, std::string_view stored) {
    if (!decode_record(header, stored, record)) decoded = damaged(header.tick, "cannot be decoded");
    for (size_t i = 0; decoded && i < record.events.size() && events.size() < limit; ++i) {
      if (record.events[i].position() < position) continue;
      events.push_back(to_event(std::move(record.events[i]), model));
      if (events.back() == nullptr) decoded = damaged(header.tick, "an event of it cannot be read");
    }
    return decoded && events.size() < limit;
  }));
  TRY(decoded);
  return events;
}

Result<void> DatabaseSnapshot::scan_values(const contract::Table& table, const EachValues& each) const {
  return micropay::scan_values(*session_, table, each);
}

}  // namespace micropay
