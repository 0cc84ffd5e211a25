#include "libs/sqlserver/log_look.h"

#include <charconv>

#include "contracts/runtime.pb.h"
#include "libs/sqlserver/log_rows.h"
#include "libs/sqlserver/membership.h"
#include "libs/sqlserver/server_rows.h"

namespace micropay {
namespace {

constexpr int64_t kTicksAtOnce = 64;
constexpr uint64_t kFirstTicks = 4'096;  // that are looked through for an event of the service's own
constexpr std::string_view kSource = "source:";

SqlOptions options() { return {.application = "micropay-look", .connect_timeout = 3 * kSecond}; }

// "source:payment/3"; none: it is a follower's.
std::optional<LogLook::Mark> mark_of(const ConsumerRecord& record) {
  std::string_view name = record.service();
  const size_t slash = name.rfind('/');
  if (!name.starts_with(kSource) || slash == name.npos) return {};
  LogLook::Mark mark{.source = std::string(name.substr(kSource.size(), slash - kSource.size())),
                     .position = record.position(),
                     .offset = record.offset()};
  std::from_chars(name.data() + slash + 1, name.data() + name.size(), mark.partition);
  return mark;
}

}  // namespace

Result<std::unique_ptr<LogLook>> LogLook::open(const SqlAddress& address) {
  std::unique_ptr<LogLook> look(new LogLook(TRY(SqlSession::open(address, options()))));
  const bool postgres = look->session_->server() == SqlServer::kPostgres;
  look->session_->add(
      fmt::format("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema={} AND table_name IN "
                  "('log','log_head','instance','projection','runtime_consumer')",
                  postgres ? "current_schema()" : "DATABASE()"));
  look->made_ = TRY(look->session_->run())[0]->integer(0, 0) == 5;
  return look;
}

Result<LogEnd> LogLook::end() {
  if (!made_) return LogEnd();
  session_->add(R"(SELECT "tick","next_position","time" FROM "log_head" WHERE "id"=1)");
  const auto answers = TRY(session_->run());
  if (answers[0]->rows() != 1)
    return fail(Code::kFailedPrecondition, "log_damaged", "the row of log_head is missing");
  return LogEnd{.tick = uint64_t(answers[0]->integer(0, 0)),
                .next_position = uint64_t(answers[0]->integer(0, 1)),
                .time = answers[0]->integer(0, 2)};
}

Result<std::vector<LogLook::Mark>> LogLook::marks() {
  std::vector<Mark> marks;
  if (!made_) return marks;
  const auto scanned =
      scan_rows(*session_, *contract::model().table_of<ConsumerRecord>(), [&](const Row& row) {
        if (auto mark = mark_of(static_cast<const ConsumerRecord&>(*row))) marks.push_back(*std::move(mark));
        return true;
      });
  session_->roll_back();  // what is read next is of then
  if (!scanned) return std::unexpected(scanned.error());
  return marks;
}

Result<std::string> LogLook::event_id(uint64_t position) {
  if (!made_ || position == 0) return std::string();
  session_->add(R"(SELECT "tick","record" FROM "log" WHERE "first_position"<=? )"
                R"(ORDER BY "first_position" DESC,"tick" DESC LIMIT 1)",
                {sql_value(position)});
  const auto answers = TRY(session_->run());
  if (answers[0]->rows() == 0) return std::string();
  const TickRecord record = TRY(record_of(*answers[0], 0));
  for (const Envelope& event : record.events)
    if (event.position() == position) return std::string(event.id());
  return std::string();
}

Result<bool> LogLook::emitted(std::string_view service, uint64_t up_to) {
  if (!made_) return false;
  for (uint64_t tick = 0; tick < kFirstTicks;) {
    session_->add(R"(SELECT "tick","record" FROM "log" WHERE "tick">? ORDER BY "tick" LIMIT ?)",
                  {sql_value(tick), sql_value(kTicksAtOnce)});
    const auto answers = TRY(session_->run());
    for (size_t i = 0; i < answers[0]->rows(); ++i) {
      const TickRecord record = TRY(record_of(*answers[0], i));
      for (const Envelope& event : record.events) {
        if (event.position() > up_to) return false;
        if (event.service() == service) return true;
      }
      tick = record.tick;
    }
    if (answers[0]->rows() < size_t(kTicksAtOnce)) break;
  }
  return false;
}

Result<uint64_t> LogLook::position(std::string_view name) {
  if (!made_) return 0;
  session_->add(R"(SELECT "tick" FROM "projection" WHERE "service"=?)", {sql_text(name)});
  const auto answers = TRY(session_->run());
  return answers[0]->rows() == 0 ? 0 : uint64_t(answers[0]->integer(0, 0));
}

Result<void> LogLook::set_position(std::string_view name, uint64_t position) {
  if (!made_) return {};
  session_->add(R"(UPDATE "projection" SET "tick"=? WHERE "service"=?)",
                {sql_value(position), sql_text(name)});
  TRY(session_->run());
  return {};
}

Result<std::vector<std::string>> LogLook::instances() {
  std::vector<std::string> names;
  if (!made_) return names;
  session_->add(fmt::format(R"(SELECT "place" FROM "instance" WHERE "epoch"<>0 AND "lease_until">={})",
                            now_sql(session_->server())));
  const auto answers = TRY(session_->run());
  for (size_t i = 0; i < answers[0]->rows(); ++i) names.emplace_back(answers[0]->value(i, 0).bytes);
  return names;
}

}  // namespace micropay
