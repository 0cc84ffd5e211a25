// Tables with `arrival` in SQLite: a column says the stretch of each row and leads their indexes, or, of a
// stretched table, the primary key. micropay_stretch has where the stretches begin; lists walk through it
// (list_sql.cc).
#include "libs/contract/documents.h"
#include "libs/store/sql_tables.h"

namespace micropay {
namespace {

using contract::Table;
using contract::Value;

constexpr char kFirsts[] =
    "SELECT store_first FROM micropay_stretch WHERE store_table=? ORDER BY store_first";
constexpr char kBegin[] =
    "INSERT INTO micropay_stretch(store_table, store_first, store_number) VALUES(?,?,?)";

size_t arrival_column(const Table& table) {
  const auto& columns = contract::column_plan(table).columns();
  const auto at = std::ranges::find(columns, table.arrival, &contract::Column::field);
  return size_t(at - columns.begin());
}

}  // namespace

int64_t Stretches::of(const Value& value) const {
  const auto after = std::ranges::upper_bound(
      firsts_, value, [](const Value& a, const Value& b) { return compare_values(a, b) < 0; },
      &OwnedValue::view);
  return std::max<int64_t>(0, after - firsts_.begin() - 1);
}

// Not before the newest one either, whose rows may all have been erased.
bool Stretches::begins_with(const Value& value) const {
  return rows_ >= kRows && compare_values(value, greatest_.view()) > 0 &&
         compare_values(value, firsts_.back().view()) > 0;
}

void Stretches::wrote(const Value& value) {
  ++rows_;
  if (compare_values(value, greatest_.view()) > 0) greatest_ = OwnedValue::of(value);
}

// To SQLite an integer comes before every text and blob, and this one before every integer.
Result<void> SqlTables::begin_stretches(const Table& table) {
  if (table.arrival == nullptr) return {};
  return connection_->exec(
      fmt::format("DELETE FROM micropay_stretch WHERE store_table='{0}';"
                  "INSERT INTO micropay_stretch(store_table, store_first, store_number) VALUES('{0}',{1},0)",
                  table.sql_name, INT64_MIN));
}

Result<std::unique_ptr<Stretches>> SqlTables::read_stretches(const Table& table) {
  auto stretches = std::make_unique<Stretches>();
  SqlStatement* firsts = TRY(own_statement(kFirsts));
  firsts->bind(1, std::string_view(table.sql_name));
  while (TRY(firsts->step())) stretches->add(OwnedValue::of(firsts->value(0)));
  firsts->reset();
  if (stretches->count() == 0) return damaged("the stretches of " + table.sql_name + " are not known");
  return stretches;
}

// Those of the writer, with what the newest one holds.
Result<Stretches*> SqlTables::stretches_of(const Table& table) {
  std::unique_ptr<Stretches>& kept = of(table).stretches;
  if (kept) return kept.get();
  auto stretches = TRY(read_stretches(table));
  const size_t column = arrival_column(table);
  auto newest =
      TRY(connection_->prepare(fmt::format("SELECT count(*),max(\"{}\") FROM \"{}\" WHERE \"{}\"={}",
                                           contract::column_plan(table).columns()[column].name,
                                           table.sql_name, contract::kStretchColumn, stretches->count() - 1),
                               table.service->name));
  TRY(newest->step());
  stretches->set_newest(uint64_t(newest->value(0).integer), OwnedValue::of(newest->value(1)));
  kept = std::move(stretches);
  return kept.get();
}

// Of the row with these values, which is about to be written.
Result<int64_t> SqlTables::stretch_for(const Table& table, const std::vector<Value>& values) {
  Stretches& stretches = *TRY(stretches_of(table));
  const Value& value = values[arrival_column(table)];
  if (stretches.begins_with(value)) {
    SqlStatement* begin = TRY(own_statement(kBegin));
    begin->bind(1, std::string_view(table.sql_name));
    begin->bind(2, value);
    begin->bind(3, int64_t(stretches.count()));
    TRY(begin->run());
    stretches.add(OwnedValue::of(value));
    stretches.set_newest(0, OwnedValue::of(value));
  }
  stretches.wrote(value);
  return stretches.of(value);
}

Result<void> SqlTables::check_stretch(const Table& table, std::unique_ptr<Stretches>& stretches,
                                      const std::vector<Value>& values, int64_t stretch) {
  // Read when there is a row: what that row's statement reads is of the same moment.
  if (!stretches) stretches = TRY(read_stretches(table));
  if (stretches->of(values[arrival_column(table)]) != stretch)
    return damaged(fmt::format("a row of {} is not in its stretch", table.sql_name));
  return {};
}

}  // namespace micropay
