// The parts of the embedded store put together; embedded.cc serves, embedded_open.cc opens, backup.cc copies.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "libs/base/metrics.h"
#include "libs/store/applier.h"
#include "libs/store/embedded.h"
#include "libs/store/folder_lock.h"
#include "libs/store/log_segment.h"
#include "libs/store/recent_events.h"
#include "libs/store/row_cache.h"
#include "libs/store/store_health.h"

namespace micropay {

// Connections for reading; the one that came back last goes out first, so few are used and stay warm.
class ReaderPool {
 public:
  class Lease {
   public:
    Lease(ReaderPool& pool, std::unique_ptr<SqlTables> tables) : pool_(&pool), tables_(std::move(tables)) {}
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = default;
    ~Lease() {
      if (tables_) pool_->give_back(std::move(tables_));
    }
    SqlTables* operator->() { return tables_.get(); }

   private:
    ReaderPool* pool_;
    std::unique_ptr<SqlTables> tables_;
  };

  void open(std::string path, SqlConnection::Mode mode);
  void use(std::shared_ptr<ScatteredPlaces> places) { places_ = std::move(places); }  // before take()
  Result<Lease> take();
  void close();

 private:
  void give_back(std::unique_ptr<SqlTables> tables);

  std::string path_;
  SqlConnection::Mode mode_ = SqlConnection::Mode::kRead;
  std::shared_ptr<ScatteredPlaces> places_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<SqlTables>> idle_;
};

class EmbeddedStoreImpl final : public EmbeddedStore {
 public:
  EmbeddedStoreImpl(EmbeddedOptions options, const contract::Model& model)
      : options_(std::move(options)), model_(model), cache_(options_.cache_rows, model.tables().size()) {}
  ~EmbeddedStoreImpl() override;

  Result<void> open(Projector* projector);

  Row get(const contract::Table& table, const std::string& key) const override;
  Result<Page> list(const ListQuery& query) const override;
  Result<void> commit(Tick& tick) override;
  LogEnd end() const override;
  Result<std::vector<std::shared_ptr<const EventRecord>>> read_events(uint64_t position,
                                                                      size_t limit) const override;
  Result<void> scan(const contract::Table& table, const std::function<bool(const Row&)>& each) const override;
  Result<void> catch_up() const override;
  Result<void> scan_values(const contract::Table& table, const EachValues& each) const override;
  const std::vector<std::string>& open_notes() const override { return notes_; }
  const TickLog& log() const override { return *log_; }
  EmbeddedStats stats() const override;
  Result<void> backup(const std::string& folder, const std::function<void(double done)>& progress) override;

 private:
  Result<void> append(Tick& tick);
  // embedded_open.cc
  Result<void> open_log(uint64_t least_tick);
  Result<void> read_last_time();
  Result<std::unique_ptr<SqlTables>> open_tables();
  bool is_older(SqlTables& tables);
  Result<std::unique_ptr<SqlTables>> open_read_only(Projector* projector);
  Result<void> catch_up_projections(Projector* projector, uint64_t applied);
  Result<void> replay(uint64_t from, uint64_t to, const std::string& what,
                      const std::function<Result<void>(std::vector<PackedTickPtr>)>& apply);

  const EmbeddedOptions options_;
  const contract::Model& model_;
  FolderLock lock_;
  std::shared_ptr<LogFolder> log_folder_;
  std::unique_ptr<TickLog> log_;
  std::string tables_path_;
  std::string scratch_folder_;  // of a read-only store whose tables had to be brought up to date
  std::vector<std::string> notes_;
  mutable RowCache cache_;
  mutable ReaderPool readers_;
  std::shared_ptr<ScatteredPlaces> places_;
  std::unique_ptr<Applier> applier_;
  TickEncoder encoder_;
  RecentEvents recent_;
  StoreHealth health_;
  std::atomic<uint64_t> fsync_us_ = 0;
  Histogram& sync_seconds_ = duration_histogram("micropay_store_sync_seconds",
                                                "Time to write a tick to the log and to have it on the disk");
  std::atomic<Time> last_time_ = 0;  // of the log's last tick
};

}  // namespace micropay
