// The SQL of a table: all dialects store the same columns, so an export of one loads into the other. Text is
// compared by its bytes, and NULL comes first. Identifiers are quoted, because fields may be named by words
// of SQL.
#include <algorithm>

#include "libs/contract/columns.h"
#include "libs/contract/documents.h"

namespace micropay::contract {
namespace {

// MariaDB compares and indexes text of limited length only: two of them fit into an index of 3072 bytes.
constexpr uint32_t kIndexedText = 360, kIndexedEnum = 64;

std::string quoted(std::string_view name, Dialect dialect) {
  return dialect == Dialect::kMariadb ? fmt::format("`{}`", name) : fmt::format("\"{}\"", name);
}

bool is_indexed(const Table& table, const Column& column) {
  const auto has = [&](const std::vector<const FieldDescriptor*>& fields) {
    return std::find(fields.begin(), fields.end(), column.field) != fields.end();
  };
  return has(table.key) || std::any_of(table.indexes.begin(), table.indexes.end(),
                                       [&](const Index& i) { return has(i.fields); });
}

std::string mariadb_type(const Table& table, const Column& column) {
  switch (column.type) {
    case ColumnType::kUuid: return "binary(16)";
    case ColumnType::kInteger: return "bigint";
    case ColumnType::kBlob: return "longblob";
    case ColumnType::kText: break;
  }
  if (!is_indexed(table, column)) return "longtext";
  if (column.field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM)
    return fmt::format("varchar({})", kIndexedEnum);
  const uint32_t longest = options_of(*column.field).max_length();
  return fmt::format("varchar({})", longest == 0 ? kIndexedText : std::min(longest, kIndexedText));
}

std::string sql_type(const Table& table, const Column& column, Dialect dialect) {
  if (dialect == Dialect::kMariadb) return mariadb_type(table, column);
  const bool sqlite = dialect == Dialect::kSqlite;
  switch (column.type) {
    case ColumnType::kText: return sqlite ? "TEXT" : "text COLLATE \"C\"";
    case ColumnType::kUuid: return sqlite ? "BLOB" : "uuid";
    case ColumnType::kInteger: return sqlite ? "INTEGER" : "bigint";
    case ColumnType::kBlob: return sqlite ? "BLOB" : "bytea";
  }
  return "";
}

bool is_key(const Table& table, const Column& column) {
  return std::find(table.key.begin(), table.key.end(), column.field) != table.key.end();
}

// What a row that was written before the column existed reads as: the field's own zero.
std::string default_of(const Column& column) {
  if (column.type == ColumnType::kInteger) return "0";
  if (column.part != Column::Part::kWhole) return "''";
  switch (column.field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_ENUM:
      return fmt::format("'{}'", enum_text(*column.field->default_value_enum()));
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT: return "'0'";
    default: return "''";
  }
}

bool is_nullable(const Table& table, const Column& column) {
  if (is_key(table, column)) return false;
  return column.type == ColumnType::kUuid || column.type == ColumnType::kBlob ||
         (column.part == Column::Part::kWhole && column.field->has_presence());
}

std::string column_sql(const Table& table, const Column& column, Dialect dialect) {
  std::string sql = fmt::format("{} {}", quoted(column.name, dialect), sql_type(table, column, dialect));
  if (is_key(table, column)) return sql + " NOT NULL";
  if (is_nullable(table, column)) return sql;
  const std::string standard = default_of(column);
  return sql + " NOT NULL DEFAULT " + (dialect == Dialect::kMariadb ? "(" + standard + ")" : standard);
}

// Columns of the fields, then those of the key that are not among them.
std::string index_columns(const Table& table, const std::vector<const FieldDescriptor*>& fields,
                          Dialect dialect) {
  std::vector<const FieldDescriptor*> all = fields;
  for (const FieldDescriptor* key : table.key)
    if (std::find(all.begin(), all.end(), key) == all.end()) all.push_back(key);
  std::string list;
  for (const FieldDescriptor* field : all)
    for (const Column& column : column_plan(table).columns()) {
      if (column.field != field) continue;
      list += (list.empty() ? "" : ", ") + quoted(column.name, dialect);
      if (dialect == Dialect::kPostgres && is_nullable(table, column)) list += " NULLS FIRST";
    }
  return list;
}

std::string stretch_first() { return fmt::format("\"{}\", ", kStretchColumn); }

std::string index_sql(const Table& table, const Index& index, Dialect dialect) {
  const bool sqlite = dialect == Dialect::kSqlite;
  const bool stretched = sqlite && table.arrival != nullptr && index.except == nullptr;
  return fmt::format("CREATE INDEX IF NOT EXISTS {} ON {} ({}{}){};", quoted(index.name, dialect),
                     quoted(table.sql_name, dialect), stretched ? stretch_first() : "",
                     index_columns(table, index.fields, dialect),
                     sqlite && index.except ? " WHERE " + unless_sql(index) : "");
}

}  // namespace

std::string unless_sql(const Index& index) {
  return fmt::format("\"{}\"<>'{}'", index.fields[0]->name(), index.except->name());
}

std::string create_table_sql(const Table& table, Dialect dialect) {
  std::string sql = fmt::format("CREATE TABLE IF NOT EXISTS {} (\n", quoted(table.sql_name, dialect));
  // Of its own and not SQLite's rowid, which may change when somebody tidies up the file.
  const bool sqlite = dialect == Dialect::kSqlite, placed = table.scattered && sqlite;
  if (placed) sql += fmt::format("  \"{}\" INTEGER PRIMARY KEY,\n", kPlaceColumn);
  for (const Column& column : column_plan(table).columns())
    sql += fmt::format("  {},\n", column_sql(table, column, dialect));
  if (sqlite && table.arrival != nullptr) sql += fmt::format("  \"{}\" INTEGER NOT NULL,\n", kStretchColumn);
  if (placed) sql.resize(sql.size() - 2), sql += "\n)";
  else
    sql += fmt::format("  PRIMARY KEY ({}{})\n)", sqlite && table.stretched() ? stretch_first() : "",
                       index_columns(table, {}, dialect));
  if (sqlite && !placed) sql += " WITHOUT ROWID";
  if (dialect == Dialect::kMariadb) sql += " ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin";
  sql += ";\n";
  for (const Index& index : table.indexes) sql += index_sql(table, index, dialect) + "\n";
  return sql;
}

std::vector<std::string> additive_sql(const Table& table, const std::vector<std::string>& present_columns,
                                      Dialect dialect) {
  std::vector<std::string> statements;
  const auto is_new = [&](const Column& column) {
    return std::find(present_columns.begin(), present_columns.end(), column.name) == present_columns.end();
  };
  for (const Column& column : column_plan(table).columns())
    if (is_new(column))
      statements.push_back(fmt::format("ALTER TABLE {} ADD COLUMN {};", quoted(table.sql_name, dialect),
                                       column_sql(table, column, dialect)));
  for (const Index& index : table.indexes)
    for (const Column& column : column_plan(table).columns())
      if (is_new(column) &&
          std::find(index.fields.begin(), index.fields.end(), column.field) != index.fields.end()) {
        statements.push_back(index_sql(table, index, dialect));
        break;
      }
  return statements;
}

}  // namespace micropay::contract
