// One connection to a database server. Statements are gathered and go to the server as one request where its
// protocol allows: pipelined and prepared on PostgreSQL, as one text of many statements on MariaDB.
//
//   session.add("SELECT tick FROM log_head WHERE id=?", {});      // nothing is sent yet
//   session.put_rows(table, changes);
//   auto answers = TRY(session.run());                            // an answer per add(), in order
//
// SQL is written once for both: ? for parameters, "name" for identifiers. After an error the statements
// behind the one that failed have not run. A session that lost its connection is broken and stays so: whether
// what it sent was carried out is then unknown. One thread at a time; every wait ends.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/time.h"
#include "libs/contract/columns.h"
#include "libs/sqlserver/sql_address.h"
#include "libs/store/store.h"

namespace micropay {

// What the server answered to a statement. Values are views into it.
class SqlRows {
 public:
  virtual ~SqlRows() = default;
  virtual size_t rows() const = 0;
  virtual contract::Value value(size_t row, size_t column) const = 0;
  virtual uint64_t affected() const = 0;  // rows that a statement changed
  int64_t integer(size_t row, size_t column) const { return value(row, column).integer; }
};

struct SqlOptions {
  std::string application = "micropay";  // how the server's lists of connections call it
  Duration connect_timeout = 5 * kSecond;
  Duration statement_timeout = 10 * kSecond;
  Duration lock_timeout = 2 * kSecond;
  // A process that stands still inside of a transaction loses its connection, and so its locks.
  Duration idle_in_transaction = 2 * kSecond;
  bool durable = true;     // false: a commit does not wait for the server's disk
  bool keys_only = false;  // reads rows by their keys alone: never a plan that scans a table
};

// Why the last run() failed.
enum class SqlFailure : uint8_t {
  kNone,
  kRefused,    // NULL where none may be: how a statement says that its condition does not hold
  kContended,  // a deadlock, or a lock that was not given in time
  kFull,       // no space
  kLost,       // the connection, and with it the outcome
  kOther
};

class SqlSession {
 public:
  using Answers = std::vector<std::unique_ptr<SqlRows>>;

  static Result<std::unique_ptr<SqlSession>> open(const SqlAddress& address, const SqlOptions& options);
  virtual ~SqlSession() = default;

  virtual SqlServer server() const = 0;
  virtual void add(std::string_view sql, std::span<const contract::Value> values = {}) = 0;
  void add(std::string_view sql, std::initializer_list<contract::Value> values) {
    add(sql, std::span(values.begin(), values.size()));
  }
  // Rows of one table, in the order of their keys and each once: written over what is there, or erased.
  virtual void put_rows(const contract::Table& table, std::span<const RowChange* const> changes) = 0;
  virtual void erase_rows(const contract::Table& table, std::span<const RowChange* const> changes) = 0;
  // Adds a SELECT of these rows; the columns of the table, in their order.
  virtual void get_rows(const contract::Table& table, std::span<const std::string* const> keys) = 0;

  // Everything that was added. Without a transaction that was begun by "BEGIN" before, it is one of its own.
  virtual Result<Answers> run() = 0;
  // Of DDL and other statements without parameters that are not to be kept prepared; one, or several.
  virtual Result<void> execute(const std::string& sql) = 0;
  void roll_back();  // when a transaction is open

  virtual bool broken() const = 0;
  virtual bool in_transaction() const = 0;
  SqlFailure failure() const { return failure_; }
  void blame(SqlFailure failure) { failure_ = failure; }  // after something else was run

  // Waits until another session has called NOTIFY on a channel that this one LISTENs to (never on MariaDB),
  // until `wake_fd` can be read, or the time is over. True: somebody else called.
  virtual Result<bool> wait_notified(Duration timeout, int wake_fd) = 0;

 protected:
  SqlFailure failure_ = SqlFailure::kNone;
};

// Values as parameters.
contract::Value sql_value(int64_t integer);
contract::Value sql_value(uint64_t integer);
contract::Value sql_text(std::string_view text);
contract::Value sql_blob(std::string_view bytes);

}  // namespace micropay
