// What a tick reads: rows as of the end of the log that is taken in here. A row that is not known is read
// from the database together with what others have committed since, in one request. The row first: should it
// be newer than that end, then the tick that wrote it is among those that come with it, and says what it is
// now.
#include <algorithm>
#include <map>

#include "libs/base/check.h"
#include "libs/base/ids.h"
#include "libs/sqlserver/server_rows.h"
#include "libs/sqlserver/server_store_impl.h"

namespace micropay {
namespace {

using contract::Table;

constexpr uint64_t kTicksAtOnce = 64;
constexpr size_t kTicksOfRefresh = 2'048;  // then the engine looks at its news before there are more

}  // namespace

// A short absence is waited for; during a long one callers are told at once.
Result<SqlSession*> ServerStoreImpl::session() {
  if (went_back_.load(std::memory_order_relaxed))
    if (auto problem = health_.problem()) return std::unexpected(*std::move(problem));
  return main_.session(away_for_long() ? 0 : options_.commit_patience);
}

void ServerStoreImpl::begin_tick() {
  reads_.clear();
  stale_ = false;
  known_count_.store(known_.size(), std::memory_order_relaxed);
  // Errors are left to the first one who needs an answer.
  if (membership_.fenced()) {
    if (!join()) return;
    numbers_.fenced.add();
  }
  if (told_.exchange(false, std::memory_order_relaxed)) (void)take_in_all();
  since_begin_.clear();
}

void ServerStoreImpl::refresh() {
  told_.store(false, std::memory_order_relaxed);
  (void)take_in_all();
}

bool ServerStoreImpl::current() const {
  auto& self = const_cast<ServerStoreImpl&>(*this);  // the engine's thread alone calls it, between its ticks
  const auto more = self.take_in_all();
  if (!more || *more) return false;
  return !stale_;
}

// ---- taking in ----

void ServerStoreImpl::add_log_since(SqlSession& session) const {
  session.add(log_since_sql(), {sql_value(end().tick), sql_value(kTicksAtOnce)});
}

Result<bool> ServerStoreImpl::take_in(const SqlRows& log) {
  for (size_t i = 0; i < log.rows(); ++i) {
    LogEnd end = this->end();
    if (static_cast<uint64_t>(log.integer(i, 0)) <= end.tick) continue;  // it was asked for twice
    TickPtr tick = TRY(tick_of(log, i, model_));
    // The log goes on with other events than those that were seen: it was put back, and others went on.
    if (tick->number == end.tick + 1 && tick->first_position != end.next_position) {
      const Error error = log_went_back(tick->number - 1, end.tick);
      heard(&error);
      return std::unexpected(error);
    }
    if (tick->number != end.tick + 1)
      return fail(Code::kInternal, "log_damaged",
                  fmt::format("tick {} of the database's log does not follow {}", tick->number, end.tick));
    for (const RowChange& change : tick->changes)
      if (change.table->scattered)
        known_.renew(*change.table, change.key, change.row);  // never asked for again
      else known_.put(*change.table, change.key, change.row);
    end = {.tick = tick->number,
           .next_position = tick->first_position + tick->events.size(),
           .time = std::max(end.time, tick->time)};
    set_end(end);
    recent_.add(tick->events);
    if (projections_) projections_->offer(tick->number, tick->events);
    stale_ |= reads_.touched_by(*tick);
    since_begin_.push_back(tick);
    news_.push_back(std::move(tick));
    numbers_.foreign.add();
  }
  return log.rows() == kTicksAtOnce;
}

Result<bool> ServerStoreImpl::take_in_all() {
  for (size_t taken = 0; taken < kTicksOfRefresh; taken += kTicksAtOnce) {
    SqlSession* session = TRY(this->session());
    add_log_since(*session);
    auto answers = session->run();
    if (!answers && session->broken()) {
      session = TRY(this->session());
      add_log_since(*session);
      answers = session->run();
    }
    if (!answers) return std::unexpected(answers.error());
    if (!TRY(take_in(*(*answers)[0]))) return false;
  }
  told_.store(true, std::memory_order_relaxed);
  return true;
}

// ---- reading ----

Row ServerStoreImpl::get_in_tick(const Table& table, const std::string& key) {
  if (!key_values(table, key)) return nullptr;
  if (table.projection) return stored_row(table, key);  // the log says nothing of its rows
  if (auto known = known_.find(table, key)) {
    reads_.row(table, key);
    numbers_.hits.add();
    return *known;
  }
  learn(table, key);
  const ExpectedRow address{.table = &table, .key = key};
  prefetch({&address, 1});
  // A tick that has read what another has changed since would see two states beside each other. This row is
  // not yet among those that were read: it is as of the new end.
  if (stale_) throw StoreConflict();
  reads_.row(table, key);
  auto row = known_.find(table, key);
  CHECK(row.has_value());
  return *row;
}

// Handlers look for the id that their event is about in the same few tables again and again: which, is learnt
// from the first time that it had to be asked for.
void ServerStoreImpl::learn(const Table& table, const std::string& key) {
  if (expected_keys_.contains(key) && std::ranges::count(looked_in_, &table) == 0)
    looked_in_.push_back(&table);
}

// Before the first read, so what others have committed meanwhile is simply what the tick begins with.
void ServerStoreImpl::expect(std::span<const ExpectedRow> rows) {
  wanted_.clear();
  expected_keys_.clear();
  for (const ExpectedRow& row : rows) {
    if (row.table != nullptr) {
      wanted_.push_back(row);
      continue;
    }
    std::string bytes;
    if (const auto id = parse_uuid(row.key))
      bytes.assign(reinterpret_cast<const char*>(id->data()), id->size());
    else continue;
    if (!expected_keys_.insert(bytes).second) continue;
    for (const Table* table : looked_in_) wanted_.push_back({table, bytes});
  }
  try {
    prefetch(wanted_);
  } catch (const StoreConflict&) {
  } catch (const StoreUnavailable&) {  // whoever needs the row will say so
  }
  since_begin_.clear();
  stale_ = false;
}

StoreUnavailable ServerStoreImpl::unavailable(const Error& error) {
  health_.failed(error);
  return StoreUnavailable{error};
}

void ServerStoreImpl::prefetch(std::span<const ExpectedRow> rows) {
  // By table: a request has a statement for each.
  std::map<const Table*, std::vector<const std::string*>> wanted;
  for (const ExpectedRow& address : rows)
    if (!address.table->projection && key_values(*address.table, address.key) &&
        !known_.find(*address.table, address.key))
      wanted[address.table].push_back(&address.key);
  if (wanted.empty()) return;
  const Time deadline = system_clock().monotonic() + options_.read_patience;
  while (true) {
    auto session = away_for_long() ? this->session() : main_.session(options_.read_patience);
    if (!session) throw unavailable(session.error());
    const Time began = system_clock().monotonic();
    for (const auto& [table, keys] : wanted) (*session)->get_rows(*table, keys);
    add_log_since(**session);
    auto answers = (*session)->run();
    if (!answers) {
      if ((*session)->broken() && system_clock().monotonic() < deadline) continue;
      throw unavailable(answers.error());
    }
    numbers_.read_seconds.observe(system_clock().monotonic() - began);
    size_t at = 0;
    for (const auto& [table, keys] : wanted) {
      numbers_.misses.add(keys.size());
      for (const std::string* key : keys) known_.put(*table, *key, nullptr);
      const SqlRows& found = *(*answers)[at++];
      for (size_t i = 0; i < found.rows(); ++i) {
        Row row = row_of(*table, found, i);
        known_.put(*table, table->key_of(*row), row);
      }
    }
    // Renews what is newer than the end was.
    auto more = take_in(*answers->back());
    if (more && *more) more = take_in_all();
    if (more && !*more) return;
    known_.clear();  // they may be newer than the end
    if (more) throw StoreConflict();
    throw unavailable(more.error());
  }
}

Result<Page> ServerStoreImpl::list_in_tick(const ListQuery& query) {
  if (query.table->projection) return list(query);
  const ListPlan plan = TRY(plan_list(query));
  while (true) {
    SqlSession* session = TRY(this->session());
    const size_t taken = since_begin_.size();
    session->add(R"(SELECT "tick" FROM "log_head" WHERE "id"=1)");
    add_list(*session, plan);
    add_log_since(*session);
    auto answers = session->run();
    if (!answers) {
      if (session->broken()) continue;
      return std::unexpected(answers.error());
    }
    const bool more = TRY(take_in(*answers->back()));
    if (more && TRY(take_in_all())) throw StoreConflict();
    if (stale_) throw StoreConflict();
    // The list is of a state between the two others: it stands when nobody has written to the table between
    // them.
    const auto least = static_cast<uint64_t>((*answers)[0]->integer(0, 0));
    const bool stands =
        std::none_of(since_begin_.begin() + ptrdiff_t(taken), since_begin_.end(), [&](const TickPtr& tick) {
          return tick->number > least && std::ranges::any_of(tick->changes, [&](const RowChange& change) {
                   return change.table == query.table;
                 });
        });
    if (!stands) continue;
    reads_.listed(*query.table);
    return page_of(plan, *(*answers)[1]);
  }
}

}  // namespace micropay
