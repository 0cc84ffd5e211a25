// The log in a database: a row a tick, whose record is that of the embedded log (libs/store/log_record.h)
// without its padding, checksums included.
#pragma once

#include "libs/sqlserver/sql_session.h"
#include "libs/store/log_record.h"

namespace micropay {

// A tick on its way into the log.
class LogRow {
 public:
  // Packs it. Again when only its place has changed costs next to nothing.
  Result<void> pack(const Tick& tick);
  std::string_view record() const { return record_; }
  void forget() { packed_ = nullptr; }  // another tick may lie at the same address

 private:
  TickEncoder encoder_;
  RecordHeader header_;
  std::string record_;
  const Tick* packed_ = nullptr;  // whose record it is
};

// SQL: the columns that tick_of() reads, of the ticks behind one, at most so many. Parameters: tick, limit.
std::string_view log_since_sql();
std::string_view log_insert_sql();  // tick, first_position, time, instance, epoch, record

// A tick of an answer to log_since_sql(). log_damaged when the record is none.
Result<std::shared_ptr<const Tick>> tick_of(const SqlRows& answer, size_t row, const contract::Model& model);
// Its record, taken apart; for readers of events, who need no rows.
Result<TickRecord> record_of(const SqlRows& answer, size_t row);

}  // namespace micropay
