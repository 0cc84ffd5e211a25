// A byte that is changed anywhere in a data folder is found, and its place is named. Driven by the contract
// model, so that a table which comes later is covered by itself: every column of every table, rows that are
// missing, added or exchanged; every part of a log record in every segment; every part of an audit block;
// files cut short.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "app/data_folder.h"
#include "app/demo.h"
#include "app/instance.h"
#include "app/verify.h"
#include "contracts/audit.pb.h"
#include "libs/base/ids.h"
#include "libs/store/list_query.h"
#include "libs/store/log_record.h"
#include "libs/store/sqlite.h"
#include "services/audit/rules.h"

namespace micropay::app {
namespace {

using contract::Column;
using contract::ColumnType;
using contract::Table;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
namespace fs = std::filesystem;

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

// ---- rows through SQL ----

constexpr int64_t kStep = 1'000'000;

struct Stored {
  std::vector<OwnedValue> values;
};

class Tables {
 public:
  explicit Tables(const std::string& folder)
      : sql_(SqlConnection::open(folder + "/state.db", SqlConnection::Mode::kWrite).value()) {}
  ~Tables() { sql_->checkpoint(true); }

  std::vector<Stored> rows(const Table& table, size_t limit) {
    auto statement = sql_->prepare(fmt::format("SELECT * FROM \"{}\" ORDER BY {} LIMIT {}", table.sql_name,
                                               keys(table), limit),
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
  void erase(const Table& table, const Stored& row) {
    std::string where;
    for (const size_t place : key_columns(table))
      where += fmt::format("{}\"{}\"=?", where.empty() ? "" : " AND ", columns(table)[place].name);
    auto statement =
        sql_->prepare(fmt::format("DELETE FROM \"{}\" WHERE {}", table.sql_name, where), "").value();
    int at = 0;
    for (const size_t place : key_columns(table)) statement->bind(++at, row.values[place].view());
    EXPECT_TRUE(statement->run());
  }
  void insert(const Table& table, const Stored& row) {
    std::string marks;
    for (size_t i = 0; i < row.values.size(); ++i) marks += i == 0 ? "?" : ",?";
    auto statement =
        sql_->prepare(fmt::format("INSERT INTO \"{}\" VALUES({})", table.sql_name, marks), "").value();
    for (size_t i = 0; i < row.values.size(); ++i) statement->bind(int(i) + 1, row.values[i].view());
    const auto done = statement->run();
    EXPECT_TRUE(done) << table.sql_name << ": " << done.error().detail;
  }
  static const std::vector<Column>& columns(const Table& table) {
    return contract::column_plan(table).columns();
  }

 private:
  static std::string keys(const Table& table) {
    std::string list;
    for (const size_t place : key_columns(table))
      list += fmt::format("{}\"{}\"", list.empty() ? "" : ",", columns(table)[place].name);
    return list;
  }
  std::unique_ptr<SqlConnection> sql_;
};

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

// ---- folders ----

class TamperTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
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
  static void TearDownTestSuite() { delete scratch_; }
  static std::string original() { return scratch_->path() + "/original"; }

  void SetUp() override {
    folder_ = scratch_->path() + "/" + testing::UnitTest::GetInstance()->current_test_info()->name();
    start_over();
  }
  void start_over() {
    fs::remove_all(folder_);
    ASSERT_TRUE(copy_data_folder(original(), folder_));
  }

  // The same ticks in a log of small segments, each changed first; tables and projections follow from it.
  static void write_again(const std::string& from, const std::string& to,
                          const std::function<void(Tick&)>& change) {
    fs::create_directories(to);
    const auto projector = all_projections();
    auto store =
        EmbeddedStore::open({.folder = to, .segment_bytes = 96 << 10}, contract::model(), projector.get())
            .value();
    ASSERT_TRUE(read_log(from, 1, [&](const TickRecord& record) {
      Tick tick;
      EXPECT_TRUE(to_tick(TickRecord(record), contract::model(), tick));
      change(tick);
      EXPECT_TRUE(store->commit(std::move(tick)));
      return true;
    }));
    ASSERT_TRUE(store->catch_up());
  }

  // Two rows more in every table that services write, with every field set.
  static void add_rows(const std::string& folder) {
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

  VerifyReport verify(std::optional<AuditHead> head = {}) {
    Progress progress("Verifying");
    auto report = verify_folder({.data = folder_, .known_head = std::move(head)}, progress);
    EXPECT_TRUE(report) << report.error().reason << ": " << report.error().detail;
    return report ? std::move(*report) : VerifyReport{};
  }
  static const Check& check(const VerifyReport& report, std::string_view name) {
    static const Check kNone{.name = "no such check", .ok = false};
    const auto at = std::ranges::find(report.checks, name, &Check::name);
    return at == report.checks.end() ? kNone : *at;
  }
  const TableComparison* differs(const VerifyReport& report, const Table& table) {
    const auto& tables = check(report, "tables equal the log").tables;
    const auto at = std::ranges::find(tables, &table, &TableComparison::table);
    return at == tables.end() ? nullptr : &*at;
  }

  static inline ScratchFolder* scratch_ = nullptr;
  std::string folder_;
};

// ---- tables ----

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

// ---- the audit trail ----

TEST_F(TamperTest, EveryMarkOfAnAuditBlockIsFoundAndTheEntryNamed) {
  const Table& blocks = *contract::model().table_of<AuditBlock>();
  const size_t place = size_t(std::ranges::find(Tables::columns(blocks), "marks", &Column::name) -
                              Tables::columns(blocks).begin());
  const Stored good = Tables(folder_).rows(blocks, 1).at(0);
  for (size_t at = 0; at < good.values[place].bytes.size(); at += 7) {
    {
      Tables tables(folder_);
      Stored bad = good;
      bad.values[place].bytes[at] = char(bad.values[place].bytes[at] ^ 4);
      tables.erase(blocks, good);
      tables.insert(blocks, bad);
    }
    const VerifyReport report = verify();
    EXPECT_NE(differs(report, blocks), nullptr) << at;
    EXPECT_THAT(check(report, "the audit chain is unbroken").problem,
                testing::StartsWith(fmt::format("entry {}:", at / audit::kMarkBytes + 1)))
        << at;
  }
}

// Whoever rewrites the log, checksums and all, does not rewrite the chain.
TEST_F(TamperTest, AnEventRewrittenInTheLogIsFoundByTheChainAndNamed) {
  const std::string rewritten = scratch_->path() + "/rewritten";
  uint64_t position = 0;
  write_again(folder_, rewritten, [&](Tick& tick) {
    if (tick.number != 5 || tick.events.empty()) return;
    auto event = std::make_shared<EventRecord>(*tick.events.back());
    event->envelope.set_actor("somebody else");
    position = event->envelope.position();
    tick.events.back() = event;
  });
  ASSERT_NE(position, 0u);
  fs::remove_all(folder_ + "/log");
  fs::copy(rewritten + "/log", folder_ + "/log");
  const VerifyReport report = verify();
  EXPECT_TRUE(check(report, "log is whole").ok);
  EXPECT_THAT(check(report, "the audit chain is unbroken").problem,
              testing::StartsWith(fmt::format("entry {}:", position)));
}

// Whoever rewrites log and tables consistently leaves a folder in order, but not the head that somebody
// noted.
TEST_F(TamperTest, AHistoryThatWasRewrittenAsAWholeIsFoundByANotedHead) {
  const VerifyReport before = verify();
  ASSERT_TRUE(check(before, "log is whole").ok);
  const auto head = parse_audit_head(audit_head_text(before.head));
  ASSERT_TRUE(head);
  EXPECT_TRUE(check(verify(head), "the noted audit head is part of the chain").ok);

  fs::remove_all(folder_);
  write_again(original(), folder_, [](Tick& tick) {
    if (tick.number != 3 || tick.events.empty()) return;
    auto event = std::make_shared<EventRecord>(*tick.events[0]);
    event->envelope.set_actor("somebody else");
    tick.events[0] = event;
  });
  const VerifyReport after = verify();
  EXPECT_TRUE(check(after, "the audit chain is unbroken").ok);
  EXPECT_TRUE(check(after, "tables equal the log").ok);
  EXPECT_NE(after.head.hash, before.head.hash);
  EXPECT_FALSE(check(verify(head), "the noted audit head is part of the chain").ok);
}

TEST(AuditHead, IsReadAsItIsPrinted) {
  const AuditHead head{.sequence = 12, .hash = std::string(31, '\xab') + '\1'};
  EXPECT_THAT(audit_head_text(head), testing::MatchesRegex("12:(ab)+01"));
  EXPECT_EQ(parse_audit_head(audit_head_text(head))->hash, head.hash);
  for (const char* bad : {"", "12", "12:", "12:abcd", ":00", "0:00"})
    EXPECT_FALSE(parse_audit_head(bad)) << bad;
}

// ---- the log ----

struct Record {
  uint64_t offset = 0;
  RecordHeader header;
};

std::vector<Record> records_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  std::vector<Record> found;
  for (Record record; record.offset + kHeaderBytes <= bytes.size();
       record.offset += record.header.record_bytes()) {
    if (read_header(bytes.data() + record.offset, record.header) != HeaderState::kValid) break;
    found.push_back(record);
  }
  return found;
}

void flip(const std::string& path, uint64_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(std::streamoff(at));
  const char byte = char(file.get());
  file.seekp(std::streamoff(at));
  file.put(char(byte ^ 1));
}

std::vector<std::string> segments(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder + "/log"))
    if (!records_of(entry.path()).empty()) names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

TEST_F(TamperTest, EveryPartOfARecordInEverySegmentIsFoundAndItsSegmentNamed) {
  const auto names = segments(folder_);
  ASSERT_GE(names.size(), 3u);
  for (const std::string& name : names) {
    const std::string file = folder_ + "/log/" + name;
    const auto records = records_of(file);
    for (const size_t which : {size_t(0), records.size() / 2, records.size() - 1}) {
      const Record& record = records[which];
      const uint64_t payload = record.offset + kHeaderBytes, padding = payload + record.header.stored_bytes,
                     end = record.offset + record.header.record_bytes();
      std::vector<uint64_t> places;
      for (const uint64_t field : {0, 4, 6, 8, 12, 16, 24, 32, 40, 44, 48, 56})
        places.push_back(record.offset + field);
      for (const uint64_t place : {payload, (payload + padding) / 2, padding - 1}) places.push_back(place);
      if (padding < end) places.push_back(padding), places.push_back(end - 1);
      for (const uint64_t at : places) {
        flip(file, at);
        const VerifyReport report = verify();
        flip(file, at);
        const Check& log = check(report, "log is whole");
        EXPECT_FALSE(log.ok) << name << " byte " << at << " of record at " << record.offset;
        EXPECT_THAT(log.problem, testing::HasSubstr("log/" + name)) << at - record.offset;
      }
    }
  }
  EXPECT_TRUE(check(verify(), "log is whole").ok);
}

TEST_F(TamperTest, SegmentsCutShortOrGoneAreFound) {
  for (const std::string& name : segments(folder_)) {
    const std::string file = folder_ + "/log/" + name, kept = scratch_->path() + "/kept";
    fs::copy_file(file, kept, fs::copy_options::overwrite_existing);
    const Record last = records_of(file).back();
    for (const uint64_t left : {last.offset, last.offset + 100, uint64_t(0)}) {
      fs::resize_file(file, left);
      EXPECT_FALSE(check(verify(), "log is whole").ok) << name << " " << left;
    }
    fs::remove(file);
    EXPECT_FALSE(check(verify(), "log is whole").ok) << name;
    fs::copy_file(kept, file, fs::copy_options::overwrite_existing);
  }
  EXPECT_TRUE(check(verify(), "log is whole").ok);
}

}  // namespace
}  // namespace micropay::app
