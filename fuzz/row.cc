// Rows as SQL columns and as keys: a table a line, then the row's bytes. Written to columns, read back and
// written again, the columns are the same; a key's parts give the same key.
#include "fuzz/messages.h"
#include "fuzz/target.h"
#include "libs/base/check.h"
#include "libs/store/list_query.h"

namespace micropay::fuzz {
namespace {

void check_key(const contract::Table& table, std::string_view key) {
  auto parts = table.decode_key(key);
  (void)key_values(table, key);
  if (!parts) return;
  const std::vector<std::string_view> views(parts->begin(), parts->end());
  auto again = table.encode_key(views);
  CHECK(again && *again == key);
}

void check_columns(const contract::Table& table, const contract::Message& row) {
  const contract::ColumnPlan& plan = contract::column_plan(table);
  std::vector<contract::Value> values, later;
  std::vector<std::string> scratch, later_scratch;
  column_values(plan, row, values, scratch);
  const std::unique_ptr<contract::Message> again = table.make();
  plan.read(values, *again);
  column_values(plan, *again, later, later_scratch);
  CHECK(values.size() == plan.columns().size() && later.size() == values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    // An amount without a currency is none.
    bool minor = plan.columns()[i].part == contract::Column::Part::kMinor;
    if (minor && values[i - 1].bytes.empty()) continue;
    CHECK(compare_values(values[i], later[i]) == 0);
  }
}

void run(std::string_view bytes) {
  const std::string_view line = take_line(bytes);
  const contract::Table& table =
      *choose(contract::model().tables(), line, [](const auto& each) { return each.sql_name; });
  check_key(table, bytes);
  const std::unique_ptr<contract::Message> row = table.make();
  if (!row->ParseFromArray(bytes.data(), int(bytes.size()))) return;
  check_columns(table, *row);
  try {
    check_key(table, table.key_of(*row));
  } catch (const std::invalid_argument&) {  // no usable key: the handler's mistake, which it is told
  }
}

const Register kRegistered("row", run);

}  // namespace
}  // namespace micropay::fuzz
