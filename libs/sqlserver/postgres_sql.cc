#include "libs/sqlserver/postgres_sql.h"

#include <algorithm>
#include <memory>

#include "libs/sqlserver/postgres_values.h"
#include "libs/sqlserver/sql_text.h"

namespace micropay {
namespace {

using contract::Column;
using contract::Table;

std::string array_marks(const std::vector<const Column*>& columns) {
  std::string marks;
  for (const Column* column : columns)
    marks += fmt::format("{}?::{}[]", marks.empty() ? "" : ",", postgres_type(column->type));
  return marks;
}

}  // namespace

std::string numbered(std::string_view sql) {
  std::string text;
  int number = 0;
  for (const char c : sql)
    if (c == '?') text += fmt::format("${}", ++number);
    else text += c;
  return text;
}

TableSql::TableSql(const Table& table) {
  for (const Column& column : contract::column_plan(table).columns()) columns.push_back(&column);
  for (size_t place : key_columns(table)) keys.push_back(columns[place]);
  std::string updates;
  for (const Column* column : columns)
    if (std::ranges::find(keys, column) == keys.end())
      updates += fmt::format("{}{}=excluded.{}", updates.empty() ? "" : ",", quoted(column->name),
                             quoted(column->name));
  put = fmt::format("INSERT INTO {} ({}) SELECT * FROM unnest({}) ON CONFLICT ({}) DO {}",
                    quoted(table.sql_name), columns_sql(table), array_marks(columns), keys_sql(table),
                    updates.empty() ? "NOTHING" : "UPDATE SET " + updates);
  const std::string any =
      keys.size() == 1
          ? fmt::format(" WHERE {}=ANY({})", keys_sql(table), array_marks(keys))
          : fmt::format(" WHERE ({}) IN (SELECT * FROM unnest({}))", keys_sql(table), array_marks(keys));
  erase = fmt::format("DELETE FROM {}{}", quoted(table.sql_name), any);
  get_one = select_sql(table) + by_key_sql(table);
  get_many = select_sql(table) + any;
}

const TableSql& sql_of(const Table& table) {
  static thread_local std::vector<std::unique_ptr<TableSql>> made;
  if (made.size() <= table.id) made.resize(table.id + 1);
  if (!made[table.id]) made[table.id] = std::make_unique<TableSql>(table);
  return *made[table.id];
}

}  // namespace micropay
