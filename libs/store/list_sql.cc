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

// Whether one value is asked for.
bool is_fixed(const ListPlan& plan, size_t column) {
  return std::ranges::any_of(plan.conditions, [&](const ListCondition& condition) {
    return condition.column == column && condition.op == Filter::Op::kEqual;
  });
}

// Rows behind the place, in the order of the list. Row values let SQLite seek in an index; they do not work
// with NULL, which sorts first.
std::string after_sql(const ListPlan& plan, std::vector<OwnedValue>& parameters) {
  const ListPlan::Place& place = *plan.after;
  std::string keys, marks;
  std::vector<OwnedValue> key = *key_values(*plan.table, place.key), compared;
  const std::vector<size_t> columns = key_columns(*plan.table);
  for (size_t i = 0; i < columns.size(); ++i) {
    // What all rows have in common does not order them, and stands in the way of the range of an index.
    if (is_fixed(plan, columns[i]) && i + 1 < columns.size()) continue;
    keys += (keys.empty() ? "" : ",") + quoted(plan, columns[i]);
    marks += marks.empty() ? "?" : ",?";
    compared.push_back(std::move(key[i]));
  }
  const char* beyond = plan.descending ? "<" : ">";
  std::string order = quoted(plan, plan.order_column);
  auto add_key = [&] { parameters.insert(parameters.end(), compared.begin(), compared.end()); };
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

std::optional<size_t> column_of(const ListPlan& plan, const contract::FieldDescriptor* field) {
  const auto& columns = plan.columns->columns();
  const auto at = std::ranges::find(columns, field, &contract::Column::field);
  if (at == columns.end()) return {};
  return size_t(at - columns.begin());
}

// Whether walking through the stretches gives the rows in the order of the list, and finds them by an index:
// rows of one account, or some, in the order of their arrival.
bool by_stretches(const ListPlan& plan) {
  const contract::Table& table = *plan.table;
  if (table.arrival == nullptr) return false;
  if (!table.stretched())
    return plan.by_key && std::ranges::any_of(table.indexes, [&](const contract::Index& index) {
             return index.except == nullptr &&
                    std::ranges::any_of(plan.conditions, [&](const ListCondition& condition) {
                      return plan.columns->columns()[condition.column].field == index.fields[0] &&
                             (condition.op == Filter::Op::kEqual || condition.op == Filter::Op::kIn);
                    });
           });
  if (plan.columns->columns()[plan.order_column].field == table.arrival) return true;
  const auto before = std::ranges::subrange(table.key.begin(), std::ranges::find(table.key, table.arrival));
  return plan.by_key && std::ranges::all_of(before, [&](const contract::FieldDescriptor* field) {
           return is_fixed(plan, *column_of(plan, field));
         });
}

// Stretches in which no row of the list can be need not be looked into.
std::string stretches_sql(const ListPlan& plan, std::vector<OwnedValue>& parameters) {
  const std::string& name = plan.table->sql_name;
  std::string sql = fmt::format(" AND store_table='{}'", name);
  const auto up_to = [&](const OwnedValue& value) {
    sql += " AND store_first<=?";
    parameters.push_back(value);
  };
  const auto from = [&](const OwnedValue& value) {
    sql += fmt::format(
        " AND store_first>=(SELECT max(store_first) FROM micropay_stretch WHERE store_table='{}' AND "
        "store_first<=?)",
        name);
    parameters.push_back(value);
  };
  for (const ListCondition& condition : plan.conditions) {
    if (plan.columns->columns()[condition.column].field != plan.table->arrival) continue;
    if (condition.op == Filter::Op::kLess || condition.op == Filter::Op::kEqual) up_to(condition.values[0]);
    if (condition.op == Filter::Op::kGreaterEqual || condition.op == Filter::Op::kEqual)
      from(condition.values[0]);
  }
  if (plan.after) {
    const auto at = std::ranges::find(plan.table->key, plan.table->arrival) - plan.table->key.begin();
    const OwnedValue value = (*key_values(*plan.table, plan.after->key))[size_t(at)];
    plan.descending ? up_to(value) : from(value);
  }
  return sql;
}

}  // namespace

ListSql list_sql(const ListPlan& plan) {
  ListSql select{.sql = "SELECT ", .parameters = {}};
  for (size_t i = 0; i < plan.columns->columns().size(); ++i)
    select.sql += (i == 0 ? "" : ",") + quoted(plan, i);
  const bool stretches = by_stretches(plan);
  const char* joint = stretches ? " AND " : " WHERE ";
  if (stretches)  // in the order of this join, which CROSS means to SQLite
    select.sql +=
        fmt::format(" FROM micropay_stretch CROSS JOIN \"{}\" WHERE \"{}\"=store_number{}",
                    plan.table->sql_name, contract::kStretchColumn, stretches_sql(plan, select.parameters));
  else select.sql += fmt::format(" FROM \"{}\"", plan.table->sql_name);
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
  if (stretches) select.sql += fmt::format("store_first{},", direction);
  if (!plan.by_key) select.sql += quoted(plan, plan.order_column) + direction + ",";
  std::string keys;
  for (size_t column : key_columns(*plan.table))
    if (plan.by_key || column != plan.order_column)
      keys += (keys.empty() ? "" : ",") + quoted(plan, column) + direction;
  select.sql += keys + " LIMIT ? OFFSET ?";
  select.parameters.push_back(integer_value(int64_t(plan.page_size) + 1));
  select.parameters.push_back(integer_value(plan.offset));
  return select;
}

}  // namespace micropay
