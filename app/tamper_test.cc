// A byte that is changed anywhere in a data folder is found, and its place is named. Here the tables: every
// column of each, rows that are missing, added or exchanged, the file cut short. Driven by the contract
// model, so that a table which comes later is covered by itself. The audit trail: tamper_audit_test.cc, the
// log: tamper_log_test.cc.
#include "app/tamper_twin.h"
#include "contracts/audit.pb.h"

namespace micropay::app {
namespace {

using contract::Column;
using contract::ColumnType;
using contract::Table;
namespace fs = std::filesystem;

constexpr int64_t kStep = 1'000'000;

// Another value of the column's kind, which no other row has: a higher number, a bit flipped in the middle of
// bytes.
OwnedValue changed(OwnedValue value, ColumnType type) {
  using Kind = contract::Value::Kind;
  if (value.kind == Kind::kInteger) return value.integer += kStep, value;
  if (value.kind == Kind::kNull) {
    const bool text = type == ColumnType::kText;
    return {type == ColumnType::kInteger ? Kind::kInteger
            : text                       ? Kind::kText
                                         : Kind::kBlob,
            1, text ? "x" : "\1"};
  }
  if (value.bytes.empty()) return value.bytes = "x", value;
  value.bytes[value.bytes.size() / 2] = char(value.bytes[value.bytes.size() / 2] ^ 1);
  return value;
}

bool is_key(const Table& table, size_t column) {
  const auto places = key_columns(table);
  return std::ranges::find(places, column) != places.end();
}

bool same_but_for_the_key(const Table& table, const Stored& one, const Stored& other) {
  for (size_t i = 0; i < one.values.size(); ++i)
    if (!is_key(table, i) && compare_values(one.values[i].view(), other.values[i].view()) != 0) return false;
  return true;
}

TEST_F(TamperTest, TheUntouchedFolderDiffersNowhereAndEveryTableHasARow) {
  const VerifyReport report = verify();
  EXPECT_TRUE(check(report, "log is whole").ok) << report.text();
  EXPECT_TRUE(check(report, "tables equal the log").ok) << report.text();
  EXPECT_TRUE(check(report, "the audit chain is unbroken").ok);
  Tables tables(folder_);
  for (const Table* table : contract::model().tables())
    EXPECT_FALSE(tables.rows(*table, 1).empty())
        << table->sql_name << " has no row to change: let the demo make one";
}

// One column of every table at a time: as many verifications as the widest table has columns.
TEST_F(TamperTest, EveryColumnOfEveryTableIsFoundByTableKeyAndName) {
  size_t most = 0;
  for (const Table* table : contract::model().tables()) most = std::max(most, Tables::columns(*table).size());
  for (size_t place = 0; place < most; ++place) {
    start_over();
    std::vector<const Table*> touched;
    {
      Tables tables(folder_);
      for (const Table* table : contract::model().tables()) {
        if (place >= Tables::columns(*table).size()) continue;
        Stored row = tables.rows(*table, 1).at(0);
        tables.erase(*table, row);
        row.values[place] = changed(row.values[place], Tables::columns(*table)[place].type);
        tables.insert(*table, row);
        touched.push_back(table);
      }
    }
    const VerifyReport report = verify();
    EXPECT_EQ(check(report, "tables equal the log").tables.size(), touched.size());
    for (const Table* table : touched) {
      const Column& column = Tables::columns(*table)[place];
      const TableComparison* found = differs(report, *table);
      ASSERT_NE(found, nullptr) << table->sql_name << "." << column.name;
      EXPECT_EQ(found->differences, is_key(*table, place) ? 2u : 1u) << table->sql_name << "." << column.name;
      const bool named = !is_key(*table, place) && table->descriptor != AuditBlock::descriptor();
      if (named) {
        EXPECT_EQ(found->first.at(0).fields.substr(0, column.name.size()), column.name) << table->sql_name;
      }
      EXPECT_FALSE(found->first.at(0).key.empty()) << table->sql_name;
      if (!table->projection && !is_key(*table, place)) {
        EXPECT_GT(found->first.at(0).tick, 0u) << table->sql_name;
      }
    }
  }
}

TEST_F(TamperTest, MissingAddedAndExchangedRowsAreFound) {
  enum class How { kMissing, kAdded, kExchanged };
  for (const How how : {How::kMissing, How::kAdded, How::kExchanged}) {
    start_over();
    std::vector<const Table*> touched;
    {
      Tables tables(folder_);
      for (const Table* table : contract::model().tables()) {
        auto rows = tables.rows(*table, 2);
        if (how == How::kExchanged &&
            (rows.size() < 2 || key_columns(*table).size() == rows[0].values.size()))
          continue;
        if (how == How::kExchanged && same_but_for_the_key(*table, rows[0], rows[1])) continue;
        touched.push_back(table);
        const Stored first = rows.at(0);
        if (how != How::kAdded) tables.erase(*table, first);
        if (how == How::kAdded) {
          const size_t place = key_columns(*table).back();
          rows[0].values[place] = changed(rows[0].values[place], Tables::columns(*table)[place].type);
          tables.insert(*table, rows[0]);
        } else if (how == How::kExchanged) {
          tables.erase(*table, rows[1]);
          for (const size_t place : key_columns(*table))
            std::swap(rows[0].values[place], rows[1].values[place]);
          tables.insert(*table, rows[0]);
          tables.insert(*table, rows[1]);
        }
      }
    }
    const VerifyReport report = verify();
    for (const Table* table : touched) {
      const TableComparison* found = differs(report, *table);
      ASSERT_NE(found, nullptr) << table->sql_name << " " << int(how);
      EXPECT_EQ(found->differences, how == How::kExchanged ? 2u : 1u) << table->sql_name;
      using Kind = RowDifference::Kind;
      const Kind kind = how == How::kMissing ? Kind::kMissing
                        : how == How::kAdded ? Kind::kExtra
                                             : Kind::kChanged;
      EXPECT_EQ(found->first.at(0).kind, kind) << table->sql_name;
      EXPECT_FALSE(found->first.at(0).key.empty()) << table->sql_name;
    }
  }
}

TEST_F(TamperTest, TablesCutShortAreRefusedOrFound) {
  const std::string file = folder_ + "/state.db";
  const auto size = fs::file_size(file);
  for (const auto left : {size - 4096, size / 2, size_t(5000), size_t(100)}) {
    fs::copy_file(original() + "/state.db", file, fs::copy_options::overwrite_existing);
    fs::resize_file(file, left);
    EXPECT_FALSE(verify().ok()) << left;
  }
}

}  // namespace
}  // namespace micropay::app
