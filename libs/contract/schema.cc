// The SQL of a table: both dialects store the same columns, so an export of one loads into the other.
// Identifiers are quoted, because fields may be named by words of SQL.
#include <algorithm>

#include "libs/contract/columns.h"
#include "libs/contract/documents.h"

namespace micropay::contract {
namespace {

std::string quoted(std::string_view name) { return fmt::format("\"{}\"", name); }

std::string_view sql_type(ColumnType type, Dialect dialect) {
  const bool sqlite = dialect == Dialect::kSqlite;
  switch (type) {
    case ColumnType::kText: return sqlite ? "TEXT" : "text";
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

std::string column_sql(const Table& table, const Column& column, Dialect dialect) {
  std::string sql = fmt::format("{} {}", quoted(column.name), sql_type(column.type, dialect));
  const bool nullable = column.type == ColumnType::kUuid || column.type == ColumnType::kBlob ||
                        (column.part == Column::Part::kWhole && column.field->has_presence());
  if (is_key(table, column)) sql += " NOT NULL";
  else if (!nullable) sql += fmt::format(" NOT NULL DEFAULT {}", default_of(column));
  return sql;
}

// Columns of the fields, then those of the key that are not among them.
std::string index_columns(const Table& table, const std::vector<const FieldDescriptor*>& fields) {
  std::vector<const FieldDescriptor*> all = fields;
  for (const FieldDescriptor* key : table.key)
    if (std::find(all.begin(), all.end(), key) == all.end()) all.push_back(key);
  std::string list;
  for (const FieldDescriptor* field : all)
    for (const Column& column : column_plan(table).columns())
      if (column.field == field) list += (list.empty() ? "" : ", ") + quoted(column.name);
  return list;
}

std::string index_sql(const Table& table, const Index& index) {
  return fmt::format("CREATE INDEX IF NOT EXISTS {} ON {} ({});", quoted(index.name), quoted(table.sql_name),
                     index_columns(table, index.fields));
}

}  // namespace

std::string create_table_sql(const Table& table, Dialect dialect) {
  std::string sql = fmt::format("CREATE TABLE IF NOT EXISTS {} (\n", quoted(table.sql_name));
  for (const Column& column : column_plan(table).columns())
    sql += fmt::format("  {},\n", column_sql(table, column, dialect));
  sql += fmt::format("  PRIMARY KEY ({})\n)", index_columns(table, {}));
  if (dialect == Dialect::kSqlite) sql += " WITHOUT ROWID";
  sql += ";\n";
  for (const Index& index : table.indexes) sql += index_sql(table, index) + "\n";
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
      statements.push_back(fmt::format("ALTER TABLE {} ADD COLUMN {};", quoted(table.sql_name),
                                       column_sql(table, column, dialect)));
  for (const Index& index : table.indexes)
    for (const Column& column : column_plan(table).columns())
      if (is_new(column) &&
          std::find(index.fields.begin(), index.fields.end(), column.field) != index.fields.end()) {
        statements.push_back(index_sql(table, index));
        break;
      }
  return statements;
}

}  // namespace micropay::contract
