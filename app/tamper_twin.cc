#include "app/tamper_twin.h"

#include "app/demo.h"
#include "app/instance.h"
#include "libs/base/ids.h"
#include "libs/contract/documents.h"

namespace micropay::app {

using contract::Column;
using contract::Table;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
namespace fs = std::filesystem;

namespace {

// ---- a row with every field set ----

void fill(Message& message, uint64_t seed, int depth = 0);

void fill_field(Message& message, const FieldDescriptor& field, uint64_t seed, int depth) {
  const auto& reflection = *message.GetReflection();
  const std::string text = contract::options_of(field).format() == UUID
                               ? derived_uuid(fmt::format("{} {}", field.full_name(), seed))
                               : fmt::format("{}{}", field.name(), seed);
  const auto number = int32_t(1 + seed);
  if (field.is_map()) return;
  if (field.is_repeated()) {
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) reflection.AddString(&message, &field, text);
    else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && depth < 2)
      fill(*reflection.AddMessage(&message, &field), seed, depth + 1);
    return;
  }
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: return reflection.SetString(&message, &field, text);
    case FieldDescriptor::CPPTYPE_INT32: return reflection.SetInt32(&message, &field, number);
    case FieldDescriptor::CPPTYPE_INT64: return reflection.SetInt64(&message, &field, number);
    case FieldDescriptor::CPPTYPE_UINT32: return reflection.SetUInt32(&message, &field, uint32_t(number));
    case FieldDescriptor::CPPTYPE_UINT64: return reflection.SetUInt64(&message, &field, uint64_t(number));
    case FieldDescriptor::CPPTYPE_BOOL: return reflection.SetBool(&message, &field, true);
    case FieldDescriptor::CPPTYPE_DOUBLE: return reflection.SetDouble(&message, &field, number + 0.5);
    case FieldDescriptor::CPPTYPE_FLOAT: return reflection.SetFloat(&message, &field, float(number) + 0.5f);
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection.SetEnumValue(&message, &field, field.enum_type()->value(0)->number());
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (depth < 2) fill(*reflection.MutableMessage(&message, &field), seed, depth + 1);
  }
}

void fill(Message& message, uint64_t seed, int depth) {
  if (depth > 0 && contract::is_metadata(*message.GetDescriptor()->field(0))) return;
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    if (field.real_containing_oneof() == nullptr) fill_field(message, field, seed, depth);
  }
}

// Two rows more in every table that services write, with every field set.
void add_rows(const std::string& folder) {
  const auto projector = all_projections();
  auto store = EmbeddedStore::open({.folder = folder}, contract::model(), projector.get()).value();
  Tick tick{.number = store->end().tick + 1, .first_position = store->end().next_position, .time = 1};
  for (const Table* table : contract::model().tables()) {
    for (uint64_t seed = 0; seed < 2 && !table->projection; ++seed) {
      std::shared_ptr<Message> row = table->make();
      fill(*row, seed);
      tick.changes.push_back({.table = table, .key = table->key_of(*row), .row = row});
    }
  }
  ASSERT_TRUE(store->commit(std::move(tick)));
  ASSERT_TRUE(store->catch_up());
}

std::string keys(const Table& table) {
  std::string list;
  for (const size_t place : key_columns(table))
    list += fmt::format("{}\"{}\"", list.empty() ? "" : ",", Tables::columns(table)[place].name);
  return list;
}

// All of the contract; a store may have columns of its own beside them.
std::string names(const Table& table) {
  std::string list;
  for (const Column& column : Tables::columns(table))
    list += fmt::format("{}\"{}\"", list.empty() ? "" : ",", column.name);
  return list;
}

}  // namespace

// ---- rows through SQL ----

Tables::Tables(const std::string& folder)
    : sql_(SqlConnection::open(folder + "/state.db", SqlConnection::Mode::kWrite).value()) {}

Tables::~Tables() { sql_->checkpoint(true); }

const std::vector<Column>& Tables::columns(const Table& table) {
  return contract::column_plan(table).columns();
}

std::vector<Stored> Tables::rows(const Table& table, size_t limit) {
  auto statement = sql_->prepare(fmt::format("SELECT {} FROM \"{}\" ORDER BY {} LIMIT {}", names(table),
                                             table.sql_name, keys(table), limit),
                                 "")
                       .value();
  std::vector<Stored> found;
  while (statement->step().value()) {
    Stored& row = found.emplace_back();
    for (size_t i = 0; i < columns(table).size(); ++i)
      row.values.push_back(OwnedValue::of(statement->value(int(i))));
  }
  return found;
}

void Tables::erase(const Table& table, const Stored& row) {
  std::string where;
  for (const size_t place : key_columns(table))
    where += fmt::format("{}\"{}\"=?", where.empty() ? "" : " AND ", columns(table)[place].name);
  auto statement =
      sql_->prepare(fmt::format("DELETE FROM \"{}\" WHERE {}", table.sql_name, where), "").value();
  int at = 0;
  for (const size_t place : key_columns(table)) statement->bind(++at, row.values[place].view());
  EXPECT_TRUE(statement->run());
}

void Tables::insert(const Table& table, const Stored& row) {
  std::string marks, columns = names(table);
  for (size_t i = 0; i < row.values.size(); ++i) marks += i == 0 ? "?" : ",?";
  // So few rows are all in the first stretch.
  if (table.arrival != nullptr) columns += fmt::format(",\"{}\"", contract::kStretchColumn), marks += ",0";
  auto statement =
      sql_->prepare(fmt::format("INSERT INTO \"{}\" ({}) VALUES({})", table.sql_name, columns, marks), "")
          .value();
  for (size_t i = 0; i < row.values.size(); ++i) statement->bind(int(i) + 1, row.values[i].view());
  const auto done = statement->run();
  EXPECT_TRUE(done) << table.sql_name << ": " << done.error().detail;
}

// ---- folders ----

void TamperTest::SetUpTestSuite() {
  scratch_ = new ScratchFolder(ScratchFolder::make().value());
  const std::string first = scratch_->path() + "/first";
  Settings settings;
  auto instance = Instance::make(settings, {.data = first}).value();
  ASSERT_TRUE(instance->open());
  instance->engine().start();
  ASSERT_TRUE(seed_demo(instance->engine()));
  instance->engine().drain(10 * kSecond);
  instance.reset();
  write_again(first, original(), [](Tick&) {});
  ASSERT_TRUE(copy_side_files(first, original()));
  add_rows(original());
}

void TamperTest::SetUp() {
  folder_ = scratch_->path() + "/" + testing::UnitTest::GetInstance()->current_test_info()->name();
  start_over();
}

void TamperTest::start_over() {
  fs::remove_all(folder_);
  ASSERT_TRUE(copy_data_folder(original(), folder_));
}

void TamperTest::write_again(const std::string& from, const std::string& to,
                             const std::function<void(Tick&)>& change) {
  fs::create_directories(to);
  const auto projector = all_projections();
  auto store =
      EmbeddedStore::open({.folder = to, .segment_bytes = 96 << 10}, contract::model(), projector.get())
          .value();
  ASSERT_TRUE(read_log(from, 1, [&](const TickRecord& record) {
    Tick tick;
    EXPECT_TRUE(to_tick(record, contract::model(), tick));
    change(tick);
    EXPECT_TRUE(store->commit(std::move(tick)));
    return true;
  }));
  ASSERT_TRUE(store->catch_up());
}

VerifyReport TamperTest::verify(std::optional<AuditHead> head) {
  Progress progress("Verifying");
  auto report = verify_folder({.data = folder_, .known_head = std::move(head)}, progress);
  EXPECT_TRUE(report) << report.error().reason << ": " << report.error().detail;
  return report ? std::move(*report) : VerifyReport{};
}

const Check& TamperTest::check(const VerifyReport& report, std::string_view name) {
  static const Check kNone{.name = "no such check", .ok = false};
  const auto at = std::ranges::find(report.checks, name, &Check::name);
  return at == report.checks.end() ? kNone : *at;
}

const TableComparison* TamperTest::differs(const VerifyReport& report, const Table& table) {
  const auto& tables = check(report, "tables equal the log").tables;
  const auto at = std::ranges::find(tables, &table, &TableComparison::table);
  return at == tables.end() ? nullptr : &*at;
}

}  // namespace micropay::app
