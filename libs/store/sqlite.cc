// SQLite connections and statements.
#include "libs/store/sqlite.h"

#include <sqlite3.h>

#include <cerrno>

#include "libs/base/check.h"

namespace micropay {
namespace {
using contract::Value;
constexpr int kBusyMs = 10'000;
constexpr int kPageBytes = 4096;
}  // namespace

// ---- statements ----

void SqlStatement::Close::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

void SqlStatement::bind(int place, const Value& value) {
  sqlite3_stmt* statement = statement_.get();
  int code = SQLITE_OK;
  // An empty view may have no address, which SQLite would take for NULL.
  const char* bytes = value.bytes.empty() ? "" : value.bytes.data();
  switch (value.kind) {
    case Value::Kind::kNull: code = sqlite3_bind_null(statement, place); break;
    case Value::Kind::kInteger: code = sqlite3_bind_int64(statement, place, value.integer); break;
    case Value::Kind::kText:
      code = sqlite3_bind_text64(statement, place, bytes, value.bytes.size(), SQLITE_STATIC, SQLITE_UTF8);
      break;
    case Value::Kind::kBlob:
      code = sqlite3_bind_blob64(statement, place, bytes, value.bytes.size(), SQLITE_STATIC);
      break;
  }
  CHECK(code == SQLITE_OK);
}

void SqlStatement::bind(int place, int64_t value) {
  CHECK(sqlite3_bind_int64(statement_.get(), place, value) == SQLITE_OK);
}

void SqlStatement::bind(int place, std::string_view text) {
  bind(place, contract::Value{.kind = contract::Value::Kind::kText, .integer = 0, .bytes = text});
}

Result<bool> SqlStatement::step() {
  connection_.service_ = service_;
  int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  auto error = connection_.error(code, sqlite3_sql(statement_.get()));
  sqlite3_reset(statement_.get());
  return error;
}

Value SqlStatement::value(int column) const {
  sqlite3_stmt* statement = statement_.get();
  auto size = [&] { return static_cast<size_t>(sqlite3_column_bytes(statement, column)); };
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      return {.kind = Value::Kind::kInteger, .integer = sqlite3_column_int64(statement, column), .bytes = {}};
    case SQLITE_FLOAT:  // nothing of ours: as text it equals no number
    case SQLITE_TEXT: {
      auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
      return {.kind = Value::Kind::kText, .integer = 0, .bytes = {text, size()}};
    }
    case SQLITE_BLOB: {
      auto* blob = static_cast<const char*>(sqlite3_column_blob(statement, column));
      return {.kind = Value::Kind::kBlob, .integer = 0, .bytes = {blob, size()}};
    }
    default: return {};
  }
}

void SqlStatement::reset() { sqlite3_reset(statement_.get()); }

Result<void> SqlStatement::run() {
  while (TRY(step())) continue;
  reset();
  return {};
}

// ---- connections ----

Result<std::unique_ptr<SqlConnection>> SqlConnection::open(const std::string& path, Mode mode) {
  std::unique_ptr<SqlConnection> connection(new SqlConnection);
  connection->path_ = path;
  std::string uri = "file:";
  for (char c : path) uri += c == '?' || c == '#' || c == '%' ? fmt::format("%{:02x}", c) : std::string(1, c);
  if (mode == Mode::kReadImmutable) uri += "?immutable=1";
  int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;
  flags |= mode == Mode::kWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  int code = sqlite3_open_v2(uri.c_str(), &connection->connection_, flags, nullptr);
  if (code != SQLITE_OK) return connection->error(code, "open");
  sqlite3_extended_result_codes(connection->connection_, 1);
  sqlite3_busy_timeout(connection->connection_, kBusyMs);
  // Checkpoints happen where the applier says, never inside somebody's commit or read.
  TRY(connection->exec("PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY"));
  if (mode == Mode::kWrite) {
    sqlite3_wal_hook(connection->connection_, count_wal, connection.get());
    TRY(connection->exec(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536"));
  } else {
    TRY(connection->exec("PRAGMA cache_size = -16384; PRAGMA query_only = 1"));
  }
  sqlite3_set_authorizer(connection->connection_, authorize, connection.get());
  return connection;
}

SqlConnection::~SqlConnection() { sqlite3_close_v2(connection_); }

Result<void> SqlConnection::exec(const std::string& sql) {
  service_ = {};
  int code = sqlite3_exec(connection_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error(code, sql);
  return {};
}

Result<std::unique_ptr<SqlStatement>> SqlConnection::prepare(const std::string& sql,
                                                             const std::string& service) {
  service_ = service;
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v3(connection_, sql.c_str(), static_cast<int>(sql.size()) + 1,
                                SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  service_ = {};
  if (code != SQLITE_OK) return error(code, sql);
  return std::make_unique<SqlStatement>(*this, statement, service);
}

// Called for everything a statement would touch while it is prepared, also when SQLite prepares it again
// later.
int SqlConnection::authorize(void* self, int action, const char* first, const char*, const char*,
                             const char*) {
  std::string_view service = static_cast<SqlConnection*>(self)->service_;
  if (service.empty()) return SQLITE_OK;
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_FUNCTION: return SQLITE_OK;
    case SQLITE_READ:
      if (first != nullptr && std::string_view(first) == "micropay_stretch") return SQLITE_OK;
      [[fallthrough]];
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE: {
      std::string_view table = first != nullptr ? first : "";
      bool own = table.starts_with(service) && table.substr(service.size()).starts_with('_');
      return own ? SQLITE_OK : SQLITE_DENY;
    }
    default: return SQLITE_DENY;
  }
}

int SqlConnection::count_wal(void* self, sqlite3*, const char*, int pages) {
  static_cast<SqlConnection*>(self)->wal_pages_ = pages;
  return SQLITE_OK;
}

void SqlConnection::checkpoint(bool all) {
  int mode = all ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  int in_wal = 0, copied = 0;
  int code = sqlite3_wal_checkpoint_v2(connection_, nullptr, mode, &in_wal, &copied);
  if (code == SQLITE_OK) wal_pages_ = in_wal - copied;
}

uint64_t SqlConnection::wal_bytes() const { return static_cast<uint64_t>(wal_pages_) * kPageBytes; }

Result<void> SqlConnection::copy_to(SqlConnection& target) {
  service_ = target.service_ = {};
  sqlite3_backup* copy = sqlite3_backup_init(target.connection_, "main", connection_, "main");
  if (copy == nullptr) return target.error(sqlite3_errcode(target.connection_), "backup");
  int code = sqlite3_backup_step(copy, -1);
  sqlite3_backup_finish(copy);
  if (code != SQLITE_DONE) return target.error(code, "backup");
  return {};
}

std::unexpected<Error> SqlConnection::error(int code, std::string_view what) const {
  std::string detail = fmt::format("{}: {} ({})", path_, sqlite3_errmsg(connection_), what.substr(0, 200));
  switch (code & 0xff) {
    case SQLITE_FULL: return fail(Code::kUnavailable, "storage_full", std::move(detail));
    case SQLITE_AUTH: return fail(Code::kPermissionDenied, "foreign_table", std::move(detail));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return fail(Code::kFailedPrecondition, "tables_damaged",
                  detail + "; delete state.db and its -wal and -shm: it is rebuilt from the log");
    case SQLITE_IOERR:
      if (sqlite3_system_errno(connection_) == ENOSPC)
        return fail(Code::kUnavailable, "storage_full", std::move(detail));
      [[fallthrough]];
    default: return fail(Code::kUnavailable, "storage_failed", std::move(detail));
  }
}

}  // namespace micropay
