// SQLite for the store: a connection and its statements, errors as values, and an authorizer that lets a
// statement touch the tables of its own service only. Values are contract::Value, as the column plans make
// them. Errors: storage_full, storage_failed, tables_damaged, foreign_table (another service's table).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "libs/base/error.h"
#include "libs/contract/columns.h"

struct sqlite3;
struct sqlite3_stmt;

namespace micropay {

class SqlConnection;

class SqlStatement {
 public:
  void bind(int place, const contract::Value& value);  // from 1; the bytes must live until the next reset()
  void bind(int place, int64_t value);
  void bind(int place, std::string_view text);  // as above
  Result<bool> step();                          // true: a row
  contract::Value value(int column) const;      // from 0; valid until the next step() or reset()
  void reset();
  Result<void> run();  // step() to the end, reset()

  struct Close {
    void operator()(sqlite3_stmt* statement) const;
  };
  SqlStatement(SqlConnection& connection, sqlite3_stmt* statement, std::string service)
      : connection_(connection), statement_(statement), service_(std::move(service)) {}

 private:
  SqlConnection& connection_;
  std::unique_ptr<sqlite3_stmt, Close> statement_;
  std::string service_;
};

class SqlConnection {
 public:
  enum class Mode : uint8_t { kRead, kReadImmutable, kWrite };

  static Result<std::unique_ptr<SqlConnection>> open(const std::string& path, Mode mode);
  ~SqlConnection();

  // The store's own SQL, any table.
  Result<void> exec(const std::string& sql);
  // `service` empty: the store's own. Else the statement may only touch tables named "<service>_…".
  Result<std::unique_ptr<SqlStatement>> prepare(const std::string& sql, const std::string& service);
  // Copies the write-ahead log into the file as far as readers allow; `all`: waits for them and empties it.
  void checkpoint(bool all);
  uint64_t wal_bytes() const;  // written since the last checkpoint() that went through
  // Copies the whole database, as of one moment, into an empty connection.
  Result<void> copy_to(SqlConnection& target);

 private:
  friend class SqlStatement;
  SqlConnection() = default;
  static int authorize(void* self, int action, const char* first, const char* second, const char* database,
                       const char* trigger);
  static int count_wal(void* self, sqlite3* connection, const char* database, int pages);
  std::unexpected<Error> error(int code, std::string_view what) const;

  sqlite3* connection_ = nullptr;
  std::string path_;
  std::string_view service_;  // on whose behalf the present statement is prepared or run
  int wal_pages_ = 0;
};

}  // namespace micropay
