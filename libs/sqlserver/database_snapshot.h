// One state of a service's database, to be read whole: `micropay verify --cluster`. A transaction that only
// reads and shows what was committed when it began, however long it takes and whoever writes meanwhile; so
// log and tables belong together. One thread at a time.
//
// Errors: as the server says (kUnavailable), schema_outdated, newer_format; log_damaged, naming the tick,
// when a record is not what was written, or one is missing.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/sqlserver/server_schema.h"
#include "libs/store/log_record.h"

namespace micropay {

class DatabaseSnapshot {
 public:
  using EachRecord = std::function<bool(const RecordHeader& header, std::string_view stored)>;
  using EachValues = std::function<bool(const std::vector<contract::Value>& values)>;
  using Events = std::vector<std::shared_ptr<const EventRecord>>;

  static Result<std::unique_ptr<DatabaseSnapshot>> open(const SqlAddress& address, SchemaTables tables);

  const SchemaTables& tables() const { return tables_; }
  // What the head row says: the last tick, and the position behind its events.
  const LogEnd& end() const { return end_; }
  // Records from the tick on, to the end or until `each` returns false: ticks and positions without gaps,
  // checksums right.
  Result<void> read_log(uint64_t from_tick, const EachRecord& each) const;
  Result<Events> read_events(uint64_t position, size_t limit, const contract::Model& model) const;
  // Rows of a table as columns, in the order of their keys.
  Result<void> scan_values(const contract::Table& table, const EachValues& each) const;
  // How far a projection or a duty is ("(shipping)"); none when nobody has begun with it.
  std::optional<uint64_t> position(std::string_view name) const;

 private:
  DatabaseSnapshot(std::unique_ptr<SqlSession> session, SchemaTables tables)
      : session_(std::move(session)), tables_(std::move(tables)) {}
  Result<void> begin();
  Result<void> check_end(const RecordHeader& last) const;

  std::unique_ptr<SqlSession> session_;
  const SchemaTables tables_;
  LogEnd end_;
  std::vector<std::pair<std::string, uint64_t>> positions_;
};

}  // namespace micropay
