// Records to columns and back, the SQL of both dialects, and that SQLite takes what we make of the real
// contracts.
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <random>

#include "contracts/payment.pb.h"
#include "libs/base/ids.h"
#include "libs/contract/columns.h"
#include "libs/contract/contract_twin.h"
#include "libs/contract/documents.h"
#include "libs/contract/json.h"

namespace micropay::contract {
namespace {

using google::protobuf::util::MessageDifferencer;

const Model& records() {
  static const Model& model = scratch_model(R"(
    message Part { string sku = 1; repeated int32 sizes = 2; }
    message Row { option (table) = {name: "row", key: ["id"], index: [{fields: ["status", "from"]},
      {fields: ["amount"]}]};
      enum Status { OPEN = 0; SHUT = 1; }
      string id = 1 [(field) = {format: UUID}]; string owner_id = 2 [(field) = {format: UUID}];
      string from = 3;
      Status status = 4; Money amount = 5; Metadata metadata = 6; repeated Part parts = 7;
      repeated string words = 8;
      Part part = 9; bytes data = 10; uint64 big = 11; int64 at = 12 [(field) = {format: TIME}];
      bool flag = 13;
      double real = 14; optional string note = 15; optional int32 count = 16; uint32 small = 17;
      float ratio = 18;
      repeated Money amounts = 19; })");
  return model;
}
const Table& row_table() { return *records().table("test_row"); }

void expect_round_trip(const Table& table, const Message& row) {
  std::vector<Value> values;
  std::vector<std::string> scratch;
  column_plan(table).write(row, values, scratch);
  ASSERT_EQ(values.size(), column_plan(table).columns().size());
  const auto back = table.make();
  column_plan(table).read(values, *back);
  EXPECT_TRUE(MessageDifferencer::Equals(row, *back)) << row.ShortDebugString() << "\n"
                                                      << back->ShortDebugString();
}

TEST(Columns, AreNamedAndTyped) {
  const ColumnPlan& plan = column_plan(row_table());
  EXPECT_EQ(plan.column("id")->type, ColumnType::kUuid);
  EXPECT_EQ(plan.column("from")->type, ColumnType::kText);
  EXPECT_EQ(plan.column("status")->type, ColumnType::kText);
  EXPECT_EQ(plan.column("amount_currency")->type, ColumnType::kText);
  EXPECT_EQ(plan.column("amount_minor")->type, ColumnType::kInteger);
  EXPECT_EQ(plan.column("metadata")->type, ColumnType::kBlob);
  EXPECT_EQ(plan.column("amounts")->type, ColumnType::kBlob);
  EXPECT_EQ(plan.column("amount"), nullptr);
}

TEST(Columns, KeepEveryField) {
  const auto row = row_table().make();
  expect_round_trip(row_table(), *row);
  ASSERT_TRUE(parse_json(R"({"id":"0190c5b2-7e0c-7000-8000-000000000001","from":"a","status":"SHUT",
    "amount":{"currency":"EUR","value":"-12.34"},"metadata":{"b":"2","a":"1"},"parts":[{"sku":"A",
      "sizes":[1,-2]},{}],
    "words":["","x"],"part":{},"data":"AAEC","big":"18446744073709551615","at":"1969-12-31T23:59:59Z",
      "flag":true,
    "real":0.1,"note":"","count":0,"small":4294967295,"ratio":0.3,"amounts":[{"currency":"JPY",
      "value":"5"}]})",
                         *row));
  expect_round_trip(row_table(), *row);
}

TEST(Columns, KeepRandomPayments) {
  std::mt19937_64 random(5);
  IdGenerator ids(9);
  for (int i = 0; i < 500; ++i) {
    Payment payment;
    const auto maybe = [&] { return random() % 2 == 0; };
    payment.set_id(ids.next(Time(i) * kSecond));
    if (maybe()) payment.set_payer_account_id(ids.next(0));
    if (maybe()) payment.set_description(std::string(random() % 40, 'x') + "é");
    if (maybe())
      payment.mutable_amount()->set_currency("EUR"), payment.mutable_amount()->set_minor(int64_t(random()));
    for (unsigned n = random() % 4; n > 0; --n)
      (*payment.mutable_metadata()->mutable_values())[std::to_string(n)] = "v";
    payment.set_status(Payment::Status(random() % 8));
    payment.set_created_at(int64_t(random() >> 12));
    expect_round_trip(*model().table_of<Payment>(), payment);
  }
}

TEST(Columns, EncodeEqualRowsEqually) {  // a map has no order of its own
  Payment forward, backward;
  for (int i = 0; i < 20; ++i) (*forward.mutable_metadata()->mutable_values())[std::to_string(i)] = "v";
  for (int i = 19; i >= 0; --i) (*backward.mutable_metadata()->mutable_values())[std::to_string(i)] = "v";
  const auto blob = [](const Payment& payment) {
    std::vector<Value> values;
    std::vector<std::string> scratch;
    const ColumnPlan& plan = column_plan(*model().table_of<Payment>());
    plan.write(payment, values, scratch);
    return std::string(values[size_t(plan.column("metadata") - plan.columns().data())].bytes);
  };
  EXPECT_FALSE(blob(forward).empty());
  EXPECT_EQ(blob(forward), blob(backward));
}

TEST(Columns, WriteWhatSqlExpects) {
  const auto row = row_table().make();
  ASSERT_TRUE(
      parse_json(R"({"id":"0190c5b2-7e0c-7000-8000-000000000001","status":"SHUT","flag":true})", *row));
  std::vector<Value> values;
  std::vector<std::string> scratch;
  const ColumnPlan& plan = column_plan(row_table());
  plan.write(*row, values, scratch);
  const auto value = [&](std::string_view name) {
    return values[size_t(plan.column(name) - plan.columns().data())];
  };
  EXPECT_EQ(value("id").bytes.size(), 16u);
  EXPECT_EQ(value("status").bytes, "SHUT");
  EXPECT_EQ(value("flag").integer, 1);
  EXPECT_EQ(value("owner_id").kind, Value::Kind::kNull) << "an unset UUID";
  EXPECT_EQ(value("from").kind, Value::Kind::kText) << "an unset string is ''";
  EXPECT_EQ(value("metadata").kind, Value::Kind::kNull);
  EXPECT_EQ(value("note").kind, Value::Kind::kNull);
  ASSERT_TRUE(set_from_text(*row, "ownerId", "nobody"));
  EXPECT_THROW(plan.write(*row, values, scratch), std::invalid_argument);
}

TEST(Columns, ParseFilters) {
  const ColumnPlan& plan = column_plan(row_table());
  std::string scratch;
  const auto parse = [&](std::string_view name, std::string_view text) {
    return plan.parse(*plan.column(name), text, scratch);
  };
  EXPECT_EQ(parse("status", "SHUT")->bytes, "SHUT");
  EXPECT_EQ(parse("at", "1970-01-01T00:00:01Z")->integer, 1'000'000);
  EXPECT_EQ(parse("id", "0190C5B2-7e0c-7000-8000-000000000001")->bytes.size(), 16u);
  EXPECT_EQ(parse("flag", "true")->integer, 1);
  EXPECT_EQ(parse("amount_minor", "-5")->integer, -5);
  EXPECT_EQ(parse("from", "x")->bytes, "x");
  for (const auto& [name, text] : {std::pair{"status", "BROKEN"},
                                   {"at", "now"},
                                   {"id", "1"},
                                   {"flag", "1"},
                                   {"amount_minor", "1.5"},
                                   {"metadata", "x"}})
    EXPECT_EQ(parse(name, text).error().reason, "invalid_format") << name;
}

TEST(Schema, OfAllDialects) {
  EXPECT_EQ(create_table_sql(row_table(), Dialect::kSqlite), R"sql(CREATE TABLE IF NOT EXISTS "test_row" (
  "id" BLOB NOT NULL,
  "owner_id" BLOB,
  "from" TEXT NOT NULL DEFAULT '',
  "status" TEXT NOT NULL DEFAULT 'OPEN',
  "amount_currency" TEXT NOT NULL DEFAULT '',
  "amount_minor" INTEGER NOT NULL DEFAULT 0,
  "metadata" BLOB,
  "parts" BLOB,
  "words" BLOB,
  "part" BLOB,
  "data" BLOB,
  "big" INTEGER NOT NULL DEFAULT 0,
  "at" INTEGER NOT NULL DEFAULT 0,
  "flag" INTEGER NOT NULL DEFAULT 0,
  "real" TEXT NOT NULL DEFAULT '0',
  "note" TEXT,
  "count" INTEGER,
  "small" INTEGER NOT NULL DEFAULT 0,
  "ratio" TEXT NOT NULL DEFAULT '0',
  "amounts" BLOB,
  PRIMARY KEY ("id")
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS "test_row_by_status_from" ON "test_row" ("status", "from", "id");
CREATE INDEX IF NOT EXISTS "test_row_by_amount" ON "test_row" ("amount_currency", "amount_minor", "id");
)sql");
  const std::string postgres = create_table_sql(row_table(), Dialect::kPostgres);
  for (const char* line : {"\"id\" uuid NOT NULL,", "\"big\" bigint NOT NULL DEFAULT 0,", "\"parts\" bytea,",
                           "PRIMARY KEY (\"id\")\n);"})
    EXPECT_NE(postgres.find(line), std::string::npos) << line;
  const std::string mariadb = create_table_sql(row_table(), Dialect::kMariadb);
  for (const char* line :
       {"`id` binary(16) NOT NULL,", "`big` bigint NOT NULL DEFAULT (0),", "`parts` longblob,",
        "`status` varchar(64) NOT NULL", "COLLATE utf8mb4_nopad_bin;\n"})
    EXPECT_NE(mariadb.find(line), std::string::npos) << line << mariadb;
}

TEST(Schema, AnIndexMayLeaveOutWhatNearlyAllRowsAre) {
  const Model& model = scratch_model(R"(
    message Row { option (table) = {name: "row", key: ["id"], index: [{fields: ["status"], except: "SHUT"}]};
      enum Status { OPEN = 0; SHUT = 1; }
      string id = 1 [(field) = {format: UUID}]; Status status = 2; })");
  const Table& table = *model.table("test_row");
  EXPECT_NE(create_table_sql(table, Dialect::kSqlite)
                .find(R"(ON "test_row" ("status", "id") WHERE "status"<>'SHUT';)"),
            std::string::npos);
  EXPECT_EQ(create_table_sql(table, Dialect::kPostgres).find("WHERE"), std::string::npos);
}

TEST(Schema, RowsOfAScatteredTableLieInTheOrderOfTheirComing) {
  const Model& model = scratch_model(R"(
    message Row { option (table) = {name: "row", key: ["id"], scattered: true};
      string id = 1 [(field) = {format: UUID}]; })");
  const Table& table = *model.table("test_row");
  EXPECT_EQ(create_table_sql(table, Dialect::kSqlite), R"sql(CREATE TABLE IF NOT EXISTS "test_row" (
  "store_place" INTEGER PRIMARY KEY,
  "id" BLOB NOT NULL
);
)sql");
  EXPECT_NE(create_table_sql(table, Dialect::kPostgres).find("PRIMARY KEY (\"id\")"), std::string::npos);
}

TEST(Schema, AddsWhatIsMissing) {
  const Table& table = row_table();
  std::vector<std::string> present;
  for (const Column& column : column_plan(table).columns()) present.push_back(column.name);
  EXPECT_TRUE(additive_sql(table, present, Dialect::kSqlite).empty());
  std::erase(present, "from");
  const auto added = additive_sql(table, present, Dialect::kSqlite);
  ASSERT_EQ(added.size(), 2u);
  EXPECT_EQ(added[0], R"(ALTER TABLE "test_row" ADD COLUMN "from" TEXT NOT NULL DEFAULT '';)");
  EXPECT_EQ(added[1], R"(CREATE INDEX IF NOT EXISTS "test_row_by_status_from" ON "test_row" )"
                      R"(("status", "from", "id");)");
}

}  // namespace
}  // namespace micropay::contract
