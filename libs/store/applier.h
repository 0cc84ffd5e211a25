// Writes committed ticks into the tables, behind the hot path, in two steps. Soon after its commit a tick is
// gathered: its events go through the projections while they are still in the processor's caches, and are let
// go; its rows wait as bytes. When enough has been gathered, or somebody waits, it is written: many ticks in
// one SQLite transaction, of each row only its last version, with the projections' rows and the tick they are
// of. So after a crash it goes on where it was. Checkpoints run on its thread, too. When the disk is full it
// tells those who wait, keeps everything, and tries again.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>

#include "libs/store/packed_tick.h"
#include "libs/store/projected_rows.h"
#include "libs/store/row_cache.h"
#include "libs/store/sql_tables.h"

namespace micropay {

struct ApplierOptions {
  Duration gather_interval = 20 * kMillisecond;
  Duration interval = 20 * kMillisecond;  // from a tick's gathering to its writing, at most
  size_t max_unapplied_bytes = 256 << 20;
  size_t checkpoint_bytes = 32 << 20;
};

class Applier {
 public:
  struct Stats {
    uint64_t batches = 0, rows = 0, projected_events = 0;
  };

  // `projector` may be null. The tables belong to the applier from now on.
  Applier(ApplierOptions options, std::unique_ptr<SqlTables> tables, RowCache& cache, Projector* projector,
          uint64_t applied_tick);
  ~Applier();  // applies what is left, when it can; empties the write-ahead log

  // ---- before start(), on the caller's thread ----
  Result<void> apply(std::vector<PackedTickPtr> ticks);
  // Gives the events of ticks that are applied already to one service that is new here, or behind.
  Result<void> project_only(const std::string& service, std::vector<PackedTickPtr> ticks);
  // Before the whole log is given to it again; a crash in between starts over.
  Result<void> clear_projections(const contract::Model& model, const std::string& service);
  SqlTables& tables() { return *tables_; }

  void start();
  // A committed tick, in order.
  void push(PackedTickPtr tick, size_t bytes);
  // Waits while too much is unapplied. storage_full when the tables cannot be written.
  Result<void> admit();
  // Waits until this tick is applied, or an attempt to do so has failed.
  Result<void> wait_for(uint64_t tick);
  uint64_t applied_tick() const { return applied_.load(std::memory_order_acquire); }
  Stats stats() const;

 private:
  struct Queued {
    PackedTickPtr tick;
    size_t bytes;
  };
  class ProjectionReader;

  void run();
  bool hurry() const;
  void step_aside();
  void wait_for_work(std::unique_lock<std::mutex>& lock);
  void take_queued();
  bool note_failure(std::unique_lock<std::mutex>& lock, const Error& error);
  void checkpoint(bool idle);
  // batch.cc
  Result<void> gather(const std::string& only_service);
  Result<void> write();
  Result<void> in_transaction(const std::function<Result<void>()>& work);
  Result<void> write_changes();
  Result<void> write_projected();
  Result<void> write(const PackedTick::Change& change);
  void forget_batch();

  struct NumberedChange {
    uint64_t place;  // table and the first bytes of the key: orders most of them
    const PackedTick::Change* change;
    uint32_t number;  // in the order of the log
  };
  const ApplierOptions options_;
  std::unique_ptr<SqlTables> tables_;
  RowCache& cache_;
  Projector* const projector_;
  std::vector<std::string> services_;  // of the projector

  // Of the thread that applies:
  std::vector<PackedTickPtr> ticks_;     // taken from the queue and not written yet
  size_t gathered_ = 0;                  // so many of them went through the projections
  size_t taken_bytes_ = 0;               // of all of them
  Time due_ = 0;                         // when they are to be written
  std::vector<NumberedChange> changes_;  // of the present batch: the last of each row, by table and key
  ProjectedRows projected_;
  std::string row_bytes_;     // of the projected row in work
  bool steps_aside_ = false;  // from start() on
  Time stepped_aside_ = 0;    // the last time, or when that was not to be

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable work_, done_;
  std::deque<Queued> queue_;
  size_t unapplied_bytes_ = 0;  // queued or taken
  size_t waiters_ = 0;
  uint64_t attempts_failed_ = 0;
  std::optional<Error> failure_;  // of the last attempt
  bool stopping_ = false;
  Stats stats_;
  std::atomic<uint64_t> applied_;
  std::thread thread_;
};

}  // namespace micropay
