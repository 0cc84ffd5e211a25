// The projections of a database.
#include "libs/sqlserver/projection.h"

#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>

#include "libs/base/check.h"
#include "libs/base/ids.h"
#include "libs/base/log.h"
#include "libs/sqlserver/log_rows.h"
#include "libs/sqlserver/membership.h"
#include "libs/sqlserver/server_rows.h"

namespace micropay {
namespace {

using contract::Table;

constexpr uint64_t kBatchTicks = 128;
constexpr size_t kMostOffered = 2'000;  // ticks
constexpr Duration kPace = 25 * kMillisecond;
constexpr Duration kIdlePause = 500 * kMillisecond;  // when nobody nudges: a call may get lost
constexpr Duration kFirstPoll = 2 * kMillisecond, kLongestPoll = 20 * kMillisecond;
constexpr std::string_view kAdvance =
    R"(UPDATE "projection" SET "tick"=CASE WHEN "tick"=? AND "owner"=? THEN "tick"+? END WHERE "service"=?)";

Time monotonic() { return system_clock().monotonic(); }
std::chrono::microseconds time(Duration duration) { return std::chrono::microseconds(duration); }

// A rebuild empties large tables in one statement.
SqlOptions session_options() {
  return {.application = "micropay-projection",
          .statement_timeout = 10 * kMinute,
          .idle_in_transaction = 10 * kSecond,
          .keys_only = true};
}

}  // namespace

// Rows as of the part's position; nobody else writes them.
class ProjectionRunner::Reader final : public RowReader {
 public:
  Reader(SqlSession& session, Part& part) : session_(session), part_(part) {}
  Row get(const Table& table, const std::string& key) const override {
    CHECK(table.projection);
    if (auto known = part_.rows->find(table, key)) return *known;
    if (part_.event_keys.contains(key) && std::ranges::count(part_.looked_in, &table) == 0)
      part_.looked_in.push_back(&table);
    auto row = read_row(session_, table, key);
    if (!row) throw StoreUnavailable{row.error()};
    part_.rows->put(table, key, *row);
    return *row;
  }
  Result<Page> list(const ListQuery& query) const override {
    CHECK(query.table->projection);
    const ListPlan plan = TRY(plan_list(query));
    add_list(session_, plan);
    return page_of(plan, *TRY(session_.run())[0]);
  }

 private:
  SqlSession& session_;
  Part& part_;
};

ProjectionRunner::ProjectionRunner(ProjectionOptions options, const SqlAddress& address,
                                   const contract::Model& model, Projector& projector)
    : options_(std::move(options)), model_(model), projector_(projector), link_(address, session_options()) {
  for (const std::string& service : options_.services)
    parts_.push_back({.service = service, .rows = std::make_unique<KnownRows>(options_.cache_rows)});
}

ProjectionRunner::~ProjectionRunner() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  done_.notify_all();
  thread_.join();
}

void ProjectionRunner::start() {
  if (!parts_.empty()) thread_ = std::thread([this] { run(); });
}

void ProjectionRunner::nudge() {
  const std::lock_guard lock(mutex_);
  nudged_ = true;
  if (idle_) work_.notify_one();
}

void ProjectionRunner::offer(uint64_t tick, const Events& events) {
  const std::lock_guard lock(mutex_);
  if (offered_.size() >= kMostOffered || (!offered_.empty() && offered_.back().first + 1 != tick))
    offered_.clear();  // they are in the log
  offered_.emplace_back(tick, events);
  nudged_ = true;
  if (idle_) work_.notify_one();
}

bool ProjectionRunner::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

// ---- the thread ----

void ProjectionRunner::run() {
  pthread_setname_np(pthread_self(), "projections");
  setpriority(PRIO_PROCESS, 0, 5);  // callers wait for the engine, not for it
  bool failing = false;
  while (!stopping()) {
    auto session = link_.session(100 * kMillisecond);
    Result<bool> worked = session ? work(**session) : Result<bool>(std::unexpected(session.error()));
    if (!worked) {
      if (!std::exchange(failing, true)) log_warn("store.projection_failed", worked.error().detail);
      if (session) (*session)->roll_back();
      for (Part& part : parts_) part.mine = false;
    } else {
      failing = false;
    }
    if (worked && *worked) continue;
    std::unique_lock lock(mutex_);
    if (!worked) made_here_.clear();
    // Many ticks at a time cost a fraction: whoever cannot wait says so.
    work_.wait_for(lock, time(kPace), [this] { return stopping_ || urgent_; });
    idle_ = true;
    if (worked) work_.wait_for(lock, time(kIdlePause), [this] { return stopping_ || nudged_ || urgent_; });
    idle_ = nudged_ = urgent_ = false;
  }
}

// True: there may be more to do.
Result<bool> ProjectionRunner::work(SqlSession& session) {
  bool more = false;
  for (Part& part : parts_) {
    if (monotonic() >= part.renew_at) TRY(hold(session, part));
    if (!part.mine) continue;
    try {
      more |= TRY(advance(session, part));
    } catch (const StoreUnavailable& away) {
      return std::unexpected(away.error);
    }
    const std::lock_guard lock(mutex_);
    if (part.mine) made_here_[part.service] = part.tick;
    else made_here_.erase(part.service);
    done_.notify_all();
  }
  return more;
}

// Takes the lease of a part, or renews it.
Result<void> ProjectionRunner::hold(SqlSession& session, Part& part) {
  const std::string now = now_sql(session.server());
  session.add(R"(SELECT COUNT(*) FROM "projection" WHERE "service"=?)", {sql_text(part.service)});
  if (TRY(session.run())[0]->integer(0, 0) == 0) {
    session.add(
        R"(INSERT INTO "projection" ("service","tick","version","owner","lease_until") VALUES (?,0,?,'',0))",
        {sql_text(part.service), sql_value(projector_.version(part.service))});
    (void)session.run();  // another may have been first
  }
  session.add(fmt::format(R"(UPDATE "projection" SET "owner"=?,"lease_until"={0}+? WHERE "service"=? AND )"
                          R"(("owner"=? OR "lease_until"<{0}) AND "version"<=?)",
                          now),
              {sql_text(options_.instance), sql_value(options_.lease), sql_text(part.service),
               sql_text(options_.instance), sql_value(projector_.version(part.service))});
  const bool held = TRY(session.run())[0]->affected() == 1;
  part.renew_at = monotonic() + options_.lease / 3;
  if (held && !part.mine) TRY(take_over(session, part));
  if (!held && std::exchange(part.mine, false)) part.rows->clear();
  return {};
}

Result<void> ProjectionRunner::take_over(SqlSession& session, Part& part) {
  part.rows->clear();
  session.add(R"(SELECT "tick","version" FROM "projection" WHERE "service"=?)", {sql_text(part.service)});
  const auto answers = TRY(session.run());
  part.tick = static_cast<uint64_t>(answers[0]->integer(0, 0));
  const uint64_t version = projector_.version(part.service);
  if (static_cast<uint64_t>(answers[0]->integer(0, 1)) != version) TRY(clear(session, part, version));
  part.mine = true;
  return {};
}

// Tables of another version are made anew.
Result<void> ProjectionRunner::clear(SqlSession& session, Part& part, uint64_t version) {
  log_info("store.projection_rebuild", "projections of another version are made anew",
           {{"service", part.service}});
  for (const Table* table : model_.tables())
    if (table->projection && table->service->name == part.service)
      session.add(fmt::format(R"(DELETE FROM "{}")", table->sql_name));
  session.add(R"(UPDATE "projection" SET "tick"=0,"version"=? WHERE "service"=?)",
              {sql_value(version), sql_text(part.service)});
  TRY(session.run());
  part.tick = 0;
  return {};
}

Result<bool> ProjectionRunner::advance(SqlSession& session, Part& part) {
  auto offered = offered_since(part.tick);
  const Batch batch = offered ? *std::move(offered) : TRY(stored_since(session, part.tick));
  if (batch.to == part.tick) return false;
  std::vector<RowChange> changes;
  if (!batch.events.empty()) {
    prefetch(session, part, batch.events);
    changes = projector_.project(batch.events, Reader(session, part), part.service);
  }
  if (!TRY(write(session, part, batch.to, changes))) return true;
  for (RowChange& change : changes) part.rows->put(*change.table, change.key, std::move(change.row));
  part.tick = batch.to;
  events_.add(batch.events.size());
  tick_.set(static_cast<int64_t>(batch.to));
  return batch.full;
}

// What is behind the tick, if that is here.
std::optional<ProjectionRunner::Batch> ProjectionRunner::offered_since(uint64_t tick) {
  const std::lock_guard lock(mutex_);
  if (offered_.empty() || offered_.front().first > tick + 1 || offered_.back().first <= tick) return {};
  Batch batch{.to = tick};
  for (const auto& [number, events] : offered_) {
    if (number <= tick) continue;
    batch.full = number - tick > kBatchTicks;
    if (batch.full) break;
    batch.events.insert(batch.events.end(), events.begin(), events.end());
    batch.to = number;
  }
  return batch;
}

Result<ProjectionRunner::Batch> ProjectionRunner::stored_since(SqlSession& session, uint64_t tick) {
  session.add(log_since_sql(), {sql_value(tick), sql_value(kBatchTicks)});
  const auto answers = TRY(session.run());
  const SqlRows& log = *answers[0];
  Batch batch{.to = tick, .full = log.rows() == kBatchTicks};
  for (size_t i = 0; i < log.rows(); ++i) {
    TickRecord record = TRY(record_of(log, i));
    batch.to = record.tick;
    for (Envelope& envelope : record.events) {
      auto event = to_event(std::move(envelope), model_);
      if (event == nullptr) return fail(Code::kInternal, "log_damaged", "an event that cannot be decoded");
      batch.events.push_back(std::move(event));
    }
  }
  return batch;
}

// In one request what would be looked for event by event.
void ProjectionRunner::prefetch(SqlSession& session, Part& part, const Events& events) {
  part.event_keys.clear();
  for (const auto& event : events)
    if (const auto id = parse_uuid(event->envelope.key()))
      part.event_keys.emplace(reinterpret_cast<const char*>(id->data()), id->size());
  std::vector<std::pair<const Table*, std::vector<const std::string*>>> wanted;
  for (const Table* table : part.looked_in) {
    std::vector<const std::string*> keys;
    for (const std::string& key : part.event_keys)
      if (!part.rows->find(*table, key)) keys.push_back(&key);
    if (keys.empty()) continue;
    session.get_rows(*table, keys);
    wanted.emplace_back(table, std::move(keys));
  }
  if (wanted.empty()) return;
  const auto answers = session.run();
  if (!answers) throw StoreUnavailable{answers.error()};
  for (size_t at = 0; at < wanted.size(); ++at) {
    const auto& [table, keys] = wanted[at];
    for (const std::string* key : keys) part.rows->put(*table, *key, nullptr);
    for (size_t i = 0; i < (*answers)[at]->rows(); ++i) {
      Row row = row_of(*table, *(*answers)[at], i);
      part.rows->put(*table, table->key_of(*row), row);
    }
  }
}

// False: another instance makes them by now.
Result<bool> ProjectionRunner::write(SqlSession& session, Part& part, uint64_t to,
                                     const std::vector<RowChange>& changes) {
  session.add(kAdvance, {sql_value(part.tick), sql_text(options_.instance), sql_value(to - part.tick),
                         sql_text(part.service)});
  add_changes(session, changes);
  const auto done = session.run();
  if (done) return true;
  if (session.failure() != SqlFailure::kRefused) return std::unexpected(done.error());
  part.mine = false;
  part.rows->clear();
  part.renew_at = 0;
  return false;
}

// ---- waiting ----

bool ProjectionRunner::local(uint64_t tick) {
  for (const Part& part : parts_) {
    const auto made = made_here_.find(part.service);
    if (made == made_here_.end() || made->second < tick) return false;
  }
  return true;
}

Result<void> ProjectionRunner::wait_for(uint64_t tick, Duration patience, SqlPool& readers) {
  if (parts_.empty() || tick == 0) return {};
  const Time deadline = monotonic() + patience;
  Duration pause = kFirstPoll;
  std::string services;
  for (const Part& part : parts_)
    services += fmt::format("{}'{}'", services.empty() ? "" : ",", part.service);
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (local(tick)) return {};
      const bool here = !made_here_.empty();
      if (here) urgent_ = true, work_.notify_one();
      if (done_.wait_for(lock, time(here ? 5 * pause : pause), [&] { return stopping_ || local(tick); }) &&
          local(tick))
        return {};
      if (stopping_) break;
    }
    uint64_t least = 0;
    TRY(readers.read([&](SqlSession& session) -> Result<void> {
      session.add(fmt::format(
          R"(SELECT COUNT(*),COALESCE(MIN("tick"),0) FROM "projection" WHERE "service" IN ({}))", services));
      const auto answers = TRY(session.run());
      if (static_cast<size_t>(answers[0]->integer(0, 0)) == parts_.size())
        least = static_cast<uint64_t>(answers[0]->integer(0, 1));
      return {};
    }));
    if (least >= tick) return {};
    if (monotonic() > deadline) break;
    pause = std::min(2 * pause, kLongestPoll);
  }
  return fail(Code::kUnavailable, "projections_behind", "what is listed is behind at present; try again");
}

}  // namespace micropay
