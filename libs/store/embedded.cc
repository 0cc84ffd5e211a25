// The embedded store at work: commits, reads, lists.
#include "libs/store/embedded.h"

#include <filesystem>

#include "libs/base/check.h"
#include "libs/base/log.h"
#include "libs/store/embedded_impl.h"

namespace micropay {
// ---- parts ----

void ReaderPool::open(std::string path, SqlConnection::Mode mode) {
  path_ = std::move(path);
  mode_ = mode;
}

Result<ReaderPool::Lease> ReaderPool::take() {
  {
    std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto tables = std::move(idle_.back());
      idle_.pop_back();
      return Lease(*this, std::move(tables));
    }
  }
  return Lease(*this, TRY(SqlTables::open(path_, mode_, places_)));
}

void ReaderPool::give_back(std::unique_ptr<SqlTables> tables) {
  std::lock_guard lock(mutex_);
  idle_.push_back(std::move(tables));
}

void ReaderPool::close() {
  std::lock_guard lock(mutex_);
  idle_.clear();
}

// ---- the store ----

Result<std::unique_ptr<EmbeddedStore>> EmbeddedStore::open(EmbeddedOptions options,
                                                           const contract::Model& model,
                                                           Projector* projector) {
  auto store = std::make_unique<EmbeddedStoreImpl>(std::move(options), model);
  TRY(store->open(projector));
  return store;
}

EmbeddedStoreImpl::~EmbeddedStoreImpl() {
  readers_.close();  // before the applier empties the write-ahead log, which needs to be alone
  applier_.reset();
  log_.reset();
  std::error_code ignored;
  if (!scratch_folder_.empty()) std::filesystem::remove_all(scratch_folder_, ignored);
}

Result<void> EmbeddedStoreImpl::commit(Tick& tick) {
  if (options_.read_only)
    return fail(Code::kFailedPrecondition, "read_only", "the store was opened for reading");
  auto done = append(tick);
  if (done) health_.committed();
  else health_.failed(done.error());
  return done;
}

Result<void> EmbeddedStoreImpl::append(Tick& tick) {
  TRY(applier_->admit());
  RecordHeader header;
  std::string_view record = TRY(encoder_.encode(tick, header));
  Time before = system_clock().monotonic();
  TRY(log_->append(header, record));
  const Duration took = system_clock().monotonic() - before;
  fsync_us_.fetch_add(static_cast<uint64_t>(took), std::memory_order_relaxed);
  sync_seconds_.observe(took);

  last_time_ = tick.time;
  PackedTickPtr packed = encoder_.packed(tick);
  for (size_t i = 0; i < tick.changes.size(); ++i)
    cache_.put(packed->changes[i], tick.changes[i].row, packed->payload, tick.number);
  recent_.add(tick.events);
  applier_->push(std::move(packed), header.raw_bytes);
  return {};
}

LogEnd EmbeddedStoreImpl::end() const {
  LogEnd end = log_->end();
  end.time = last_time_;
  return end;
}

Row EmbeddedStoreImpl::get(const contract::Table& table, const std::string& key) const {
  RowCache::Lookup cached = cache_.find(table, key);
  if (cached.known) return cached.row;
  // Asked after the cache: a row has its place before it leaves there.
  if (table.scattered && !places_->of(table).keys.may_have(key)) return nullptr;
  auto read = [&]() -> Result<Row> { return TRY(readers_.take())->get(table, key); }();
  if (!read) {
    // Answering "no such row" here could pay somebody twice: nothing is decided without it.
    log_error("store.read_failed", read.error().detail, {{"table", table.sql_name}});
    throw StoreUnavailable{std::move(read).error()};
  }
  if (*read) cache_.fill(table, key, *read, cached);
  return *read;
}

Result<Page> EmbeddedStoreImpl::list(const ListQuery& query) const {
  if (auto current = catch_up(); !current && !query.of_applied) return std::unexpected(current.error());
  return TRY(readers_.take())->list(query);
}

Result<void> EmbeddedStoreImpl::scan(const contract::Table& table,
                                     const std::function<bool(const Row&)>& each) const {
  TRY(catch_up());
  return TRY(readers_.take())->scan(table, each);
}

Result<void> EmbeddedStoreImpl::scan_values(const contract::Table& table, const EachValues& each) const {
  TRY(catch_up());
  return TRY(readers_.take())->scan_values(table, each);
}

Result<void> EmbeddedStoreImpl::catch_up() const { return applier_->wait_for(log_->end().tick); }

Result<std::vector<std::shared_ptr<const EventRecord>>> EmbeddedStoreImpl::read_events(uint64_t position,
                                                                                       size_t limit) const {
  std::vector<std::shared_ptr<const EventRecord>> events;
  position = std::max<uint64_t>(position, 1);
  if (limit == 0 || position >= log_->end().next_position || recent_.read(position, limit, events))
    return events;
  Result<void> decoded;
  TRY(log_->read_position(position, [&](const RecordHeader& header, std::string_view stored) {
    TickRecord record;
    bool good = decode_record(header, stored, record);
    for (Envelope& envelope : record.events) {
      if (!good || events.size() == limit) break;
      if (envelope.position() < position) continue;
      auto event = to_event(std::move(envelope), model_);
      good = event != nullptr;
      if (good) events.push_back(std::move(event));
    }
    if (!good) decoded = log_damaged("", 0, header.tick, "a record that cannot be decoded");
    return good && events.size() < limit;
  }));
  if (!decoded) return std::unexpected(decoded.error());
  return events;
}

EmbeddedStats EmbeddedStoreImpl::stats() const {
  LogEnd end = log_->end();
  uint64_t applied = applier_->applied_tick();
  std::error_code error;
  uint64_t table_bytes = 0;
  for (const char* part : {"", "-wal"}) {
    auto size = std::filesystem::file_size(tables_path_ + part, error);
    if (!error) table_bytes += size;
  }
  return {.ticks = end.tick,
          .log_bytes = log_->bytes(),
          .fsync_us_total = fsync_us_.load(),
          .unapplied_ticks = end.tick > applied ? end.tick - applied : 0,
          .cached_rows = cache_.size(),
          .applied_tick = applied,
          .table_bytes = table_bytes};
}

// ---- reading a log without a store ----

Result<void> read_log(const std::string& folder, uint64_t from_tick,
                      const std::function<bool(const TickRecord&)>& each) {
  auto log = TRY(TickLog::open(make_log_folder(folder + "/log"), {.read_only = true}));
  Result<void> decoded;
  TickRecord record;
  TRY(log->read(std::max<uint64_t>(from_tick, 1), [&](const RecordHeader& header, std::string_view stored) {
    if (decode_record(header, stored, record)) return each(record);
    decoded = log_damaged("", 0, header.tick, "a record that cannot be decoded");
    return false;
  }));
  return decoded;
}

}  // namespace micropay
