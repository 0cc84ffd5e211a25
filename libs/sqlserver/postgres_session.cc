// A session with PostgreSQL: libpq in pipeline mode, binary values, every statement prepared at its first
// use. Rows are written by one statement a table, whose parameters are the columns as arrays.
#include <poll.h>
#include <postgresql/libpq-fe.h>

#include <deque>
#include <unordered_map>

#include "libs/base/check.h"
#include "libs/base/log.h"
#include "libs/sqlserver/postgres_sql.h"
#include "libs/sqlserver/postgres_values.h"
#include "libs/sqlserver/sessions.h"
#include "libs/sqlserver/sql_text.h"

namespace micropay {
namespace {

using contract::Column;
using contract::ColumnType;
using contract::Table;
using contract::Value;

constexpr size_t kKeptStatements = 512;
constexpr size_t kBulkRows = 5'000;       // of one statement
constexpr Duration kGrace = 3 * kSecond;  // beyond what the server itself allows a statement
constexpr unsigned kTypeInt8 = 20, kTypeInt4 = 23, kTypeInt2 = 21, kTypeText = 25, kTypeVarchar = 1043,
                   kTypeBool = 16;

struct FreeResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPtr = std::unique_ptr<PGresult, FreeResult>;

int64_t big_endian(const char* at, int size) {
  uint64_t bits = static_cast<uint8_t>(*at) & 0x80 ? UINT64_MAX : 0;
  for (int i = 0; i < size; ++i) bits = bits << 8 | static_cast<uint8_t>(at[i]);
  return static_cast<int64_t>(bits);
}

class PostgresRows final : public SqlRows {
 public:
  explicit PostgresRows(ResultPtr result) : result_(std::move(result)) {}
  size_t rows() const override { return static_cast<size_t>(PQntuples(result_.get())); }
  uint64_t affected() const override { return std::strtoull(PQcmdTuples(result_.get()), nullptr, 10); }
  Value value(size_t row, size_t column) const override {
    const int r = static_cast<int>(row), c = static_cast<int>(column);
    if (PQgetisnull(result_.get(), r, c) != 0) return {};
    const char* at = PQgetvalue(result_.get(), r, c);
    const int size = PQgetlength(result_.get(), r, c);
    switch (PQftype(result_.get(), c)) {
      case kTypeInt8:
      case kTypeInt4:
      case kTypeInt2: return sql_value(big_endian(at, size));
      case kTypeBool: return sql_value(int64_t(*at));
      case kTypeText:
      case kTypeVarchar: return sql_text({at, static_cast<size_t>(size)});
      default: return sql_blob({at, static_cast<size_t>(size)});
    }
  }

 private:
  ResultPtr result_;
};

class PostgresSession final : public SqlSession {
 public:
  explicit PostgresSession(const SqlOptions& options) : options_(options) {}
  ~PostgresSession() override { PQfinish(connection_); }

  Result<void> connect(const SqlAddress& address);

  SqlServer server() const override { return SqlServer::kPostgres; }
  void add(std::string_view sql, std::span<const Value> values) override {
    parameters_.clear();
    for (const Value& value : values) parameters_.add(value);
    send(sql, true);
  }
  void put_rows(const Table& table, std::span<const RowChange* const> changes) override;
  void erase_rows(const Table& table, std::span<const RowChange* const> changes) override;
  void get_rows(const Table& table, std::span<const std::string* const> keys) override;
  Result<Answers> run() override;
  Result<void> execute(const std::string& sql) override;
  bool broken() const override { return broken_; }
  bool in_transaction() const override {
    const auto status = PQtransactionStatus(connection_);
    return status != PQTRANS_IDLE && status != PQTRANS_UNKNOWN;
  }
  Result<bool> wait_notified(Duration timeout, int wake_fd) override;

 private:
  struct Sent {
    bool prepare;   // or an execution
    bool answered;  // the caller wants its result
    std::string sql;
  };
  void send(std::string_view sql, bool answered);
  void add_key_arrays(const Table& table, std::span<const std::string* const> keys);
  Result<void> wait(short events, Time deadline, int wake_fd = -1);
  Result<void> collect(Answers& answers, Time deadline);
  Result<void> next_result(ResultPtr& result, Time deadline);
  std::unexpected<Error> lost(const std::string& why);
  Error error_of(const PGresult* result);
  void note_failure(const Sent& sent, const PGresult* result);

  const SqlOptions options_;
  PGconn* connection_ = nullptr;
  bool broken_ = false;
  std::unordered_map<std::string, std::string> statements_;  // SQL, name
  uint64_t statement_number_ = 0;
  std::deque<Sent> sent_;
  PostgresParameters parameters_;
  std::vector<Value> values_;
  std::vector<std::string> scratch_;
  std::optional<Error> first_error_;
};

std::unexpected<Error> PostgresSession::lost(const std::string& why) {
  broken_ = true;
  failure_ = SqlFailure::kLost;
  sent_.clear();
  return fail(Code::kUnavailable, "storage_failed",
              "the database does not answer: " + why.substr(0, why.find('\n')));
}

// ---- connecting ----

Result<void> PostgresSession::connect(const SqlAddress& address) {
  const auto ms = [](Duration duration) { return std::to_string(duration / kMillisecond); };
  std::string settings = fmt::format(
      "-c statement_timeout={} -c lock_timeout={} -c idle_in_transaction_session_timeout={} "
      "-c default_transaction_isolation=read\\ committed -c client_encoding=UTF8 -c timezone=UTC "
      "-c client_min_messages=warning -c jit=off",
      ms(options_.statement_timeout), ms(options_.lock_timeout), ms(options_.idle_in_transaction));
  if (!options_.durable) settings += " -c synchronous_commit=off";
  if (options_.keys_only) settings += " -c enable_seqscan=off -c plan_cache_mode=force_generic_plan";
  const std::string port = std::to_string(address.port);
  const std::string silence_ms = ms(options_.statement_timeout + kGrace);
  std::vector<std::pair<const char*, const char*>> words{{"host", address.host.c_str()},
                                                         {"port", port.c_str()},
                                                         {"dbname", address.database.c_str()},
                                                         {"user", address.user.c_str()},
                                                         {"password", address.password.c_str()},
                                                         {"sslmode", address.tls.c_str()},
                                                         {"application_name", options_.application.c_str()},
                                                         {"options", settings.c_str()},
                                                         {"tcp_user_timeout", silence_ms.c_str()},
                                                         {"keepalives_idle", "5"},
                                                         {"keepalives_interval", "2"},
                                                         {"keepalives_count", "3"}};
  if (!address.tls_root.empty()) words.emplace_back("sslrootcert", address.tls_root.c_str());
  std::vector<const char*> names, values;
  for (const auto& [name, value] : words) names.push_back(name), values.push_back(value);
  names.push_back(nullptr);
  values.push_back(nullptr);
  connection_ = PQconnectStartParams(names.data(), values.data(), 0);
  CHECK(connection_ != nullptr);
  const Time deadline = system_clock().monotonic() + options_.connect_timeout;
  auto state = PQstatus(connection_) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK) {
    if (state == PGRES_POLLING_FAILED) return lost(PQerrorMessage(connection_));
    TRY(wait(state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline));
    state = PQconnectPoll(connection_);
  }
  PQsetNoticeReceiver(connection_, [](void*, const PGresult*) {}, nullptr);
  if (PQsetnonblocking(connection_, 1) != 0 || PQenterPipelineMode(connection_) != 1)
    return lost(PQerrorMessage(connection_));
  return {};
}

Result<void> PostgresSession::wait(short events, Time deadline, int wake_fd) {
  pollfd files[2] = {{.fd = PQsocket(connection_), .events = events, .revents = 0},
                     {.fd = wake_fd, .events = POLLIN, .revents = 0}};
  if (files[0].fd < 0) return lost("the connection is closed");
  while (true) {
    const Duration left = deadline - system_clock().monotonic();
    if (left <= 0 && wake_fd < 0) return lost("no answer in time");
    const int ready =
        ::poll(files, wake_fd < 0 ? 1 : 2, static_cast<int>(std::max<Duration>(left, 0) / kMillisecond) + 1);
    if (ready > 0 || (ready == 0 && wake_fd >= 0)) return {};
    if (ready < 0 && errno != EINTR) return lost("poll failed");
  }
}

// ---- sending ----

void PostgresSession::send(std::string_view sql, bool answered) {
  if (broken_) return;
  std::string text(sql);
  auto kept = statements_.find(text);
  if (kept == statements_.end()) {
    if (statements_.size() >= kKeptStatements && sent_.empty()) {
      statements_.clear();
      PQsendQueryParams(connection_, "DEALLOCATE ALL", 0, nullptr, nullptr, nullptr, nullptr, 1);
      sent_.push_back({.prepare = false, .answered = false, .sql = {}});
    }
    const std::string name = fmt::format("s{}", ++statement_number_);
    if (PQsendPrepare(connection_, name.c_str(), numbered(sql).c_str(), 0, nullptr) != 1) {
      (void)lost(PQerrorMessage(connection_));
      return;
    }
    sent_.push_back({.prepare = true, .answered = false, .sql = text});
    kept = statements_.emplace(std::move(text), name).first;
  }
  if (PQsendQueryPrepared(connection_, kept->second.c_str(), parameters_.count(), parameters_.pointers(),
                          parameters_.lengths(), parameters_.formats(), 1) != 1) {
    (void)lost(PQerrorMessage(connection_));
    return;
  }
  sent_.push_back({.prepare = false, .answered = answered, .sql = {}});
}

void PostgresSession::put_rows(const Table& table, std::span<const RowChange* const> changes) {
  const TableSql& sql = sql_of(table);
  const contract::ColumnPlan& plan = contract::column_plan(table);
  std::vector<PostgresParameters> columns(sql.columns.size());
  while (!changes.empty()) {
    const auto chunk = changes.first(std::min(changes.size(), kBulkRows));
    changes = changes.subspan(chunk.size());
    for (size_t i = 0; i < columns.size(); ++i)
      columns[i].clear(), columns[i].begin_array(sql.columns[i]->type);
    for (const RowChange* change : chunk) {
      column_values(plan, *change->row, values_, scratch_);
      for (size_t i = 0; i < columns.size(); ++i) columns[i].add_element(values_[i]);
    }
    parameters_.clear();
    for (PostgresParameters& column : columns) {
      column.end_array();
      parameters_.append(column);
    }
    send(sql.put, false);
  }
}

void PostgresSession::add_key_arrays(const Table& table, std::span<const std::string* const> keys) {
  const TableSql& sql = sql_of(table);
  std::vector<std::vector<OwnedValue>> rows;
  rows.reserve(keys.size());
  for (const std::string* key : keys)
    if (auto values = key_values(table, *key)) rows.push_back(std::move(*values));
  parameters_.clear();
  for (size_t i = 0; i < sql.keys.size(); ++i) {
    parameters_.begin_array(sql.keys[i]->type);
    for (const auto& row : rows) parameters_.add_element(row[i].view());
    parameters_.end_array();
  }
}

void PostgresSession::erase_rows(const Table& table, std::span<const RowChange* const> changes) {
  std::vector<const std::string*> keys;
  for (const RowChange* change : changes) keys.push_back(&change->key);
  add_key_arrays(table, keys);
  send(sql_of(table).erase, false);
}

void PostgresSession::get_rows(const Table& table, std::span<const std::string* const> keys) {
  if (keys.size() == 1) {
    if (const auto values = key_values(table, *keys[0])) {
      parameters_.clear();
      for (const OwnedValue& value : *values) parameters_.add(value.view());
      return send(sql_of(table).get_one, true);
    }
  }
  add_key_arrays(table, keys);
  send(sql_of(table).get_many, true);
}

// ---- receiving ----

Result<SqlSession::Answers> PostgresSession::run() {
  failure_ = SqlFailure::kNone;
  first_error_.reset();
  if (broken_) return lost("the connection is closed");
  if (PQpipelineSync(connection_) != 1) return lost(PQerrorMessage(connection_));
  Answers answers;
  TRY(collect(answers, system_clock().monotonic() + options_.statement_timeout + kGrace));
  if (first_error_) return std::unexpected(std::move(*first_error_));
  return answers;
}

// Results come as they were asked for: each followed by an empty one, at last that of the synchronization.
Result<void> PostgresSession::collect(Answers& answers, Time deadline) {
  while (true) {
    ResultPtr result;
    TRY(next_result(result, deadline));
    if (result == nullptr) continue;
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_PIPELINE_SYNC) break;
    if (sent_.empty()) return lost(PQerrorMessage(connection_));
    const Sent sent = std::move(sent_.front());
    sent_.pop_front();
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) note_failure(sent, result.get());
    else if (sent.answered) answers.push_back(std::make_unique<PostgresRows>(std::move(result)));
    if (PQstatus(connection_) == CONNECTION_BAD) return lost(PQerrorMessage(connection_));
  }
  return {};
}

Result<void> PostgresSession::next_result(ResultPtr& result, Time deadline) {
  while (true) {
    const int unsent = PQflush(connection_);
    if (unsent < 0) return lost(PQerrorMessage(connection_));
    if (unsent == 0 && PQisBusy(connection_) == 0) {
      result.reset(PQgetResult(connection_));
      return {};
    }
    TRY(wait(static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN), deadline));
    if (PQconsumeInput(connection_) != 1) return lost(PQerrorMessage(connection_));
  }
}

void PostgresSession::note_failure(const Sent& sent, const PGresult* result) {
  if (sent.prepare) statements_.erase(sent.sql);
  if (PQresultStatus(result) == PGRES_PIPELINE_ABORTED || first_error_) return;
  first_error_ = error_of(result);
}

Error PostgresSession::error_of(const PGresult* result) {
  const char* field = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string_view state = field == nullptr ? "" : field;
  const char* message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  Error error{
      .code = Code::kUnavailable,
      .reason = "storage_failed",
      .detail = fmt::format("{} ({})", message == nullptr ? PQresultErrorMessage(result) : message, state)};
  if (state == "23502") {
    failure_ = SqlFailure::kRefused;
  } else if (state == "40001" || state == "40P01" || state == "55P03") {
    failure_ = SqlFailure::kContended;
  } else if (state == "53100") {
    failure_ = SqlFailure::kFull;
    error.reason = "storage_full";
  } else {
    failure_ = SqlFailure::kOther;
  }
  return error;
}

Result<void> PostgresSession::execute(const std::string& sql) {
  failure_ = SqlFailure::kNone;
  if (broken_) return lost("the connection is closed");
  CHECK(sent_.empty());
  // Several statements in one text need the simple protocol, which a pipeline does not speak.
  if (PQexitPipelineMode(connection_) != 1 || PQsendQuery(connection_, sql.c_str()) != 1)
    return lost(PQerrorMessage(connection_));
  const Time deadline = system_clock().monotonic() + options_.statement_timeout + kGrace;
  std::optional<Error> error;
  while (true) {
    ResultPtr result;
    TRY(next_result(result, deadline));
    if (result == nullptr) break;
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && !error) error = error_of(result.get());
  }
  if (PQstatus(connection_) == CONNECTION_BAD || PQenterPipelineMode(connection_) != 1)
    return lost(PQerrorMessage(connection_));
  if (error) return std::unexpected(std::move(*error));
  return {};
}

Result<bool> PostgresSession::wait_notified(Duration timeout, int wake_fd) {
  if (broken_) return lost("the connection is closed");
  TRY(wait(POLLIN, system_clock().monotonic() + timeout, wake_fd));
  if (PQconsumeInput(connection_) != 1) return lost(PQerrorMessage(connection_));
  bool called = false;
  while (PGnotify* notify = PQnotifies(connection_)) {
    called |= notify->be_pid != PQbackendPID(connection_);
    PQfreemem(notify);
  }
  return called;
}

}  // namespace

Result<std::unique_ptr<SqlSession>> open_postgres(const SqlAddress& address, const SqlOptions& options) {
  auto session = std::make_unique<PostgresSession>(options);
  TRY(session->connect(address));
  return session;
}

}  // namespace micropay
