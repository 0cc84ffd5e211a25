// The store of the embedded profile: one folder.
//
//   DIR/LOCK                 held while a process uses the folder, with its pid
//   DIR/log/NNNNNNNN.log     the truth: packed ticks, zstd, checksummed, in segments that are allocated ahead
//   DIR/state.db             SQLite: the tables, made from the log by the applier thread; can be deleted and
//   rebuilt
//
// commit() appends to the log (O_DIRECT, fdatasync) and puts the rows into the row cache; the applier writes
// them to SQLite in larger batches, together with the projections and the tick they are of. After a crash the
// applier goes on from there. Rows that are not applied yet stay in the cache, so get() is always right;
// list() waits for the applier.
#pragma once

#include "libs/contract/columns.h"
#include "libs/store/tick_packing.h"

namespace micropay {

class TickLog;
class LogFolder;  // libs/store/log_file.h: the log's files, replaceable by a simulator's

struct EmbeddedOptions {
  std::string folder;
  bool read_only = false;       // verify, replay: takes no lock, changes nothing, sees the log as it is now
  size_t cache_rows = 200'000;  // clean rows kept in memory
  size_t segment_bytes = 64 << 20;
  size_t max_unapplied_bytes = 48 << 20;         // commit waits for the applier beyond this
  Duration apply_interval = 500 * kMillisecond;  // lists do not wait for it
  size_t checkpoint_bytes = 32 << 20;  // of SQLite's write-ahead log; an eighth of it in quiet moments
  std::function<void(const std::string& line)> progress;  // what a long start is doing
  std::shared_ptr<LogFolder> log_files;                   // null: DIR/log
};

struct EmbeddedStats {
  uint64_t ticks, log_bytes, fsync_us_total, unapplied_ticks, cached_rows, applied_tick, table_bytes;
};

class EmbeddedStore : public Store {
 public:
  // Refuses with what to do: folder in use (data_in_use), read-only, a newer format (newer_format), a damaged
  // log (log_damaged, naming segment and byte). A torn last record is cut off: it was never acknowledged.
  static Result<std::unique_ptr<EmbeddedStore>> open(EmbeddedOptions options, const contract::Model& model,
                                                     Projector* projector);
  virtual EmbeddedStats stats() const = 0;
  // Rows of a table in key order as the values of their columns, as they are stored.
  using EachValues = std::function<bool(const std::vector<contract::Value>&)>;
  virtual Result<void> scan_values(const contract::Table& table, const EachValues& each) const = 0;
  // What open() found behind the log, or of another version, and brought up to date.
  virtual const std::vector<std::string>& open_notes() const = 0;
  virtual const TickLog& log() const = 0;
  // A copy that opens as a data folder, taken while ticks go on.
  virtual Result<void> backup(const std::string& folder,
                              const std::function<void(double done)>& progress) = 0;
};

// Reads every tick of a log folder in order; for verify, replay, events. Stops with the first error: which
// segment, byte and tick are damaged.
Result<void> read_log(const std::string& folder, uint64_t from_tick,
                      const std::function<bool(const TickRecord&)>& each);

}  // namespace micropay
