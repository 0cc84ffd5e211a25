// Reading rows.
#include "libs/sqlserver/server_rows.h"

#include <algorithm>

#include "libs/base/check.h"
#include "libs/sqlserver/sql_text.h"

namespace micropay {
namespace {

using contract::Table;
using contract::Value;

constexpr size_t kChunkRows = 1'000;

void add_select(SqlSession& session, const ListSelect& select) {
  std::vector<Value> values;
  for (const OwnedValue& parameter : select.parameters) values.push_back(parameter.view());
  session.add(select.sql, values);
}

}  // namespace

Row row_of(const Table& table, const SqlRows& answer, size_t row) {
  const contract::ColumnPlan& plan = contract::column_plan(table);
  std::vector<Value> values;
  for (size_t i = 0; i < plan.columns().size(); ++i) values.push_back(answer.value(row, i));
  std::shared_ptr<google::protobuf::Message> made = table.make();
  plan.read(values, *made);
  return made;
}

Result<Row> read_row(SqlSession& session, const Table& table, const std::string& key) {
  const std::string* keys[] = {&key};
  session.get_rows(table, keys);
  const auto answers = TRY(session.run());
  return answers[0]->rows() == 0 ? Row() : row_of(table, *answers[0], 0);
}

void add_list(SqlSession& session, const ListPlan& plan) {
  add_select(session, list_select(plan, session.server()));
}

Page page_of(const ListPlan& plan, const SqlRows& answer) {
  Page page;
  const size_t rows = std::min<size_t>(answer.rows(), plan.page_size);
  for (size_t i = 0; i < rows; ++i) page.rows.push_back(row_of(*plan.table, answer, i));
  if (answer.rows() > rows && rows > 0)  // one more than asked for: there is a next page
    page.next_page_token =
        page_token(plan, answer.value(rows - 1, plan.order_column), plan.table->key_of(*page.rows.back()));
  return page;
}

void add_changes(SqlSession& session, std::span<const RowChange> changes) {
  std::vector<const RowChange*> all;
  for (const RowChange& change : changes) all.push_back(&change);
  const auto place = [](const RowChange* change) { return std::tie(change->table->id, change->key); };
  std::ranges::stable_sort(all, [&](const RowChange* a, const RowChange* b) { return place(a) < place(b); });
  std::vector<const RowChange*> puts, erasures;
  for (size_t i = 0; i < all.size(); ++i) {
    const bool last_of_row = i + 1 == all.size() || place(all[i]) != place(all[i + 1]);
    if (last_of_row) (all[i]->row ? puts : erasures).push_back(all[i]);
    if (i + 1 < all.size() && all[i]->table == all[i + 1]->table) continue;
    if (!puts.empty()) session.put_rows(*all[i]->table, puts);
    if (!erasures.empty()) session.erase_rows(*all[i]->table, erasures);
    puts.clear();
    erasures.clear();
  }
}

Result<void> begin_reading(SqlSession& session) {
  return session.execute(session.server() == SqlServer::kPostgres
                             ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
                             : "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;"
                               "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY");
}

Result<void> scan_values(SqlSession& session, const Table& table,
                         const std::function<bool(const std::vector<Value>&)>& each) {
  const std::vector<size_t> keys = key_columns(table);
  std::vector<Value> values(contract::column_plan(table).columns().size());
  std::vector<OwnedValue> after;
  while (true) {
    add_select(session, chunk_select(table, after, kChunkRows, session.server()));
    const auto answers = TRY(session.run());
    const SqlRows& chunk = *answers[0];
    for (size_t row = 0; row < chunk.rows(); ++row) {
      for (size_t i = 0; i < values.size(); ++i) values[i] = chunk.value(row, i);
      if (!each(values)) return {};
    }
    if (chunk.rows() < kChunkRows) return {};
    after.clear();
    for (const size_t key : keys) after.push_back(OwnedValue::of(values[key]));
  }
}

Result<void> scan_rows(SqlSession& session, const Table& table, const std::function<bool(const Row&)>& each) {
  TRY(begin_reading(session));
  return scan_values(session, table, [&](const std::vector<Value>& values) {
    std::shared_ptr<google::protobuf::Message> row = table.make();
    contract::column_plan(table).read(values, *row);
    return each(row);
  });
}

}  // namespace micropay
