// The tables in SQLite through one connection: rows written and read by the column plans, lists, and the
// store's own notes (format, the tick the tables are of, the tick of each service's projections). Statements
// are prepared once. Every statement that touches rows is prepared on behalf of the table's service. One
// thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "libs/store/list_query.h"
#include "libs/store/row_columns.h"
#include "libs/store/sqlite.h"

namespace micropay {

class SqlTables {
 public:
  static Result<std::unique_ptr<SqlTables>> open(const std::string& path, SqlConnection::Mode mode);

  // Makes and extends the tables of the model. Refuses a newer format (newer_format).
  Result<void> prepare_schema(const contract::Model& model);
  Result<bool> schema_is_current(const contract::Model& model);

  Result<Row> get(const contract::Table& table, const std::string& key);  // null: no such row
  Result<Page> list(const ListQuery& query);
  Result<void> scan(const contract::Table& table, const std::function<bool(const Row&)>& each);
  // The same as the values of the columns, without making rows.
  using EachValues = std::function<bool(const std::vector<contract::Value>&)>;
  Result<void> scan_values(const contract::Table& table, const EachValues& each);

  // The greatest key, encoded; empty when there is no row.
  Result<std::string> newest_key(const contract::Table& table);

  Result<void> begin();
  Result<void> commit();
  void roll_back();
  Result<void> put(const contract::Table& table, std::string_view row);  // row_bytes()
  Result<void> erase(const contract::Table& table, std::string_view key);
  Result<void> clear(const contract::Table& table);

  Result<uint64_t> applied_tick();
  Result<void> set_applied_tick(uint64_t tick);
  // Of a service that never was: 0, 0.
  struct Projected {
    uint64_t tick = 0, version = 0;
  };
  Result<Projected> projected(const std::string& service);
  Result<void> set_projected(const std::string& service, Projected projected);

  SqlConnection& connection() { return *connection_; }

 private:
  struct TableStatements {
    std::unique_ptr<SqlStatement> get, put, erase;
    std::vector<size_t> key_columns;
    std::unique_ptr<RowColumns> columns;  // of `put`
  };

  explicit SqlTables(std::unique_ptr<SqlConnection> connection) : connection_(std::move(connection)) {}
  TableStatements& of(const contract::Table& table);
  Result<void> extend(const contract::Table& table);
  Row read_row(const contract::Table& table, const SqlStatement& statement);
  void read_values(const contract::Table& table, const SqlStatement& statement);
  Result<SqlStatement*> list_statement(const ListPlan& plan);
  Result<uint64_t> read_note(const std::string& sql, const std::string& text);
  Result<void> write_note(const std::string& sql, const std::string& text, uint64_t value);
  Result<SqlStatement*> own_statement(const std::string& sql);

  std::unordered_map<std::string, std::unique_ptr<SqlStatement>> lists_, own_;  // before the connection goes
  std::vector<TableStatements> tables_;                                         // by Table::id
  std::vector<contract::Value> values_;
  std::unique_ptr<SqlConnection> connection_;
};

// The SELECT of a list with its parameters in order.
struct ListSql {
  std::string sql;
  std::vector<OwnedValue> parameters;
};
ListSql list_sql(const ListPlan& plan);

}  // namespace micropay
