// Committing a tick: its rows, its record and the log's new end in one transaction under the lock of
// log_head.
//
// Nobody else was here for a while: everything goes out as one request, which begins with moving the head
// from where it was believed to be, by the fence that was seen last; when either is not so, that statement
// fails (the tick would become NULL), and all of it with it. Otherwise the head is locked first and what
// others have committed is read; if that touches nothing of this tick, it is written behind them.
//
// When the connection breaks, nobody knows whether the tick was committed. The second way finds out: with the
// head locked, either its record is in the log, or it cannot come any more, because the head will have moved.
#include "libs/base/check.h"
#include "libs/base/log.h"
#include "libs/sqlserver/server_rows.h"
#include "libs/sqlserver/server_store_impl.h"

namespace micropay {
namespace {

constexpr uint32_t kCautiousCommits = 16;
constexpr int kAttempts = 8;
constexpr uint64_t kTicksUnderLock = 64;  // more than that are taken in without holding up everybody
constexpr std::string_view kMoveHead =
    R"(UPDATE "log_head" SET "tick"=CASE WHEN "tick"=? AND "fence"=? THEN "tick"+1 END,)"
    R"("next_position"="next_position"+?,"time"=? WHERE "id"=1)";
constexpr std::string_view kSetHead =
    R"(UPDATE "log_head" SET "tick"=?,"next_position"=?,"time"=? WHERE "id"=1)";

// The last look before somebody is told that money has moved: the head and the log have one row more, or a
// session has mixed up its answers.
void check_written(const SqlRows& head, const SqlRows& log) {
  CHECK(head.affected() == 1 && log.affected() == 1);
}

}  // namespace

std::unexpected<Error> ServerStoreImpl::conflict(std::string_view reason) {
  numbers_.conflicts.add();
  return fail(Code::kAborted, std::string(reason), "another instance was first");
}

Result<void> ServerStoreImpl::commit(Tick& tick) {
  auto done = commit_checked(tick);
  if (done) health_.committed();
  else health_.failed(done.error());
  return done;
}

Result<void> ServerStoreImpl::commit_checked(Tick& tick) {
  const Time began = system_clock().monotonic();
  // Ticks that were taken in under way have moved what was read to the state behind them; this one can
  // follow, unless it may not be moved at all.
  if (stale_ || (!since_begin_.empty() && ReadSet().conflicts(tick, Tick()))) return conflict("conflict");
  log_row_.forget();
  auto done = try_commit(tick);
  full_.store(!done && done.error().reason == "storage_full", std::memory_order_relaxed);
  TRY(std::move(done));
  committed(tick);
  numbers_.commit_seconds.observe(system_clock().monotonic() - began);
  return {};
}

Result<void> ServerStoreImpl::try_commit(Tick& tick) {
  bool direct = cautious_ == 0;
  if (cautious_ > 0) --cautious_;
  std::optional<uint64_t> sent;  // as this tick, and the answer was lost
  const Time deadline = system_clock().monotonic() + options_.commit_patience;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    SqlSession* session = TRY(this->session());
    auto ended = direct ? commit_directly(*session, tick) : commit_locked(*session, tick, sent);
    if (ended && *ended == Attempt::kDone) return {};
    if (!ended && session->failure() != SqlFailure::kLost && session->failure() != SqlFailure::kContended)
      return std::unexpected(ended.error());
    if (!ended && session->failure() == SqlFailure::kLost) {
      sent = tick.number;
      told_.store(true, std::memory_order_relaxed);  // should it be found out later only, as another's
      numbers_.unknown.add();
    } else if (!ended) {
      end_stalled();
    }
    if (!ended && system_clock().monotonic() > deadline) return std::unexpected(ended.error());
    direct = false;
  }
  return fail(Code::kUnavailable, "storage_contended", "the log's head was not free in time");
}

// ---- the two ways ----

Result<void> ServerStoreImpl::add_writes(SqlSession& session, Tick& tick) {
  TRY(log_row_.pack(tick));
  add_changes(session, tick.changes);
  session.add(log_insert_sql(),
              {sql_value(tick.number), sql_value(tick.first_position), sql_value(tick.time),
               sql_text(membership_.name()), sql_value(membership_.epoch()), sql_blob(log_row_.record())});
  return {};
}

Result<ServerStoreImpl::Attempt> ServerStoreImpl::commit_directly(SqlSession& session, Tick& tick) {
  const LogEnd before = end();
  move_tick(tick, before);
  session.add(kMoveHead, {sql_value(before.tick), sql_value(fence_), sql_value(uint64_t(tick.events.size())),
                          sql_value(tick.time)});
  TRY(add_writes(session, tick));
  const auto done = session.run();
  if (done) {
    check_written(*(*done)[0], *(*done)[1]);
    numbers_.direct.add();
    return Attempt::kDone;
  }
  if (session.failure() == SqlFailure::kRefused) return Attempt::kMoved;
  return std::unexpected(done.error());
}

Result<ServerStoreImpl::Attempt> ServerStoreImpl::commit_locked(SqlSession& session, Tick& tick,
                                                                std::optional<uint64_t> sent) {
  const auto ended = [&]() -> Result<Attempt> {
    if (TRY(lock_and_look(session, tick, sent))) return Attempt::kDone;
    const LogEnd before = end();
    if (tick.number != before.tick + 1) numbers_.moved.add();
    move_tick(tick, before);
    session.add(kSetHead, {sql_value(tick.number), sql_value(tick.first_position + tick.events.size()),
                           sql_value(tick.time)});
    TRY(add_writes(session, tick));
    session.add("COMMIT");
    const auto done = TRY(session.run());
    check_written(*done[0], *done[1]);
    return Attempt::kDone;
  }();
  if (session.in_transaction()) {
    const SqlFailure why = session.failure();
    session.roll_back();
    session.blame(why);
  }
  return ended;
}

// With the head locked: what is between the end that is known here and it. True: the tick that was sent is
// there.
Result<bool> ServerStoreImpl::lock_and_look(SqlSession& session, const Tick& tick,
                                            std::optional<uint64_t> sent) {
  session.add("BEGIN");
  session.add(lock_head_sql());
  session.add(log_since_sql(), {sql_value(end().tick), sql_value(kTicksUnderLock)});
  const auto answers = TRY(session.run());
  const LogHead head = TRY(head_of(*answers[1]));
  const SqlRows& log = *answers[2];
  if (sent && is_own(log, *sent)) {
    told_.store(true, std::memory_order_relaxed);  // what is behind it is taken in later
    return true;
  }
  // Whoever joins or is fenced moves the fence.
  if (head.fence != fence_ && !TRY(still_a_member(session))) {
    session.roll_back();
    numbers_.fenced.add();
    TRY(join());
    return conflict("fenced");
  }
  const size_t taken = since_begin_.size();
  const bool more = TRY(take_in(log));
  if (since_begin_.size() > taken) cautious_ = kCautiousCommits;
  for (size_t i = taken; i < since_begin_.size(); ++i)
    if (reads_.conflicts(tick, *since_begin_[i])) return conflict("conflict");
  if (more) return conflict("behind");
  if (head.tick < end().tick) {
    const Error error = log_went_back(head.tick, end().tick);
    heard(&error);
    return std::unexpected(error);
  }
  if (end().tick != head.tick || end().next_position != head.next_position)
    return fail(Code::kInternal, "log_damaged", "the database's log does not end where its head says");
  fence_ = head.fence;
  return false;
}

// With the head locked. Notes who else there is, too.
Result<bool> ServerStoreImpl::still_a_member(SqlSession& session) {
  session.add(
      fmt::format(R"(SELECT "epoch",(SELECT COUNT(*) FROM "instance" WHERE "name"<>? AND "epoch"<>0 AND )"
                  R"("lease_until">={}) FROM "instance" WHERE "name"=?)",
                  now_sql(session.server())),
      {sql_text(membership_.name()), sql_text(membership_.name())});
  const auto answers = TRY(session.run());
  const SqlRows& mine = *answers[0];
  if (mine.rows() == 0 || static_cast<uint64_t>(mine.integer(0, 0)) != membership_.epoch()) return false;
  membership_.note_others(static_cast<uint64_t>(mine.integer(0, 1)));
  return true;
}

bool ServerStoreImpl::is_own(const SqlRows& log, uint64_t tick) const {
  return log.rows() > 0 && static_cast<uint64_t>(log.integer(0, 0)) == tick &&
         log.value(0, 2).bytes == membership_.name() &&
         static_cast<uint64_t>(log.integer(0, 3)) == membership_.epoch();
}

// ---- afterwards ----

void ServerStoreImpl::committed(Tick& tick) {
  for (RowChange& change : tick.changes) known_.put(*change.table, change.key, std::move(change.row));
  tick.changes.clear();
  set_end(
      {.tick = tick.number, .next_position = tick.first_position + tick.events.size(), .time = tick.time});
  recent_.add(tick.events);
  membership_.committed(tick.number);
  if (projections_) projections_->offer(tick.number, tick.events);
  numbers_.commits.add();
}

// Somebody holds the head and says nothing: a process that stands still. When that is between two requests,
// the server ends its session by itself; in the midst of one, it waits for the rest of it.
void ServerStoreImpl::end_stalled() {
  if (options_.address.server != SqlServer::kPostgres) return;
  const auto ended = readers_.read([](SqlSession& session) -> Result<void> {
    session.add(
        "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname=current_database() "
        "AND usename=current_user AND pid<>pg_backend_pid() AND backend_xid IS NOT NULL "
        "AND wait_event_type='Client' AND xact_start<clock_timestamp()-interval '2 seconds'");
    const auto answers = TRY(session.run());
    if (answers[0]->integer(0, 0) > 0)
      log_warn("store.ended_stalled", "a session that held the log and stood still was ended");
    return {};
  });
  (void)ended;
}

}  // namespace micropay
