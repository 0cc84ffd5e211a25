// A session with MariaDB or MySQL. Their protocol answers one request before it takes the next, so what is to
// be done together goes as one text of many statements, values written out: one round trip, and the server
// starts only when it has all of it, so a process that stops in the middle of sending holds no lock.
#include <mariadb/errmsg.h>
#include <mariadb/mysql.h>
#include <mariadb/mysqld_error.h>
#include <poll.h>

#include <charconv>

#include "libs/base/check.h"
#include "libs/base/log.h"
#include "libs/sqlserver/sessions.h"
#include "libs/sqlserver/sql_text.h"

namespace micropay {
namespace {

using contract::Column;
using contract::Table;
using contract::Value;

constexpr size_t kBulkBytes = 512 << 10;   // of one statement
constexpr size_t kRequestBytes = 4 << 20;  // then it is sent in parts
constexpr Duration kGrace = 3 * kSecond;   // beyond what the server itself allows a statement
constexpr unsigned kBinaryCharset = 63;
constexpr unsigned kMysqlIdleTooLong = 4031, kConnectionKilled = 1927;

struct FreeResult {
  void operator()(MYSQL_RES* result) const { mysql_free_result(result); }
};

class MariadbRows final : public SqlRows {
 public:
  MariadbRows(MYSQL_RES* result, uint64_t affected) : result_(result), affected_(affected) {
    if (result == nullptr) return;
    columns_ = mysql_num_fields(result);
    fields_ = mysql_fetch_fields(result);
    while (MYSQL_ROW row = mysql_fetch_row(result)) {
      const unsigned long* lengths = mysql_fetch_lengths(result);
      rows_.push_back(row);
      lengths_.insert(lengths_.end(), lengths, lengths + columns_);
    }
  }
  size_t rows() const override { return rows_.size(); }
  uint64_t affected() const override { return affected_; }
  Value value(size_t row, size_t column) const override {
    const char* at = rows_[row][column];
    if (at == nullptr) return {};
    const std::string_view bytes(at, lengths_[row * columns_ + column]);
    const MYSQL_FIELD& field = fields_[column];
    switch (field.type) {
      case MYSQL_TYPE_TINY:
      case MYSQL_TYPE_SHORT:
      case MYSQL_TYPE_LONG:
      case MYSQL_TYPE_INT24:
      case MYSQL_TYPE_LONGLONG: {
        int64_t integer = 0;
        std::from_chars(bytes.data(), bytes.data() + bytes.size(), integer);
        return sql_value(integer);
      }
      default: return field.charsetnr == kBinaryCharset ? sql_blob(bytes) : sql_text(bytes);
    }
  }

 private:
  const std::unique_ptr<MYSQL_RES, FreeResult> result_;
  const uint64_t affected_;
  unsigned columns_ = 0;
  const MYSQL_FIELD* fields_ = nullptr;
  std::vector<MYSQL_ROW> rows_;
  std::vector<unsigned long> lengths_;
};

void append_hex(std::string& sql, std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  sql += "x'";
  for (const char c : bytes) {
    sql += kDigits[static_cast<uint8_t>(c) >> 4];
    sql += kDigits[static_cast<uint8_t>(c) & 15];
  }
  sql += '\'';
}

// In the mode NO_BACKSLASH_ESCAPES only the quote itself is special.
void append_text(std::string& sql, std::string_view text) {
  std::string repaired;
  if (!is_storable_text(text, repaired)) {
    log_error("store.text_invalid", "a text that is no UTF-8 was repaired");
    text = repaired;
  }
  sql += '\'';
  for (const char c : text) {
    if (c == '\'') sql += '\'';
    sql += c;
  }
  sql += '\'';
}

void append_value(std::string& sql, const Value& value) {
  switch (value.kind) {
    case Value::Kind::kNull: sql += "NULL"; break;
    case Value::Kind::kInteger: fmt::format_to(std::back_inserter(sql), "{}", value.integer); break;
    case Value::Kind::kText: append_text(sql, value.bytes); break;
    case Value::Kind::kBlob: append_hex(sql, value.bytes); break;
  }
}

void append_key(std::string& sql, const std::vector<OwnedValue>& key) {
  if (key.size() > 1) sql += '(';
  for (size_t i = 0; i < key.size(); ++i) {
    if (i > 0) sql += ',';
    append_value(sql, key[i].view());
  }
  if (key.size() > 1) sql += ')';
}

std::string updates_sql(const Table& table) {
  std::string updates;
  const std::vector<size_t> keys = key_columns(table);
  const auto& columns = contract::column_plan(table).columns();
  for (size_t i = 0; i < columns.size(); ++i) {
    // A table of nothing but its key has to set something, too.
    if (std::ranges::find(keys, i) != keys.end() && keys.size() < columns.size()) continue;
    updates += fmt::format("{}{}=VALUES({})", updates.empty() ? "" : ",", quoted(columns[i].name),
                           quoted(columns[i].name));
  }
  return updates;
}

class MariadbSession final : public SqlSession {
 public:
  explicit MariadbSession(const SqlOptions& options) : options_(options) {}
  ~MariadbSession() override {
    if (connection_ != nullptr) mysql_close(connection_);
  }

  Result<void> connect(const SqlAddress& address);

  SqlServer server() const override { return SqlServer::kMariadb; }
  void add(std::string_view sql, std::span<const Value> values) override;
  void put_rows(const Table& table, std::span<const RowChange* const> changes) override;
  void erase_rows(const Table& table, std::span<const RowChange* const> changes) override;
  void get_rows(const Table& table, std::span<const std::string* const> keys) override;
  Result<Answers> run() override;
  Result<void> execute(const std::string& sql) override;
  bool broken() const override { return broken_; }
  bool in_transaction() const override {
    unsigned status = 0;
    if (broken_ || mariadb_get_infov(connection_, MARIADB_CONNECTION_SERVER_STATUS, &status) != 0)
      return false;
    return (status & SERVER_STATUS_IN_TRANS) != 0;
  }
  Result<bool> wait_notified(Duration timeout, int wake_fd) override;

 private:
  struct Statement {
    std::string sql;
    bool answered;
  };
  std::string& begin_statement(bool answered) {
    return statements_.emplace_back(std::string(), answered).sql;
  }
  Result<void> send(const std::string& sql, std::span<const Statement> statements, Answers& answers);
  Result<void> run_statements(std::vector<Statement>& statements, Answers& answers);
  std::unexpected<Error> error();
  std::unexpected<Error> lost(const std::string& why);

  const SqlOptions options_;
  MYSQL* connection_ = nullptr;
  bool broken_ = false;
  bool is_mysql_ = false;
  std::vector<Statement> statements_;
  std::vector<Value> values_;
  std::vector<std::string> scratch_;
};

std::unexpected<Error> MariadbSession::lost(const std::string& why) {
  broken_ = true;
  failure_ = SqlFailure::kLost;
  statements_.clear();
  return fail(Code::kUnavailable, "storage_failed", "the database does not answer: " + why);
}

std::unexpected<Error> MariadbSession::error() {
  const unsigned number = mysql_errno(connection_);
  // What does not fit the protocol: whose answer comes next is unknown, so nothing more may be asked here.
  if (number == 0 || (number >= ER_ABORTING_CONNECTION && number <= ER_NET_WRITE_INTERRUPTED))
    return lost("its answers are out of order");
  if ((number >= CR_MIN_ERROR && number <= CR_MAX_ERROR) || number == ER_SERVER_SHUTDOWN ||
      number == kConnectionKilled || number == kMysqlIdleTooLong)
    return lost(mysql_error(connection_));
  Error error{.code = Code::kUnavailable,
              .reason = "storage_failed",
              .detail = fmt::format("{} ({})", mysql_error(connection_), number)};
  switch (number) {
    case ER_BAD_NULL_ERROR: failure_ = SqlFailure::kRefused; break;
    case ER_LOCK_WAIT_TIMEOUT:
    case ER_LOCK_DEADLOCK: failure_ = SqlFailure::kContended; break;
    case ER_DISK_FULL:
    case ER_RECORD_FILE_FULL:
      failure_ = SqlFailure::kFull;
      error.reason = "storage_full";
      break;
    default: failure_ = SqlFailure::kOther;
  }
  return std::unexpected(std::move(error));
}

// ---- connecting ----

Result<void> MariadbSession::connect(const SqlAddress& address) {
  connection_ = mysql_init(nullptr);
  CHECK(connection_ != nullptr);
  const auto seconds = [](Duration duration) {
    return static_cast<unsigned>(std::max<Duration>(1, duration / kSecond));
  };
  const unsigned connect_s = seconds(options_.connect_timeout);
  const unsigned silence_s = seconds(options_.statement_timeout + kGrace);
  mysql_options(connection_, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
  mysql_options(connection_, MYSQL_OPT_READ_TIMEOUT, &silence_s);
  mysql_options(connection_, MYSQL_OPT_WRITE_TIMEOUT, &silence_s);
  mysql_options(connection_, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  const my_bool yes = 1;
  if (address.tls != "disable" && address.tls != "prefer")
    mysql_options(connection_, MYSQL_OPT_SSL_ENFORCE, &yes);
  if (address.tls.starts_with("verify")) mysql_options(connection_, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
  if (!address.tls_root.empty()) mysql_options(connection_, MYSQL_OPT_SSL_CA, address.tls_root.c_str());
  mysql_options4(connection_, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", options_.application.c_str());
  if (mysql_real_connect(connection_, address.host.c_str(), address.user.c_str(), address.password.c_str(),
                         address.database.c_str(), address.port, nullptr, CLIENT_MULTI_STATEMENTS) == nullptr)
    return lost(mysql_error(connection_));
  is_mysql_ = std::string_view(mysql_get_server_info(connection_)).find("MariaDB") == std::string_view::npos;
  std::string settings = fmt::format(
      "SET SESSION sql_mode='ANSI_QUOTES,STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,NO_ENGINE_SUBSTITUTION',"
      "time_zone='+00:00',innodb_lock_wait_timeout={};SET SESSION TRANSACTION ISOLATION LEVEL READ "
      "COMMITTED;",
      seconds(options_.lock_timeout));
  if (is_mysql_)
    settings += fmt::format("SET SESSION max_execution_time={}", options_.statement_timeout / kMillisecond);
  else
    settings += fmt::format("SET SESSION max_statement_time={},idle_transaction_timeout={}",
                            seconds(options_.statement_timeout), seconds(options_.idle_in_transaction));
  return execute(settings);
}

// ---- statements ----

void MariadbSession::add(std::string_view sql, std::span<const Value> values) {
  std::string& text = begin_statement(true);
  size_t next = 0;
  for (const char c : sql) {
    if (c != '?') {
      text += c;
      continue;
    }
    CHECK(next < values.size());
    append_value(text, values[next++]);
  }
}

void MariadbSession::put_rows(const Table& table, std::span<const RowChange* const> changes) {
  const std::string head =
      fmt::format("INSERT INTO {} ({}) VALUES ", quoted(table.sql_name), columns_sql(table));
  const std::string tail = " ON DUPLICATE KEY UPDATE " + updates_sql(table);
  std::string* text = nullptr;
  for (const RowChange* change : changes) {
    if (text != nullptr && text->size() > kBulkBytes) *text += tail, text = nullptr;
    if (text == nullptr) text = &(begin_statement(false) = head);
    else *text += ',';
    column_values(contract::column_plan(table), *change->row, values_, scratch_);
    for (size_t i = 0; i < values_.size(); ++i) {
      *text += i == 0 ? '(' : ',';
      append_value(*text, values_[i]);
    }
    *text += ')';
  }
  if (text != nullptr) *text += tail;
}

void MariadbSession::erase_rows(const Table& table, std::span<const RowChange* const> changes) {
  std::string& text = begin_statement(false);
  const char* joint = "";
  text = fmt::format("DELETE FROM {} WHERE ({}) IN (", quoted(table.sql_name), keys_sql(table));
  for (const RowChange* change : changes) {
    const auto key = key_values(table, change->key);
    if (!key) continue;
    text += std::exchange(joint, ",");
    append_key(text, *key);
  }
  if (*joint == '\0') statements_.pop_back();
  else text += ')';
}

void MariadbSession::get_rows(const Table& table, std::span<const std::string* const> keys) {
  std::string& text = begin_statement(true);
  text = fmt::format("{} WHERE ({}) IN (", select_sql(table), keys_sql(table));
  const char* joint = "";
  for (const std::string* key : keys) {
    const auto values = key_values(table, *key);
    if (!values) continue;
    text += std::exchange(joint, ",");
    append_key(text, *values);
  }
  if (*joint == '\0') text = select_sql(table) + " WHERE FALSE";
  else text += ')';
}

// ---- running ----

Result<SqlSession::Answers> MariadbSession::run() {
  failure_ = SqlFailure::kNone;
  if (broken_) return lost("the connection is closed");
  std::vector<Statement> statements = std::exchange(statements_, {});
  const bool own = statements.size() > 1 && !in_transaction() && statements.front().sql != "BEGIN";
  if (own) {
    statements.insert(statements.begin(), {.sql = "BEGIN", .answered = false});
    statements.push_back({.sql = "COMMIT", .answered = false});
  }
  Answers answers;
  const auto done = run_statements(statements, answers);
  if (done) return answers;
  if (own && !broken_) {
    const SqlFailure why = failure_;
    roll_back();
    if (!broken_) failure_ = why;
  }
  return std::unexpected(done.error());
}

Result<void> MariadbSession::run_statements(std::vector<Statement>& statements, Answers& answers) {
  std::string request;
  size_t first = 0;
  for (size_t i = 0; i < statements.size(); ++i) {
    if (i > first && request.size() + statements[i].sql.size() > kRequestBytes) {
      TRY(send(request, std::span(statements).subspan(first, i - first), answers));
      request.clear();
      first = i;
    }
    if (!request.empty()) request += ';';
    request += statements[i].sql;
  }
  return send(request, std::span(statements).subspan(first), answers);
}

Result<void> MariadbSession::send(const std::string& sql, std::span<const Statement> statements,
                                  Answers& answers) {
  int more = mysql_real_query(connection_, sql.data(), sql.size());
  for (const Statement& statement : statements) {
    if (more != 0) return error();
    MYSQL_RES* result = mysql_store_result(connection_);
    if (result == nullptr && mysql_field_count(connection_) != 0) return error();
    auto rows =
        std::make_unique<MariadbRows>(result, result == nullptr ? mysql_affected_rows(connection_) : 0);
    if (statement.answered) answers.push_back(std::move(rows));
    more = mysql_next_result(connection_);
  }
  if (more > 0) return error();
  if (more == 0) return lost("it has more answers than it was asked");  // the next one would get them
  return {};
}

Result<void> MariadbSession::execute(const std::string& sql) {
  failure_ = SqlFailure::kNone;
  if (broken_) return lost("the connection is closed");
  int more = mysql_real_query(connection_, sql.data(), sql.size());
  while (more == 0) {
    mysql_free_result(mysql_store_result(connection_));
    more = mysql_next_result(connection_);
  }
  return more > 0 ? Result<void>(error()) : Result<void>();
}

Result<bool> MariadbSession::wait_notified(Duration timeout, int wake_fd) {
  pollfd wake{.fd = wake_fd, .events = POLLIN, .revents = 0};
  ::poll(&wake, 1, static_cast<int>(timeout / kMillisecond) + 1);
  return false;
}

}  // namespace

Result<std::unique_ptr<SqlSession>> open_mariadb(const SqlAddress& address, const SqlOptions& options) {
  auto session = std::make_unique<MariadbSession>(options);
  TRY(session->connect(address));
  return session;
}

}  // namespace micropay
