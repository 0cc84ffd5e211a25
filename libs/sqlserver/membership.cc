// Joining, heartbeats, fencing, telling.
#include "libs/sqlserver/membership.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>

#include "libs/base/check.h"
#include "libs/base/log.h"

namespace micropay {
namespace {

constexpr char kChannel[] = "micropay_log";
constexpr int kBeats = 4;  // in a lease
constexpr Duration kPollIsBusy = kSecond;

Time monotonic() { return system_clock().monotonic(); }
void sleep_for(Duration duration) { std::this_thread::sleep_for(std::chrono::microseconds(duration)); }

std::string place_of_process() {
  char host[200] = {};
  ::gethostname(host, sizeof host - 1);
  return fmt::format("{}:{}", host, ::getpid());
}

SqlOptions session_options() {
  // What it writes may be lost in a crash of the server: heartbeats, and calls to others.
  return {.application = "micropay-member", .durable = false};
}

}  // namespace

std::string_view lock_head_sql() {
  return R"(SELECT "tick","next_position","time","fence" FROM "log_head" WHERE "id"=1 FOR UPDATE)";
}

Result<LogHead> head_of(const SqlRows& answer) {
  if (answer.rows() != 1) return fail(Code::kInternal, "log_damaged", "the database's log has no head");
  return LogHead{.tick = static_cast<uint64_t>(answer.integer(0, 0)),
                 .next_position = static_cast<uint64_t>(answer.integer(0, 1)),
                 .time = answer.integer(0, 2),
                 .fence = static_cast<uint64_t>(answer.integer(0, 3))};
}

Error log_went_back(uint64_t tick, uint64_t known) {
  return {.code = Code::kUnavailable,
          .reason = "log_went_back",
          .detail = fmt::format("the database's log ends at tick {}, and this process has seen tick {}: an "
                                "earlier state was put there, and this process has to be started again",
                                tick, known)};
}

std::string now_sql(SqlServer server) {
  return server == SqlServer::kPostgres ? "CAST(EXTRACT(EPOCH FROM clock_timestamp())*1000000 AS bigint)"
                                        : "CAST(UNIX_TIMESTAMP(NOW(6))*1000000 AS SIGNED)";
}

Membership::Membership(MemberOptions options, SqlAddress address)
    : options_(std::move(options)),
      address_(std::move(address)),
      link_(address_, session_options()),
      wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  CHECK(wake_fd_ >= 0);
}

Membership::~Membership() {
  leave();
  ::close(wake_fd_);
}

// ---- joining and leaving ----

// None: another process of this name is alive.
Result<std::optional<Membership::Joined>> Membership::try_join(SqlSession& session) {
  const std::string now = now_sql(session.server());
  session.add("BEGIN");
  session.add(lock_head_sql());
  session.add(fmt::format(R"(SELECT "epoch" FROM "instance" WHERE "name"=? AND "epoch"<>? AND "epoch"<>0 )"
                          R"(AND "lease_until">={})",
                          now),
              {sql_text(options_.name), sql_value(epoch())});
  auto answers = TRY(session.run());
  Joined joined{.head = TRY(head_of(*answers[1])), .epoch = 0};
  if (answers[2]->rows() != 0) {
    session.roll_back();
    return std::nullopt;
  }
  // The new fence makes every other instance look again at who there is, and is an epoch that nobody had.
  joined.epoch = ++joined.head.fence;
  const std::string place = place_of_process();
  session.add(R"(DELETE FROM "instance" WHERE "name"=?)", {sql_text(options_.name)});
  session.add(
      fmt::format(R"(INSERT INTO "instance" ("name","epoch","lease_until","place") VALUES (?,?,{}+?,?))",
                  now),
      {sql_text(options_.name), sql_value(joined.epoch), sql_value(options_.lease), sql_text(place)});
  session.add(R"(UPDATE "log_head" SET "fence"="fence"+1 WHERE "id"=1)");
  session.add("COMMIT");
  TRY(session.run());
  epoch_.store(joined.epoch, std::memory_order_relaxed);
  fenced_ = false;
  return joined;
}

Result<Membership::Joined> Membership::join(SqlSession& session) {
  const Time deadline = monotonic() + options_.lease + kSecond;
  while (true) {
    auto joined = try_join(session);
    if (!joined) {
      session.roll_back();
      return std::unexpected(joined.error());
    }
    if (*joined) return **joined;
    if (monotonic() > deadline)
      return fail(
          Code::kFailedPrecondition, "instance_in_use",
          fmt::format("another process is the instance \"{}\"; give each a name of its own", options_.name));
    sleep_for(100 * kMillisecond);
  }
}

void Membership::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  const uint64_t one = 1;
  CHECK(::write(wake_fd_, &one, sizeof one) == sizeof one || errno == EAGAIN);
  thread_.join();
}

void Membership::leave() {
  stop();
  if (epoch() == 0) return;
  auto session = link_.session(0);
  if (!session) return;  // the leases end by themselves
  (*session)->add(R"(DELETE FROM "instance" WHERE "name"=? AND "epoch"=?)",
                  {sql_text(options_.name), sql_value(epoch())});
  (*session)->add(R"(UPDATE "projection" SET "lease_until"=0 WHERE "owner"=?)", {sql_text(options_.name)});
  if ((*session)->run()) epoch_ = 0;
}

// ---- the thread ----

void Membership::start(Events events) {
  events_ = std::move(events);
  thread_ = std::thread([this] { run(); });
}

void Membership::committed(uint64_t tick) {
  committed_.store(tick, std::memory_order_relaxed);
  if (others() == 0 || address_.server != SqlServer::kPostgres) return;
  const uint64_t one = 1;
  (void)!::write(wake_fd_, &one, sizeof one);
}

void Membership::drain_wake() {
  uint64_t count = 0;
  (void)!::read(wake_fd_, &count, sizeof count);
}

void Membership::run() {
  pthread_setname_np(pthread_self(), "membership");
  bool failing = false;
  while (!stopping_) {
    auto session = link_.session(100 * kMillisecond);
    Result<void> worked = session ? work(**session) : std::unexpected(session.error());
    if (!worked && !std::exchange(failing, true))
      log_warn("store.member_failed", worked.error().detail, {{"instance", options_.name}});
    events_.heard(worked ? nullptr : &worked.error());
    if (worked) failing = false;
    else sleep_for(50 * kMillisecond);
  }
}

Result<void> Membership::work(SqlSession& session) {
  if (listening_ != link_.openings()) {
    if (session.server() == SqlServer::kPostgres) TRY(session.execute(fmt::format("LISTEN {}", kChannel)));
    listening_ = link_.openings();
    events_.wake();  // what was called meanwhile, nobody heard
  }
  if (monotonic() >= next_beat_) {
    TRY(beat(session));
    next_beat_ = monotonic() + options_.lease / kBeats;
  }
  TRY(tell(session));
  const Duration until_beat = std::max<Duration>(next_beat_ - monotonic(), 0);
  return listen(session, until_beat);
}

Result<void> Membership::beat(SqlSession& session) {
  const std::string now = now_sql(session.server());
  const uint64_t known = events_.known_tick();  // before the head is read
  session.add(fmt::format(R"(UPDATE "instance" SET "lease_until"={}+? WHERE "name"=? AND "epoch"=?)", now),
              {sql_value(options_.lease), sql_text(options_.name), sql_value(epoch())});
  session.add(
      fmt::format(R"(SELECT "name","lease_until"<{} FROM "instance" WHERE "name"<>? AND "epoch"<>0)", now),
      {sql_text(options_.name)});
  session.add(R"(SELECT "tick" FROM "log_head" WHERE "id"=1)");
  const auto answers = TRY(session.run());
  if (const auto tick = uint64_t(answers[2]->integer(0, 0)); tick < known)
    return std::unexpected(log_went_back(tick, known));
  if (answers[0]->affected() == 0 && !fenced_.exchange(true)) {
    log_warn("store.fenced", "this instance's lease ran out; it takes a new epoch",
             {{"instance", options_.name}});
    events_.wake();
  }
  uint64_t live = 0;
  std::vector<std::string> gone;
  for (size_t i = 0; i < answers[1]->rows(); ++i) {
    if (answers[1]->integer(i, 1) != 0) gone.emplace_back(answers[1]->value(i, 0).bytes);
    else ++live;
  }
  note_others(live);
  for (const std::string& name : gone) TRY(fence(session, name));
  return {};
}

// Under the head's lock, so that no commit of the fenced instance is under way; it has to be durable, too.
Result<void> Membership::fence(SqlSession& session, const std::string& name) {
  session.add("BEGIN");
  if (session.server() == SqlServer::kPostgres) session.add("SET LOCAL synchronous_commit=on");
  session.add(lock_head_sql());
  session.add(
      fmt::format(R"(UPDATE "instance" SET "epoch"=0 WHERE "name"=? AND "epoch"<>0 AND "lease_until"<{})",
                  now_sql(session.server())),
      {sql_text(name)});
  session.add(R"(UPDATE "log_head" SET "fence"="fence"+1 WHERE "id"=1)");
  session.add("COMMIT");
  const auto done = session.run();
  session.roll_back();
  if (!done) return std::unexpected(done.error());
  log_warn("store.fenced_other", "an instance whose lease ran out was fenced", {{"instance", name}});
  return {};
}

// One call for all that was committed since the last one. Not in the transaction of a tick: NOTIFY takes a
// lock that all databases of a server share, until its commit is on the disk.
Result<void> Membership::tell(SqlSession& session) {
  const uint64_t tick = committed_.load(std::memory_order_relaxed);
  if (tick <= told_ || session.server() != SqlServer::kPostgres) return {};
  told_ = tick;
  if (others() == 0) return {};
  session.add(fmt::format("SELECT pg_notify('{}','')", kChannel));
  TRY(session.run());
  return {};
}

Result<void> Membership::listen(SqlSession& session, Duration timeout) {
  if (session.server() == SqlServer::kPostgres) {
    const bool called = TRY(session.wait_notified(timeout, wake_fd_));
    drain_wake();
    if (called) events_.wake();
    return {};
  }
  const bool busy = monotonic() - last_heard_ < kPollIsBusy;
  const Duration pause =
      others() == 0 ? timeout : std::min(timeout, busy ? options_.busy_poll : options_.idle_poll);
  pollfd wake{.fd = wake_fd_, .events = POLLIN, .revents = 0};
  ::poll(&wake, 1, static_cast<int>(pause / kMillisecond) + 1);
  drain_wake();
  if (others() == 0) return {};
  session.add(R"(SELECT "tick" FROM "log_head" WHERE "id"=1)");
  const auto answers = TRY(session.run());
  if (static_cast<uint64_t>(answers[0]->integer(0, 0)) > events_.known_tick()) {
    last_heard_ = monotonic();
    events_.wake();
  }
  return {};
}

}  // namespace micropay
