// SQL of rows and lists.
#include "libs/sqlserver/sql_text.h"

namespace micropay {
namespace {

using contract::Table;
using contract::Value;

const std::string& column_name(const Table& table, size_t column) {
  return contract::column_plan(table).columns()[column].name;
}

OwnedValue integer_value(int64_t integer) { return {Value::Kind::kInteger, integer, {}}; }

// The columns that a list is ordered by, with the values of the place to go on from.
struct OrderColumn {
  std::string name;
  OwnedValue value;
};

// Rows behind a place. PostgreSQL seeks an index by a comparison of rows; MariaDB needs it spelt out, and the
// first column bounded by itself.
std::string beyond_sql(const std::vector<OrderColumn>& order, bool descending, SqlServer server,
                       std::vector<OwnedValue>& parameters) {
  const char* beyond = descending ? "<" : ">";
  std::string names, marks;
  if (server == SqlServer::kPostgres || order.size() == 1) {
    for (const OrderColumn& column : order) {
      names += (names.empty() ? "" : ",") + column.name;
      marks += marks.empty() ? "?" : ",?";
      parameters.push_back(column.value);
    }
    return fmt::format("({}){}({})", names, beyond, marks);
  }
  std::string sql = fmt::format("({}{}=? AND ", order[0].name, beyond);
  parameters.push_back(order[0].value);
  for (size_t i = 0; i < order.size(); ++i) {
    const bool last = i + 1 == order.size();
    sql += fmt::format("({}{}?", order[i].name, beyond);
    parameters.push_back(order[i].value);
    if (last) break;
    sql += fmt::format(" OR ({}=? AND ", order[i].name);
    parameters.push_back(order[i].value);
  }
  return sql + std::string(2 * order.size(), ')');
}

std::vector<OrderColumn> key_place(const Table& table, const std::vector<OwnedValue>& key) {
  std::vector<OrderColumn> order;
  const std::vector<size_t> columns = key_columns(table);
  for (size_t i = 0; i < columns.size(); ++i)
    order.push_back({quoted(column_name(table, columns[i])), key[i]});
  return order;
}

std::string condition_sql(const ListPlan& plan, const ListCondition& condition,
                          std::vector<OwnedValue>& parameters) {
  const std::string name = quoted(column_name(*plan.table, condition.column));
  parameters.insert(parameters.end(), condition.values.begin(), condition.values.end());
  switch (condition.op) {
    case Filter::Op::kEqual: return name + "=?";
    case Filter::Op::kGreaterEqual: return name + ">=?";
    case Filter::Op::kLess: return name + "<?";
    case Filter::Op::kIn: break;
  }
  if (condition.values.empty()) return "FALSE";
  std::string marks;
  for (size_t i = 0; i < condition.values.size(); ++i) marks += i == 0 ? "?" : ",?";
  return fmt::format("{} IN ({})", name, marks);
}

std::string after_sql(const ListPlan& plan, SqlServer server, std::vector<OwnedValue>& parameters) {
  const ListPlan::Place& place = *plan.after;
  std::vector<OrderColumn> order = key_place(*plan.table, *key_values(*plan.table, place.key));
  if (plan.by_key) return beyond_sql(order, plan.descending, server, parameters);
  const std::string name = quoted(column_name(*plan.table, plan.order_column));
  if (plan.order_nullable && place.order.kind == Value::Kind::kNull) {
    const std::string nulls =
        fmt::format("({} IS NULL AND {})", name, beyond_sql(order, plan.descending, server, parameters));
    return plan.descending ? nulls : fmt::format("({} OR {} IS NOT NULL)", nulls, name);
  }
  order.insert(order.begin(), {name, place.order});
  const std::string sql = beyond_sql(order, plan.descending, server, parameters);
  return plan.order_nullable && plan.descending ? fmt::format("({} OR {} IS NULL)", sql, name) : sql;
}

}  // namespace

std::string quoted(std::string_view name) { return fmt::format("\"{}\"", name); }

std::string columns_sql(const Table& table) {
  std::string list;
  for (const contract::Column& column : contract::column_plan(table).columns())
    list += (list.empty() ? "" : ",") + quoted(column.name);
  return list;
}

std::string keys_sql(const Table& table, std::string_view behind) {
  std::string list;
  for (size_t column : key_columns(table))
    list += fmt::format("{}{}{}", list.empty() ? "" : ",", quoted(column_name(table, column)), behind);
  return list;
}

std::string select_sql(const Table& table) {
  return fmt::format("SELECT {} FROM {}", columns_sql(table), quoted(table.sql_name));
}

std::string by_key_sql(const Table& table) {
  std::string sql;
  for (size_t column : key_columns(table))
    sql += fmt::format("{}{}=?", sql.empty() ? " WHERE " : " AND ", quoted(column_name(table, column)));
  return sql;
}

ListSelect list_select(const ListPlan& plan, SqlServer server) {
  ListSelect select{.sql = select_sql(*plan.table), .parameters = {}};
  const char* joint = " WHERE ";
  for (const ListCondition& condition : plan.conditions) {
    select.sql += joint + condition_sql(plan, condition, select.parameters);
    joint = " AND ";
  }
  if (plan.after) select.sql += joint + after_sql(plan, server, select.parameters);
  // NULL comes before everything; PostgreSQL has to be told.
  const bool say_nulls = plan.order_nullable && server == SqlServer::kPostgres;
  const std::string direction = plan.descending ? " DESC" : " ASC";
  const std::string nulls = !say_nulls ? "" : plan.descending ? " NULLS LAST" : " NULLS FIRST";
  select.sql += " ORDER BY ";
  if (!plan.by_key)
    select.sql += quoted(column_name(*plan.table, plan.order_column)) + direction + nulls + ",";
  select.sql += keys_sql(*plan.table, direction) + " LIMIT ? OFFSET ?";
  select.parameters.push_back(integer_value(int64_t(plan.page_size) + 1));
  select.parameters.push_back(integer_value(plan.offset));
  return select;
}

ListSelect chunk_select(const Table& table, const std::vector<OwnedValue>& after, size_t rows,
                        SqlServer server) {
  ListSelect select{.sql = select_sql(table), .parameters = {}};
  if (!after.empty())
    select.sql += " WHERE " + beyond_sql(key_place(table, after), false, server, select.parameters);
  select.sql += fmt::format(" ORDER BY {} LIMIT ?", keys_sql(table));
  select.parameters.push_back(integer_value(int64_t(rows)));
  return select;
}

namespace {

// Bytes of the UTF-8 character at the start of `text`; 0: there is none.
size_t character_size(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; };
  const auto more = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const uint8_t first = byte(0), second = byte(1);
  if (first < 0x80) return first == 0 ? 0 : 1;
  if (first >= 0xC2 && first < 0xE0) return more(1) ? 2 : 0;
  if (first >= 0xE0 && first < 0xF0) {
    const bool bad =
        (first == 0xE0 && second < 0xA0) || (first == 0xED && second >= 0xA0);  // long, surrogate
    return !bad && more(1) && more(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first < 0xF5) {
    const bool bad = (first == 0xF0 && second < 0x90) || (first == 0xF4 && second >= 0x90);
    return !bad && more(1) && more(2) && more(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

bool is_storable_text(std::string_view text, std::string& repaired) {
  size_t at = 0;
  while (at < text.size()) {
    const size_t size = character_size(text.substr(at));
    if (size == 0) break;
    at += size;
  }
  if (at == text.size()) return true;
  repaired.assign(text.substr(0, at));
  while (at < text.size()) {
    const size_t size = character_size(text.substr(at));
    if (size == 0) repaired += "\xEF\xBF\xBD";
    else repaired += text.substr(at, size);
    at += std::max<size_t>(size, 1);
  }
  return false;
}

}  // namespace micropay
