// Lists: table, filter field, comparison and value, order and page token, a line each, then a row. A query
// that can be planned gives, for that row, a token from which the same query goes on behind it.
#include "fuzz/messages.h"
#include "fuzz/target.h"
#include "libs/base/check.h"
#include "libs/store/list_query.h"

namespace micropay::fuzz {
namespace {

ListQuery query_of(std::string_view& bytes) {
  const std::string_view table = take_line(bytes), field = take_line(bytes), value = take_line(bytes);
  ListQuery query;
  query.table = choose(contract::model().tables(), table, [](const auto& each) { return each.sql_name; });
  if (!field.empty()) {
    Filter filter{.field = std::string(field), .value = std::string(value.substr(!value.empty()))};
    filter.op = value.starts_with('>')   ? Filter::Op::kGreaterEqual
                : value.starts_with('<') ? Filter::Op::kLess
                : value.starts_with(',') ? Filter::Op::kIn
                                         : Filter::Op::kEqual;
    if (filter.op == Filter::Op::kIn) filter.any_of = {filter.value, "1", ""};
    query.filters.push_back(std::move(filter));
  }
  query.order_by = take_line(bytes);
  query.page_token = take_line(bytes);
  return query;
}

void run(std::string_view bytes) {
  ListQuery query = query_of(bytes);
  auto plan = plan_list(query);
  if (!plan && plan.error().reason == "invalid_page_token") {
    query.page_token.clear();
    plan = plan_list(query);
    CHECK(plan.has_value());
  }
  if (!plan) {
    CHECK(plan.error().code == Code::kInvalidArgument);
    return;
  }
  const std::unique_ptr<contract::Message> row = query.table->make();
  if (!row->ParseFromArray(bytes.data(), int(bytes.size()))) return;
  std::string key;
  try {
    key = query.table->key_of(*row);
  } catch (const std::invalid_argument&) {
    return;  // a row without a key is in no table
  }
  std::vector<contract::Value> values;
  std::vector<std::string> scratch;
  column_values(*plan->columns, *row, values, scratch);
  (void)matches(*plan, values);
  const contract::Value& order = values[plan->order_column];
  CHECK(compare_values(order, order) == 0);
  query.page_token = page_token(*plan, order, key);
  auto next = plan_list(query);
  CHECK(next && next->after && next->after->key == key);
  CHECK(compare_values(next->after->order.view(), order) == 0);
}

const Register kRegistered("list", run);

}  // namespace
}  // namespace micropay::fuzz
