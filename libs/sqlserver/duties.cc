// Duties of a service that one instance has at a time, with how far each is done: rows of `projection` beside
// those of the projections.
#include "libs/sqlserver/server_store_impl.h"

namespace micropay {
namespace {

constexpr int64_t kRenewals = 3;  // of a lease, while it is kept
// Parts of a lease. Who is suited looks often, so that what another leaves is not undone for long; who is not
// waits longer than that before it takes it.
constexpr int64_t kSuitedLooks = 25, kUnsuitedWaits = 5;

}  // namespace

Result<uint64_t> ServerStoreImpl::duty_position(std::string_view name) const {
  uint64_t position = 0;
  TRY(readers_.read([&](SqlSession& session) -> Result<void> {
    session.add(R"(SELECT "tick" FROM "projection" WHERE "service"=?)", {sql_text(name)});
    const auto answers = TRY(session.run());
    if (answers[0]->rows() != 0) position = uint64_t(answers[0]->integer(0, 0));
    return {};
  }));
  return position;
}

Result<void> ServerStoreImpl::set_duty_position(std::string_view name, uint64_t position) {
  return readers_.read([&](SqlSession& session) -> Result<void> {
    session.add(R"(UPDATE "projection" SET "tick"=? WHERE "service"=? AND "owner"=?)",
                {sql_value(position), sql_text(name), sql_text(membership_.name())});
    TRY(session.run());
    return {};
  });
}

Result<uint64_t> ServerStoreImpl::settled_number(std::string_view name, uint64_t now) {
  uint64_t settled = now;
  TRY(readers_.read([&](SqlSession& session) -> Result<void> {
    const auto look = [&]() -> Result<bool> {
      session.add(R"(SELECT "tick" FROM "projection" WHERE "service"=?)", {sql_text(name)});
      const auto answers = TRY(session.run());
      if (answers[0]->rows() != 0) settled = uint64_t(answers[0]->integer(0, 0));
      return answers[0]->rows() != 0;
    };
    if (TRY(look())) return {};
    session.add(
        R"(INSERT INTO "projection" ("service","tick","version","owner","lease_until") VALUES (?,?,0,'',0))",
        {sql_text(name), sql_value(now)});
    (void)session.run();  // another instance may have been first
    TRY(look());
    return {};
  }));
  return settled;
}

bool ServerStoreImpl::has_duty(std::string_view name, bool suited) {
  if (went_back_.load(std::memory_order_relaxed)) return false;  // what is known here is no more
  const std::lock_guard lock(duties_mutex_);
  Duty& duty = duties_[std::string(name)];
  const Time now = system_clock().monotonic();
  if (duty.held && is_for_others(duty, suited, now) && leave_duty(name)) {
    duty = {.look_at = now + options_.lease / kUnsuitedWaits};
    return false;
  }
  if (now < duty.look_at) return duty.held;
  const auto held = claim_duty(name, suited);
  const bool waits = suited && held && !*held;
  duty.look_at = now + (options_.lease / (waits ? kSuitedLooks : kRenewals));
  // While the database does not answer, what was held is kept until the others may have it.
  if (held) duty.held = *held, duty.until = *held ? now + options_.lease : 0;
  else if (now > duty.until) duty.held = false;
  return duty.held;
}

// For as long as a lease, so that nothing is moved for a moment's sake.
bool ServerStoreImpl::is_for_others(Duty& duty, bool suited, Time now) const {
  if (suited || membership_.others() == 0) duty.unsuited_since = 0;
  else if (duty.unsuited_since == 0) duty.unsuited_since = now;
  return duty.unsuited_since != 0 && now - duty.unsuited_since > options_.lease;
}

// Its lease ends now.
Result<void> ServerStoreImpl::leave_duty(std::string_view name) const {
  return readers_.read([&](SqlSession& session) -> Result<void> {
    session.add(fmt::format(R"(UPDATE "projection" SET "owner"='',"lease_until"={} WHERE "service"=? AND )"
                            R"("owner"=?)",
                            now_sql(session.server())),
                {sql_text(name), sql_text(membership_.name())});
    TRY(session.run());
    return {};
  });
}

Result<bool> ServerStoreImpl::claim_duty(std::string_view name, bool suited) const {
  const int64_t patience = suited ? 0 : options_.lease / kUnsuitedWaits;
  bool held = false;
  TRY(readers_.read([&](SqlSession& session) -> Result<void> {
    const std::string now = now_sql(session.server());
    const std::string sql =
        fmt::format(R"(UPDATE "projection" SET "owner"=?,"lease_until"={0}+? WHERE "service"=? AND )"
                    R"(("owner"=? OR "lease_until"+{1}<{0}))",
                    now, patience);
    const std::string& self = membership_.name();
    const auto claim = [&]() -> Result<bool> {
      session.add(sql, {sql_text(self), sql_value(int64_t(options_.lease)), sql_text(name), sql_text(self)});
      return TRY(session.run())[0]->affected() == 1;
    };
    held = TRY(claim());
    if (held) return {};
    session.add(R"(SELECT "tick" FROM "projection" WHERE "service"=?)", {sql_text(name)});
    if (TRY(session.run())[0]->rows() != 0) return {};
    session.add(
        R"(INSERT INTO "projection" ("service","tick","version","owner","lease_until") VALUES (?,0,0,'',0))",
        {sql_text(name)});
    (void)session.run();  // another instance may have been first
    held = TRY(claim());
    return {};
  }));
  return held;
}

}  // namespace micropay
