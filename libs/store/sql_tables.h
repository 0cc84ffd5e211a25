// The tables in SQLite through one connection: rows written and read by the column plans, lists, and the
// store's own notes (format, the tick the tables are of, the tick of each service's projections). Statements
// are prepared once. Every statement that touches rows is prepared on behalf of the table's service. One
// thread at a time. scattered_rows.cc has the tables whose keys are in no order, stretched_rows.cc those with
// an order of arrival.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "libs/store/list_query.h"
#include "libs/store/row_columns.h"
#include "libs/store/scattered_places.h"
#include "libs/store/sqlite.h"
#include "libs/store/stretches.h"

namespace micropay {

class SqlTables {
 public:
  // `places`: those of the connection that writes.
  static Result<std::unique_ptr<SqlTables>> open(const std::string& path, SqlConnection::Mode mode,
                                                 std::shared_ptr<ScatteredPlaces> places = nullptr);

  // Makes and extends the tables of the model. Refuses a newer format (newer_format), and an older one, which
  // has to be made anew from the log (older_format).
  Result<void> prepare_schema(const contract::Model& model);
  // Reads where the rows of scattered tables lie; before those are used.
  Result<void> load_places(const contract::Model& model);
  const std::shared_ptr<ScatteredPlaces>& places() const { return places_; }
  Result<bool> schema_is_current(const contract::Model& model);

  Result<Row> get(const contract::Table& table, const std::string& key);  // null: no such row
  Result<Page> list(const ListQuery& query);
  Result<void> scan(const contract::Table& table, const std::function<bool(const Row&)>& each);
  // The same as the values of the columns, without making rows; of a scattered table in no order, of a
  // stretched one stretch by stretch; tables_damaged when a row is not where it would be looked for.
  using EachValues = std::function<bool(const std::vector<contract::Value>&)>;
  Result<void> scan_values(const contract::Table& table, const EachValues& each);

  // The greatest key, encoded; empty when there is no row. Not of a scattered or stretched table.
  Result<std::string> newest_key(const contract::Table& table);

  Result<void> begin();
  Result<void> commit();
  void roll_back();
  // `row`: row_bytes() of the row with this key.
  Result<void> put(const contract::Table& table, std::string_view key, std::string_view row);
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
    std::unique_ptr<SqlStatement> get, put, erase;  // of a scattered table by place
    std::vector<size_t> key_columns;
    std::unique_ptr<RowColumns> columns;   // of `put`
    std::unique_ptr<Stretches> stretches;  // of the writer, while they are known
  };

  struct Scattered {
    KeyPlaces::Place place = 0;  // 0: there is no such row
    KeyPlaces::Place free = 0;   // not 0: no row lies here, but one with this key was to
    Row row;
  };

  SqlTables(std::unique_ptr<SqlConnection> connection, std::shared_ptr<ScatteredPlaces> places)
      : places_(std::move(places)), connection_(std::move(connection)) {}
  static std::string all_columns(const contract::Table& table);
  TableStatements& of(const contract::Table& table);
  Result<std::vector<std::string>> columns_of(const contract::Table& table);
  Result<void> extend(const contract::Table& table);
  Row read_row(const contract::Table& table, const SqlStatement& statement);
  void read_values(const contract::Table& table, const SqlStatement& statement);
  Result<void> scan_by_key(const contract::Table& table, const EachValues& each);
  // scattered_rows.cc
  Result<void> scan_scattered(const contract::Table& table, const EachValues& each);
  Result<void> read_place_notes(ScatteredPlaces::Table& places);
  Result<void> read_places_behind(ScatteredPlaces::Table& places);
  Result<Row> row_at(const contract::Table& table, KeyPlaces::Place place);
  Result<Scattered> find_scattered(const contract::Table& table, std::string_view key);
  Result<KeyPlaces::Place> place_for(const contract::Table& table, std::string_view key);
  Result<void> erase_scattered(const contract::Table& table, std::string_view key);
  Result<void> note_places();
  void places_are_noted();
  // stretched_rows.cc
  Result<void> begin_stretches(const contract::Table& table);
  Result<std::unique_ptr<Stretches>> read_stretches(const contract::Table& table);
  Result<Stretches*> stretches_of(const contract::Table& table);
  Result<int64_t> stretch_for(const contract::Table& table, const std::vector<contract::Value>& values);
  Result<void> check_stretch(const contract::Table& table, std::unique_ptr<Stretches>& stretches,
                             const std::vector<contract::Value>& values, int64_t stretch);
  static std::unexpected<Error> damaged(std::string_view what);
  Result<void> check_place(const contract::Table& table, const google::protobuf::Message& row, int64_t place);
  Result<uint64_t> read_note(const std::string& sql, const std::string& text);
  Result<void> write_note(const std::string& sql, const std::string& text, uint64_t value);
  Result<SqlStatement*> own_statement(const std::string& sql);

  std::unordered_map<std::string, std::unique_ptr<SqlStatement>> lists_, own_;  // before the connection goes
  std::vector<TableStatements> tables_;                                         // by Table::id
  std::vector<contract::Value> values_;
  std::vector<KeyPlaces::Place> found_places_;
  std::shared_ptr<ScatteredPlaces> places_;
  std::unique_ptr<SqlConnection> connection_;
};

// The SELECT of a list with its parameters in order.
struct ListSql {
  std::string sql;
  std::vector<OwnedValue> parameters;
};
ListSql list_sql(const ListPlan& plan);

}  // namespace micropay
