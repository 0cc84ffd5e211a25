// Rows in SQLite.
#include "libs/store/sql_tables.h"

#include "libs/contract/documents.h"
#include "libs/store/checksum.h"

namespace micropay {
namespace {

using contract::Column;
using contract::Table;
using contract::Value;

constexpr uint64_t kTablesFormat = 3;  // 1, 2: before any release
constexpr char kReadNote[] = "SELECT value FROM micropay_note WHERE name=?";
constexpr char kWriteNote[] = "INSERT OR REPLACE INTO micropay_note(name, value) VALUES(?,?)";
constexpr char kProjectionNote[] = "projection_version:";  // and the service
constexpr size_t kKeptLists = 128;                         // statements; lists with many IN values make many

std::string quoted(std::string_view name) { return fmt::format("\"{}\"", name); }

// "a"=?1 AND "b"=?2; of a stretched table with the stretch that the row has to be in.
std::string key_condition(const Table& table) {
  const auto& columns = contract::column_plan(table).columns();
  std::string sql, stretch;
  size_t number = 0;
  for (size_t place : key_columns(table)) {
    sql += fmt::format("{}\"{}\"=?{}", sql.empty() ? "" : " AND ", columns[place].name, ++number);
    if (table.stretched() && columns[place].field == table.arrival)
      stretch = fmt::format(
          "\"{}\"=(SELECT store_number FROM micropay_stretch WHERE store_table='{}' AND store_first<=?{} "
          "ORDER BY store_first DESC LIMIT 1) AND ",
          contract::kStretchColumn, table.sql_name, number);
  }
  return stretch + sql;
}

uint64_t schema_digest(const contract::Model& model) {
  std::string schema;
  for (const Table* table : model.tables())
    schema += contract::create_table_sql(*table, contract::Dialect::kSqlite);
  return xxh64(schema);
}

}  // namespace

std::string SqlTables::all_columns(const Table& table) {
  std::string list;
  for (const Column& column : contract::column_plan(table).columns())
    list += (list.empty() ? "" : ",") + quoted(column.name);
  return list;
}

Result<std::unique_ptr<SqlTables>> SqlTables::open(const std::string& path, SqlConnection::Mode mode,
                                                   std::shared_ptr<ScatteredPlaces> places) {
  // Not inside of `new`: TRY would leave with its memory taken already.
  auto connection = TRY(SqlConnection::open(path, mode));
  return std::unique_ptr<SqlTables>(new SqlTables(std::move(connection), std::move(places)));
}

// ---- schema ----

Result<void> SqlTables::prepare_schema(const contract::Model& model) {
  TRY(connection_->exec(
      "CREATE TABLE IF NOT EXISTS micropay_note(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
      "CREATE TABLE IF NOT EXISTS micropay_projection(service TEXT PRIMARY KEY, tick INTEGER NOT NULL) "
      "WITHOUT ROWID;"
      "CREATE TABLE IF NOT EXISTS micropay_place(name TEXT, first INTEGER, hashes BLOB NOT NULL, "
      "PRIMARY KEY(name, first)) WITHOUT ROWID;"
      "CREATE TABLE IF NOT EXISTS micropay_stretch(store_table TEXT, store_first, store_number INTEGER NOT "
      "NULL, "
      "PRIMARY KEY(store_table, store_first)) WITHOUT ROWID"));
  if (TRY(schema_is_current(model))) return {};
  TRY(begin());
  auto made = [&]() -> Result<void> {
    for (const Table* table : model.tables()) TRY(extend(*table));
    TRY(write_note(kWriteNote, "format", kTablesFormat));
    return write_note(kWriteNote, "schema", schema_digest(model));
  }();
  if (!made) {
    roll_back();
    return made;
  }
  return commit();
}

Result<bool> SqlTables::schema_is_current(const contract::Model& model) {
  auto has_notes = TRY(connection_->prepare("SELECT 1 FROM sqlite_master WHERE name='micropay_note'", ""));
  if (!TRY(has_notes->step())) return false;
  uint64_t format = TRY(read_note(kReadNote, "format"));
  if (format > kTablesFormat)
    return fail(
        Code::kFailedPrecondition, "newer_format",
        fmt::format("state.db has format {}, this version knows {}; use the version that wrote it, or delete "
                    "state.db to have it rebuilt from the log",
                    format, kTablesFormat));
  if (format > 0 && format < kTablesFormat)
    return fail(
        Code::kFailedPrecondition, "older_format",
        fmt::format("state.db has format {}, this version makes {} from the log", format, kTablesFormat));
  if (format == kTablesFormat && TRY(read_note(kReadNote, "schema")) == schema_digest(model)) return true;
  for (const Table* table : model.tables()) {
    const std::vector<std::string> present = TRY(columns_of(*table));
    const bool has = std::ranges::find(present, contract::kStretchColumn) != present.end();
    if (!present.empty() && has != (table->arrival != nullptr))
      return fail(Code::kFailedPrecondition, "older_format",
                  fmt::format("{} is kept in another order now: it is made from the log", table->sql_name));
  }
  return false;
}

Result<std::vector<std::string>> SqlTables::columns_of(const Table& table) {
  std::vector<std::string> present;
  auto columns = TRY(connection_->prepare(fmt::format("PRAGMA table_info({})", quoted(table.sql_name)), ""));
  while (TRY(columns->step())) present.emplace_back(columns->value(1).bytes);
  return present;
}

Result<void> SqlTables::extend(const Table& table) {
  const std::vector<std::string> present = TRY(columns_of(table));
  if (present.empty()) TRY(begin_stretches(table));
  else
    for (const std::string& sql : contract::additive_sql(table, present, contract::Dialect::kSqlite))
      TRY(connection_->exec(sql));
  return connection_->exec(contract::create_table_sql(table, contract::Dialect::kSqlite));
}

// ---- rows ----

SqlTables::TableStatements& SqlTables::of(const Table& table) {
  if (table.id >= tables_.size()) tables_.resize(table.id + 1);
  TableStatements& statements = tables_[table.id];
  if (statements.key_columns.empty()) statements.key_columns = key_columns(table);
  return statements;
}

Result<Row> SqlTables::get(const Table& table, const std::string& key) {
  if (table.scattered) return TRY(find_scattered(table, key)).row;
  TableStatements& statements = of(table);
  auto values = key_values(table, key);
  if (!values) return Row();
  if (!statements.get)
    statements.get = TRY(connection_->prepare(fmt::format("SELECT {} FROM {} WHERE {}", all_columns(table),
                                                          quoted(table.sql_name), key_condition(table)),
                                              table.service->name));
  SqlStatement& get = *statements.get;
  for (size_t i = 0; i < values->size(); ++i) get.bind(static_cast<int>(i) + 1, (*values)[i].view());
  Row row;
  if (TRY(get.step())) row = read_row(table, get);
  get.reset();
  return row;
}

void SqlTables::read_values(const Table& table, const SqlStatement& statement) {
  values_.clear();
  for (size_t i = 0; i < contract::column_plan(table).columns().size(); ++i)
    values_.push_back(statement.value(static_cast<int>(i)));
}

Row SqlTables::read_row(const Table& table, const SqlStatement& statement) {
  read_values(table, statement);
  std::shared_ptr<google::protobuf::Message> row = table.make();
  contract::column_plan(table).read(values_, *row);
  return row;
}

Result<void> SqlTables::put(const Table& table, std::string_view key, std::string_view row) {
  TableStatements& statements = of(table);
  if (!statements.put) {
    std::string marks = "?", names = all_columns(table);
    for (size_t i = 1; i < contract::column_plan(table).columns().size(); ++i) marks += ",?";
    if (table.scattered) marks += ",?", names += fmt::format(",\"{}\"", contract::kPlaceColumn);
    if (table.arrival != nullptr) marks += ",?", names += fmt::format(",\"{}\"", contract::kStretchColumn);
    statements.put = TRY(connection_->prepare(
        fmt::format("INSERT OR REPLACE INTO {} ({}) VALUES ({})", quoted(table.sql_name), names, marks),
        table.service->name));
    statements.columns = std::make_unique<RowColumns>(table);
  }
  const KeyPlaces::Place scattered = table.scattered ? TRY(place_for(table, key)) : 0;
  if (!statements.columns->read(row, values_))
    return fail(Code::kFailedPrecondition, "log_damaged",
                fmt::format("a row of {} that is none stands in the log", table.sql_name));
  int place = 0;
  for (const Value& value : values_) statements.put->bind(++place, value);
  if (scattered != 0) statements.put->bind(++place, int64_t(scattered));
  if (table.arrival != nullptr) statements.put->bind(++place, TRY(stretch_for(table, values_)));
  return statements.put->run();
}

Result<void> SqlTables::erase(const Table& table, std::string_view key) {
  if (table.scattered) return erase_scattered(table, key);
  TableStatements& statements = of(table);
  auto values = key_values(table, key);
  if (!values) return {};
  if (!statements.erase)
    statements.erase = TRY(connection_->prepare(
        fmt::format("DELETE FROM {} WHERE {}", quoted(table.sql_name), key_condition(table)),
        table.service->name));
  for (size_t i = 0; i < values->size(); ++i)
    statements.erase->bind(static_cast<int>(i) + 1, (*values)[i].view());
  return statements.erase->run();
}

// Made anew and not emptied: rows of another version may have had other columns.
Result<void> SqlTables::clear(const Table& table) {
  of(table) = {};
  TRY(connection_->exec("DROP TABLE IF EXISTS " + quoted(table.sql_name)));
  TRY(begin_stretches(table));
  return connection_->exec(contract::create_table_sql(table, contract::Dialect::kSqlite));
}

Result<std::string> SqlTables::newest_key(const Table& table) {
  std::string order;
  for (size_t place : key_columns(table))
    order += fmt::format("{}{} DESC", order.empty() ? "" : ",",
                         quoted(contract::column_plan(table).columns()[place].name));
  auto newest = TRY(connection_->prepare(
      fmt::format("SELECT {} FROM {} ORDER BY {} LIMIT 1", all_columns(table), quoted(table.sql_name), order),
      table.service->name));
  if (!TRY(newest->step())) return std::string();
  return table.key_of(*read_row(table, *newest));
}

Result<void> SqlTables::scan(const Table& table, const std::function<bool(const Row&)>& each) {
  return scan_by_key(table, [&](const std::vector<Value>& values) {
    std::shared_ptr<google::protobuf::Message> row = table.make();
    contract::column_plan(table).read(values, *row);
    return each(row);
  });
}

Result<void> SqlTables::scan_values(const Table& table, const EachValues& each) {
  return table.scattered ? scan_scattered(table, each) : scan_by_key(table, each);
}

Result<void> SqlTables::scan_by_key(const Table& table, const EachValues& each) {
  std::string columns = all_columns(table), order;
  if (table.arrival != nullptr) columns += "," + quoted(contract::kStretchColumn);
  if (table.stretched()) order = quoted(contract::kStretchColumn);
  for (size_t place : key_columns(table))
    order += (order.empty() ? "" : ",") + quoted(contract::column_plan(table).columns()[place].name);
  auto statement = TRY(connection_->prepare(
      fmt::format("SELECT {} FROM {} ORDER BY {}", columns, quoted(table.sql_name), order),
      table.service->name));
  std::unique_ptr<Stretches> stretches;
  while (TRY(statement->step())) {
    read_values(table, *statement);
    if (table.arrival != nullptr)
      TRY(check_stretch(table, stretches, values_, statement->value(int(values_.size())).integer));
    if (!each(values_)) break;
  }
  return {};
}

Result<Page> SqlTables::list(const ListQuery& query) {
  ListPlan plan = TRY(plan_list(query));
  ListSql select = list_sql(plan);
  if (lists_.size() >= kKeptLists && !lists_.contains(select.sql)) lists_.clear();
  std::unique_ptr<SqlStatement>& kept = lists_[select.sql];
  if (!kept) {
    auto prepared = connection_->prepare(select.sql, plan.table->service->name);
    if (!prepared) {
      lists_.erase(select.sql);
      return std::unexpected(prepared.error());
    }
    kept = std::move(*prepared);
  }
  SqlStatement& statement = *kept;
  int place = 0;
  for (const OwnedValue& parameter : select.parameters) statement.bind(++place, parameter.view());
  Page page;
  OwnedValue last_order;
  while (TRY(statement.step())) {
    if (page.rows.size() == plan.page_size) {  // one more than asked for: there is a next page
      page.next_page_token = page_token(plan, last_order.view(), plan.table->key_of(*page.rows.back()));
      break;
    }
    last_order = OwnedValue::of(statement.value(static_cast<int>(plan.order_column)));
    page.rows.push_back(read_row(*plan.table, statement));
  }
  statement.reset();
  return page;
}

// ---- transactions and notes ----

Result<void> SqlTables::begin() { return TRY(own_statement("BEGIN IMMEDIATE"))->run(); }
Result<void> SqlTables::commit() {
  TRY(note_places());
  TRY(TRY(own_statement("COMMIT"))->run());
  places_are_noted();
  return {};
}
void SqlTables::roll_back() {
  (void)connection_->exec("ROLLBACK");  // SQLite may have done so by itself
  for (TableStatements& statements : tables_) statements.stretches.reset();
}

std::unexpected<Error> SqlTables::damaged(std::string_view what) {
  return fail(Code::kFailedPrecondition, "tables_damaged",
              fmt::format("{}; delete state.db and its -wal and -shm: it is rebuilt from the log", what));
}

Result<SqlStatement*> SqlTables::own_statement(const std::string& sql) {
  auto at = own_.find(sql);
  if (at == own_.end()) at = own_.emplace(sql, TRY(connection_->prepare(sql, ""))).first;
  return at->second.get();
}

Result<uint64_t> SqlTables::read_note(const std::string& sql, const std::string& text) {
  SqlStatement* statement = TRY(own_statement(sql));
  statement->bind(1, std::string_view(text));
  uint64_t value = 0;
  if (TRY(statement->step())) value = static_cast<uint64_t>(statement->value(0).integer);
  statement->reset();
  return value;
}

Result<void> SqlTables::write_note(const std::string& sql, const std::string& text, uint64_t value) {
  SqlStatement* statement = TRY(own_statement(sql));
  statement->bind(1, std::string_view(text));
  statement->bind(2, static_cast<int64_t>(value));
  return statement->run();
}

Result<uint64_t> SqlTables::applied_tick() { return read_note(kReadNote, "applied_tick"); }
Result<void> SqlTables::set_applied_tick(uint64_t tick) {
  return write_note(kWriteNote, "applied_tick", tick);
}
Result<SqlTables::Projected> SqlTables::projected(const std::string& service) {
  Projected projected{.tick =
                          TRY(read_note("SELECT tick FROM micropay_projection WHERE service=?", service))};
  if (projected.tick > 0) projected.version = TRY(read_note(kReadNote, kProjectionNote + service));
  return projected;
}
Result<void> SqlTables::set_projected(const std::string& service, Projected projected) {
  TRY(write_note("INSERT OR REPLACE INTO micropay_projection(service, tick) VALUES(?,?)", service,
                 projected.tick));
  return write_note(kWriteNote, kProjectionNote + service, projected.version);
}

}  // namespace micropay
