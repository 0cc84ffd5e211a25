// Opening a data folder: lock, log, tables, projections that are behind, ticks that are not applied.
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "libs/base/check.h"
#include "libs/store/embedded_impl.h"

namespace micropay {
namespace {

constexpr size_t kBatchBytes = 32 << 20;
constexpr size_t kBatchRecords = 50'000;  // rows and events
constexpr Duration kGatherInterval = 20 * kMillisecond;
constexpr Duration kProgressInterval = kSecond;
constexpr uint64_t kTicksWorthALine = 10'000;

bool exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

// Nothing to write: the tables are of the log's end, with all projections, in the present schema.
Result<bool> is_up_to_date(SqlTables& tables, const contract::Model& model, Projector* projector,
                           uint64_t end_tick) {
  if (!TRY(tables.schema_is_current(model)) || TRY(tables.applied_tick()) != end_tick) return false;
  if (projector == nullptr) return true;
  for (const std::string& service : projector->services())
    if (auto made = TRY(tables.projected(service));
        made.tick != end_tick || made.version != projector->version(service))
      return false;
  return true;
}

}  // namespace

Result<void> EmbeddedStoreImpl::open(Projector* projector) {
  tables_path_ = options_.folder + "/state.db";
  if (!options_.read_only) lock_ = TRY(FolderLock::take(options_.folder));
  std::unique_ptr<SqlTables> tables;
  if (!options_.read_only && exists(tables_path_)) tables = TRY(open_tables());
  TRY(open_log(tables ? TRY(tables->applied_tick()) : 0));
  readers_.open(tables_path_, SqlConnection::Mode::kRead);
  if (!tables) tables = TRY(options_.read_only ? open_read_only(projector) : open_tables());
  TRY(tables->load_places(model_));
  places_ = tables->places();
  readers_.use(places_);
  for (const contract::Table* table : model_.tables())
    if (!table->scattered && !table->stretched()) cache_.set_newest(*table, TRY(tables->newest_key(*table)));
  uint64_t end_tick = log_->end().tick, applied = TRY(tables->applied_tick());
  if (applied > end_tick) TRY(open_log(applied));  // of a reader: damaged, or it went on meanwhile
  end_tick = log_->end().tick;
  applier_ = std::make_unique<Applier>(
      ApplierOptions{.gather_interval = std::min(kGatherInterval, options_.apply_interval),
                     .interval = options_.apply_interval,
                     .max_unapplied_bytes = options_.max_unapplied_bytes,
                     .checkpoint_bytes = options_.checkpoint_bytes},
      std::move(tables), cache_, projector, applied);
  if (options_.read_only && applied < end_tick && applied > 0)
    notes_.push_back(fmt::format("{} ticks of the log were not in the tables yet", end_tick - applied));
  TRY(catch_up_projections(projector, applied));
  TRY(replay(applied + 1, end_tick,
             applied == 0 ? "Making the tables from the log" : "Bringing the tables up to date",
             [this](std::vector<PackedTickPtr> ticks) { return applier_->apply(std::move(ticks)); }));
  applier_->start();
  return {};
}

Result<void> EmbeddedStoreImpl::open_log(uint64_t least_tick) {
  log_folder_ = options_.log_files;
  if (!log_folder_) {
    std::string path = options_.folder + "/log";
    std::error_code error;
    bool made = !options_.read_only && std::filesystem::create_directories(path, error);
    if (error) return storage_error("cannot make", path, error.value());
    if (made) {  // what is acknowledged is in files that can be found again
      TRY(make_log_folder(options_.folder)->sync());
      auto above = std::filesystem::absolute(options_.folder, error).lexically_normal();
      (void)make_log_folder((above.has_filename() ? above : above.parent_path()).parent_path())->sync();
    }
    if (!exists(path))
      return fail(Code::kNotFound, "no_data", fmt::format("{} is not a data folder", options_.folder));
    log_folder_ = make_log_folder(path);
  }
  log_ = TRY(TickLog::open(
      log_folder_,
      {.segment_bytes = options_.segment_bytes, .read_only = options_.read_only, .least_tick = least_tick}));
  return read_last_time();
}

Result<void> EmbeddedStoreImpl::read_last_time() {
  return log_->read(log_->end().tick, [this](const RecordHeader& header, std::string_view) {
    last_time_ = header.time;
    return false;
  });
}

Result<std::unique_ptr<SqlTables>> EmbeddedStoreImpl::open_tables() {
  auto tables = TRY(SqlTables::open(tables_path_, SqlConnection::Mode::kWrite));
  if (is_older(*tables)) {
    tables.reset();
    std::error_code error;
    for (const char* part : {"", "-wal", "-shm"}) std::filesystem::remove(tables_path_ + part, error);
    tables = TRY(SqlTables::open(tables_path_, SqlConnection::Mode::kWrite));
  }
  TRY(tables->prepare_schema(model_));
  return tables;
}

// Tables of an older format are made anew from the log.
bool EmbeddedStoreImpl::is_older(SqlTables& tables) {
  const auto current = tables.schema_is_current(model_);
  if (current || current.error().reason != "older_format") return false;
  notes_.push_back(current.error().detail);
  return true;
}

// A folder that was left in order is read as it is. Otherwise (it is in use, or a process died) its tables
// are copied and the copy is brought up to date.
Result<std::unique_ptr<SqlTables>> EmbeddedStoreImpl::open_read_only(Projector* projector) {
  std::unique_ptr<SqlTables> present;
  if (exists(tables_path_)) {
    bool at_rest = !exists(tables_path_ + "-wal");
    auto mode = at_rest ? SqlConnection::Mode::kReadImmutable : SqlConnection::Mode::kRead;
    present = TRY(SqlTables::open(tables_path_, mode));
    if (is_older(*present)) present.reset();
    if (present && at_rest && TRY(is_up_to_date(*present, model_, projector, log_->end().tick))) {
      readers_.open(tables_path_, mode);
      return present;
    }
  }
  std::error_code error;
  std::string scratch = (std::filesystem::temp_directory_path(error) / "micropay-XXXXXX").string();
  if (error || ::mkdtemp(scratch.data()) == nullptr) return storage_error("cannot make", scratch, errno);
  scratch_folder_ = scratch;
  tables_path_ = scratch + "/state.db";
  auto tables = TRY(SqlTables::open(tables_path_, SqlConnection::Mode::kWrite));
  if (present) TRY(present->connection().copy_to(tables->connection()));
  TRY(tables->prepare_schema(model_));
  readers_.open(tables_path_, SqlConnection::Mode::kRead);
  return tables;
}

// A service whose projections are new here, or that did not run for a while, gets what it missed.
Result<void> EmbeddedStoreImpl::catch_up_projections(Projector* projector, uint64_t applied) {
  if (projector == nullptr || applied == 0) return {};
  for (const std::string& service : projector->services()) {
    auto made = TRY(applier_->tables().projected(service));
    uint64_t version = projector->version(service), from = made.tick;
    if (from > 0 && made.version != version) {
      notes_.push_back(fmt::format("the projections of {} are of version {}, this program makes version {}",
                                   service, made.version, version));
      from = 0;
    } else if (from > 0 && from < applied) {
      notes_.push_back(
          fmt::format("the projections of {} are of tick {}, the tables of tick {}", service, from, applied));
    }
    if (from >= applied) continue;
    if (from == 0) TRY(applier_->clear_projections(model_, service));
    TRY(replay(
        from + 1, applied, "Bringing the projections of " + service + " up to date",
        [&](std::vector<PackedTickPtr> ticks) { return applier_->project_only(service, std::move(ticks)); }));
  }
  return {};
}

Result<void> EmbeddedStoreImpl::replay(uint64_t from, uint64_t to, const std::string& what,
                                       const std::function<Result<void>(std::vector<PackedTickPtr>)>& apply) {
  if (from > to) return {};
  std::vector<PackedTickPtr> batch;
  size_t bytes = 0, records = 0;
  Result<void> result;
  Time told = system_clock().monotonic();
  bool told_any = options_.progress && (from == 1 || to - from >= kTicksWorthALine);
  if (told_any) options_.progress(fmt::format("{}: {} ticks", what, to - from + 1));
  auto flush = [&] {
    if (batch.empty()) return true;
    const uint64_t number = batch.back()->number;
    result = apply(std::exchange(batch, {}));
    Time now = system_clock().monotonic();
    bool last = number == to;
    if (options_.progress && result && (now - told >= kProgressInterval || (told_any && last))) {
      options_.progress(fmt::format("{}: tick {} of {}", what, number, to));
      told = now;
      told_any = true;
    }
    bytes = records = 0;
    return result.has_value();
  };
  TRY(log_->read(from, [&](const RecordHeader& header, std::string_view stored) {
    if (header.tick > to) return false;
    TickRecord record;
    PackedTickPtr tick;
    if (decode_record(header, stored, record)) tick = to_packed(record, model_);
    if (tick == nullptr) {
      result = log_damaged("", 0, header.tick, "a record that cannot be decoded");
      return false;
    }
    bytes += header.raw_bytes;
    records += tick->events.size() + tick->changes.size();
    batch.push_back(std::move(tick));
    return (bytes < kBatchBytes && records < kBatchRecords) || flush();
  }));
  if (result) flush();
  return result;
}

}  // namespace micropay
