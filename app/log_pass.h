// One pass over the log, in a pipeline of threads: read, check and unpack records and note what every row of
// the engine's tables must be | parse events | make the audit trail's blocks | make the other projections'
// rows. Nothing is written but a scratch file of projected rows, and memory is bounded by the rows' hashes.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "app/evidence.h"
#include "app/row_map.h"
#include "libs/base/error.h"
#include "libs/base/keyed_hash.h"

namespace micropay::app {

// A place of the audit chain that somebody noted earlier: entry number and its hash.
struct AuditHead {
  uint64_t sequence = 0;
  std::string hash;
};

struct LogPassOptions {
  std::optional<AuditHead> known = {};  // its hash is compared when the chain comes by
  std::string service = {};             // whose log it is, so whose projections are made; empty: of all
  uint64_t projected_to = UINT64_MAX;   // tick up to which the projections are made there
  // Of every record and of every event, in order, on a thread of the pass.
  std::function<void(const TickRecord& record)> look_at_record = {};
  std::function<void(const Envelope& event)> look = {};
  std::function<void(uint64_t events)> tell = {};  // now and then, on the caller's thread
};

class ProjectionPass;

class LogPass {
 public:
  LogPass();
  ~LogPass();

  // Called once; a damaged log is the error.
  Result<void> run(const Evidence& evidence, const LogPassOptions& options);

  uint64_t ticks() const { return ticks_; }
  uint64_t events() const { return events_; }
  const AuditHead& head() const { return head_; }  // the chain's last entry
  bool known_head_met() const { return known_met_; }

  const KeyedHash& hash() const { return hash_; }
  RowMap& rows(const contract::Table& table) { return rows_[table.id]; }
  // A projected row as this pass made it, by RowMap::Entry::where: its key and its bytes.
  std::optional<std::pair<std::string, std::string>> projected(const contract::Table& table,
                                                               uint64_t where) const;
  uint64_t bytes() const;  // of memory

 private:
  struct Batch;
  class Pool;
  class Lane;
  Result<void> read(const Evidence& evidence, const LogPassOptions& options, Pool& pool, Lane& parser);
  void take(TickRecord& record, const LogPassOptions& options, Batch& batch);
  void note_changes(const TickRecord& record);
  void extend_trail(const Batch& batch, const std::optional<AuditHead>& known);
  void close_block();
  std::vector<std::unique_ptr<Lane>> start_lanes(const LogPassOptions& options);

  const KeyedHash hash_;
  std::vector<RowMap> rows_;  // by Table::id; each is written by one thread
  std::unordered_map<const std::string*, const contract::Table*> tables_;  // by the name in a record
  std::vector<std::unique_ptr<ProjectionPass>> projections_;
  struct Trail;
  std::unique_ptr<Trail> trail_;
  struct Noted {
    RowMap* rows;
    uint64_t key;
    const TickRecord::Change* change;
  };
  std::vector<Noted> noted_;  // of the record at hand
  AuditHead head_;
  bool known_met_ = false;
  uint64_t ticks_ = 0;
  std::atomic<uint64_t> events_ = 0;
  std::atomic<uint64_t> bad_event_ = 0;  // position of one whose message does not parse
};

}  // namespace micropay::app
