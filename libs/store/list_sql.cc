// A planned list as SQL.
#include "libs/contract/documents.h"
#include "libs/store/sql_tables.h"

namespace micropay {
namespace {

using contract::Value;

OwnedValue integer_value(int64_t integer) { return {Value::Kind::kInteger, integer, {}}; }

std::string quoted(const ListPlan& plan, size_t column) {
  return fmt::format("\"{}\"", plan.columns->columns()[column].name);
}

std::string condition_sql(const ListPlan& plan, const ListCondition& condition,
                          std::vector<OwnedValue>& parameters) {
  std::string name = quoted(plan, condition.column);
  parameters.insert(parameters.end(), condition.values.begin(), condition.values.end());
  switch (condition.op) {
    case Filter::Op::kEqual: return name + "=?";
    case Filter::Op::kGreaterEqual: return name + ">=?";
    case Filter::Op::kLess: return name + "<?";
    case Filter::Op::kIn: break;
  }
  std::string marks;
  for (size_t i = 0; i < condition.values.size(); ++i) marks += i == 0 ? "?" : ",?";
  return fmt::format("{} IN ({})", name, marks);
}

// Rows behind the place, in the order of the list. Row values let SQLite seek in an index; they do not work
// with NULL, which sorts first.
std::string after_sql(const ListPlan& plan, std::vector<OwnedValue>& parameters) {
  const ListPlan::Place& place = *plan.after;
  std::string keys, marks;
  for (size_t column : key_columns(*plan.table)) {
    keys += (keys.empty() ? "" : ",") + quoted(plan, column);
    marks += marks.empty() ? "?" : ",?";
  }
  const char* beyond = plan.descending ? "<" : ">";
  std::string order = quoted(plan, plan.order_column);
  std::vector<OwnedValue> key = *key_values(*plan.table, place.key);
  auto add_key = [&] { parameters.insert(parameters.end(), key.begin(), key.end()); };
  std::string key_beyond = fmt::format("({}){}({})", keys, beyond, marks);
  if (plan.by_key) {
    add_key();
    return key_beyond;
  }
  if (!plan.order_nullable) {
    parameters.push_back(place.order);
    add_key();
    return fmt::format("({},{}){}(?,{})", order, keys, beyond, marks);
  }
  if (place.order.kind == Value::Kind::kNull) {
    add_key();
    std::string nulls = fmt::format("({} IS NULL AND {})", order, key_beyond);
    return plan.descending ? nulls : fmt::format("({} OR {} IS NOT NULL)", nulls, order);
  }
  parameters.push_back(place.order);
  parameters.push_back(place.order);
  add_key();
  return fmt::format("({0}{1}? OR ({0}=? AND {2}){3})", order, beyond, key_beyond,
                     plan.descending ? fmt::format(" OR {} IS NULL", order) : "");
}

// Whether an index that leaves rows out has all that the list wants.
bool stands_in(const ListPlan& plan, const contract::Index& index) {
  if (index.except == nullptr) return false;
  return std::ranges::any_of(plan.conditions, [&](const ListCondition& condition) {
    if (plan.columns->columns()[condition.column].field != index.fields[0]) return false;
    if (condition.op != Filter::Op::kEqual && condition.op != Filter::Op::kIn) return false;
    return std::ranges::none_of(condition.values,
                                [&](const OwnedValue& value) { return value.bytes == index.except->name(); });
  });
}

}  // namespace

ListSql list_sql(const ListPlan& plan) {
  ListSql select{.sql = "SELECT ", .parameters = {}};
  for (size_t i = 0; i < plan.columns->columns().size(); ++i)
    select.sql += (i == 0 ? "" : ",") + quoted(plan, i);
  select.sql += fmt::format(" FROM \"{}\"", plan.table->sql_name);
  const char* joint = " WHERE ";
  for (const ListCondition& condition : plan.conditions) {
    select.sql += joint + condition_sql(plan, condition, select.parameters);
    joint = " AND ";
  }
  for (const contract::Index& index : plan.table->indexes) {
    if (!stands_in(plan, index)) continue;
    select.sql += joint + contract::unless_sql(index);
    joint = " AND ";
  }
  if (plan.after) select.sql += joint + after_sql(plan, select.parameters);
  const char* direction = plan.descending ? " DESC" : " ASC";
  select.sql += " ORDER BY ";
  if (!plan.by_key) select.sql += quoted(plan, plan.order_column) + direction + ",";
  std::string keys;
  for (size_t column : key_columns(*plan.table))
    keys += (keys.empty() ? "" : ",") + quoted(plan, column) + direction;
  select.sql += keys + " LIMIT ? OFFSET ?";
  select.parameters.push_back(integer_value(int64_t(plan.page_size) + 1));
  select.parameters.push_back(integer_value(plan.offset));
  return select;
}

}  // namespace micropay
