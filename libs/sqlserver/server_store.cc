// Opening, and reading by everybody but a tick: from the database, through a pool.
#include "libs/sqlserver/server_store.h"

#include <random>

#include "libs/base/log.h"
#include "libs/sqlserver/server_rows.h"
#include "libs/sqlserver/server_schema.h"
#include "libs/sqlserver/server_store_impl.h"

namespace micropay {
namespace {

using contract::Table;

constexpr size_t kEventTicks = 64;                      // read at a time for events
constexpr Duration kFullPatience = 100 * kMillisecond;  // of lists, with projections that find no space

// What a tick asks for is little: a server that needs longer does not answer any more.
SqlOptions main_options() {
  return {.application = "micropay-engine", .statement_timeout = 5 * kSecond, .keys_only = true};
}
SqlOptions reader_options() {
  return {
      .application = "micropay-reader", .statement_timeout = 30 * kSecond, .idle_in_transaction = kMinute};
}

std::string own_name(const ServerStoreOptions& options) {
  if (!options.instance.empty()) return options.instance;
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

}  // namespace

Result<std::unique_ptr<ServerStore>> ServerStore::open(ServerStoreOptions options,
                                                       const contract::Model& model, Projector* projector) {
  auto store = std::make_unique<ServerStoreImpl>(std::move(options), model);
  TRY(store->open(projector));
  return store;
}

ServerStoreImpl::ServerStoreImpl(ServerStoreOptions options, const contract::Model& model)
    : options_(std::move(options)),
      model_(model),
      health_(
          options_.services.size() == 1 ? MetricLabels{{"service", options_.services[0]}} : MetricLabels{},
          std::max(options_.lease, 5 * kSecond)),
      membership_({.name = own_name(options_), .lease = options_.lease}, options_.address),
      main_(options_.address, main_options()),
      readers_(options_.address, reader_options(), options_.readers, options_.read_patience),
      known_(options_.cache_rows) {
  readers_.give_up_when([this] { return away_for_long(); });
}

ServerStoreImpl::~ServerStoreImpl() {
  membership_.stop();  // it calls the others
  projections_.reset();
  membership_.leave();
}

Result<void> ServerStoreImpl::open(Projector* projector) {
  TRY(prepare_schema());
  TRY(join());
  if (projector != nullptr) {
    std::vector<std::string> services = projector->services();
    std::erase_if(services, [this](const std::string& service) { return !has(service); });
    projections_ = std::make_unique<ProjectionRunner>(
        ProjectionOptions{
            .instance = membership_.name(), .services = std::move(services), .lease = options_.lease},
        options_.address, model_, *projector);
    projections_->start();
  }
  membership_.start({.known_tick = [this] { return end().tick; },
                     .wake = [this] { called(); },
                     .heard = [this](const Error* trouble) { heard(trouble); }});
  return {};
}

// Others have committed.
void ServerStoreImpl::called() {
  told_.store(true, std::memory_order_relaxed);
  if (projections_) projections_->nudge();
  const std::lock_guard lock(wake_mutex_);
  if (wake_) wake_();
}

void ServerStoreImpl::heard(const Error* trouble) {
  health_.heard(trouble);
  if (trouble == nullptr || trouble->reason != "log_went_back" || went_back_.exchange(true)) return;
  health_.broken(*trouble);
  log_error("store.log_went_back", trouble->detail, {{"instance", membership_.name()}});
}

bool ServerStoreImpl::has(const std::string& service) const {
  return options_.services.empty() || service == "runtime" ||
         std::ranges::find(options_.services, service) != options_.services.end();
}

SchemaTables ServerStoreImpl::tables() const {
  SchemaTables chosen;
  for (const Table* table : model_.tables())
    if (has(table->service->name)) chosen.push_back(table);
  return chosen;
}

Result<void> ServerStoreImpl::prepare_schema() {
  if (options_.apply_schema) {
    const SqlAddress& owner = options_.owner ? *options_.owner : options_.address;
    auto session = TRY(SqlSession::open(
        owner,
        {.application = "micropay-schema", .statement_timeout = 10 * kMinute, .lock_timeout = kMinute}));
    const std::string application = owner.user == options_.address.user ? "" : options_.address.user;
    notes_ = TRY(apply_schema(*session, tables(), application));
  }
  auto* session = TRY(main_.session(options_.commit_patience));
  return check_schema(*session, tables());
}

Result<void> ServerStoreImpl::join() {
  auto* session = TRY(this->session());
  const Membership::Joined joined = TRY(membership_.join(*session));
  fence_ = joined.head.fence;
  if (joined.head.tick < end().tick) {
    const Error error = log_went_back(joined.head.tick, end().tick);
    heard(&error);
    return std::unexpected(error);
  }
  if (end().tick == 0)  // the first time; later, what others have committed is taken in tick by tick
    set_end({.tick = joined.head.tick, .next_position = joined.head.next_position, .time = joined.head.time});
  return {};
}

LogEnd ServerStoreImpl::end() const {
  const std::lock_guard lock(end_mutex_);
  return end_;
}

void ServerStoreImpl::set_end(const LogEnd& end) {
  const std::lock_guard lock(end_mutex_);
  end_ = end;
}

void ServerStoreImpl::on_foreign_commit(std::function<void()> wake) {
  const std::lock_guard lock(wake_mutex_);
  wake_ = std::move(wake);
}

ServerStoreStats ServerStoreImpl::stats() const {
  return {.commits = numbers_.commits.value(),
          .direct_commits = numbers_.direct.value(),
          .moved = numbers_.moved.value(),
          .conflicts = numbers_.conflicts.value(),
          .fenced = numbers_.fenced.value(),
          .cached_rows = known_count_.load(std::memory_order_relaxed),
          .others = membership_.others()};
}

// ---- reading by everybody ----

// A projection's row as of all that anybody was told: another instance may have committed it, or makes it.
Row ServerStoreImpl::get(const Table& table, const std::string& key) const {
  if (table.projection)
    if (const auto made = catch_up(); !made) throw StoreUnavailable{made.error()};
  return stored_row(table, key);
}

Row ServerStoreImpl::stored_row(const Table& table, const std::string& key) const {
  if (!key_values(table, key)) return nullptr;
  Row row;
  const auto read = readers_.read([&](SqlSession& session) -> Result<void> {
    row = TRY(read_row(session, table, key));
    return {};
  });
  if (!read) throw StoreUnavailable{read.error()};
  return row;
}

Result<Page> ServerStoreImpl::list(const ListQuery& query) const {
  const ListPlan plan = TRY(plan_list(query));
  if (query.table->projection) {
    const bool of_applied = query.of_applied && full_;  // of_applied alone: as new as can be
    const auto made = catch_up(of_applied ? kFullPatience : options_.projection_patience);
    if (!made && !of_applied) return std::unexpected(made.error());
  }
  Page page;
  TRY(readers_.read([&](SqlSession& session) -> Result<void> {
    add_list(session, plan);
    page = page_of(plan, *TRY(session.run())[0]);
    return {};
  }));
  return page;
}

Result<void> ServerStoreImpl::scan(const Table& table, const std::function<bool(const Row&)>& each) const {
  if (table.projection) TRY(catch_up());
  bool began = false;
  return readers_.read([&](SqlSession& session) -> Result<void> {
    // Nobody can be given the first rows twice.
    if (std::exchange(began, true)) return fail(Code::kUnavailable, "storage_failed", "the connection broke");
    return scan_rows(session, table, each);
  });
}

// Behind the newest that are known here, others may have committed some.
Result<ServerStoreImpl::Events> ServerStoreImpl::read_events(uint64_t position, size_t limit) const {
  Events events;
  position = std::max<uint64_t>(position, 1);
  if (recent_.read(position, limit, events) && events.size() == limit) return events;
  TRY(readers_.read(
      [&](SqlSession& session) { return read_stored(session, position + events.size(), limit, events); }));
  return events;
}

Result<void> ServerStoreImpl::read_stored(SqlSession& session, uint64_t position, size_t limit,
                                          Events& events) const {
  session.add(R"(SELECT "tick" FROM "log" WHERE "first_position"<=? )"
              R"(ORDER BY "first_position" DESC,"tick" DESC LIMIT 1)",
              {sql_value(position)});
  auto answers = TRY(session.run());
  if (answers[0]->rows() == 0) return {};
  int64_t before = answers[0]->integer(0, 0) - 1;
  while (events.size() < limit) {
    session.add(log_since_sql(), {sql_value(before), sql_value(uint64_t(kEventTicks))});
    answers = TRY(session.run());
    const SqlRows& log = *answers[0];
    for (size_t i = 0; i < log.rows() && events.size() < limit; ++i) {
      TickRecord record = TRY(record_of(log, i));
      before = log.integer(i, 0);
      for (Envelope& envelope : record.events) {
        if (envelope.position() != position || events.size() == limit) continue;
        auto event = to_event(std::move(envelope), model_);
        if (event == nullptr) return fail(Code::kInternal, "log_damaged", "an event that cannot be decoded");
        events.push_back(std::move(event));
        ++position;
      }
    }
    if (log.rows() < kEventTicks) break;
  }
  return {};
}

Result<void> ServerStoreImpl::catch_up() const { return catch_up(options_.projection_patience); }

Result<void> ServerStoreImpl::catch_up(Duration patience) const {
  if (projections_ == nullptr) return {};
  uint64_t tick = 0;
  TRY(readers_.read([&](SqlSession& session) -> Result<void> {
    session.add(R"(SELECT "tick" FROM "log_head" WHERE "id"=1)");
    tick = static_cast<uint64_t>(TRY(session.run())[0]->integer(0, 0));
    return {};
  }));
  return projections_->wait_for(tick, patience, readers_);
}

}  // namespace micropay
