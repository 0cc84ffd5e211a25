// The applier, SQLite connections and their authorizer, and changes of the schema.
#include "libs/store/applier.h"

#include <google/protobuf/dynamic_message.h>
#include <gtest/gtest.h>

#include "contracts/audit.pb.h"
#include "contracts/payment.pb.h"
#include "libs/store/store_twin.h"

namespace micropay {
namespace {

using test::letter;
using test::letter_key;
using test::put;

std::unique_ptr<SqlTables> open_tables(const test::ScratchFolder& folder,
                                       const contract::Model& model = contract::model()) {
  auto tables = SqlTables::open(folder.at("state.db"), SqlConnection::Mode::kWrite);
  EXPECT_TRUE(tables);
  auto made = (*tables)->prepare_schema(model);
  EXPECT_TRUE(made) << made.error().detail;
  EXPECT_TRUE((*tables)->load_places(model));
  return std::move(*tables);
}

struct TestApplier {
  test::ScratchFolder folder;
  RowCache cache{1'000, contract::model().tables().size()};
  test::CountingProjector projector;
  test::TickMaker ticks;
  Applier applier{{}, open_tables(folder), cache, &projector, 0};

  std::vector<PackedTickPtr> make(size_t count, size_t events,
                                  const std::function<RowChange(size_t)>& change) {
    std::vector<PackedTickPtr> made;
    made.reserve(count);
    for (size_t i = 0; i < count; ++i) made.push_back(test::packed(ticks.next({change(i)}, events)));
    return made;
  }
};

TEST(Applier, WritesOfARowItsLastVersionOnly) {
  TestApplier test;
  auto ticks = test.make(100, 0, [](size_t i) { return put(letter(i % 2, {.detail = std::to_string(i)})); });
  ASSERT_TRUE(test.applier.apply(std::move(ticks)));
  EXPECT_EQ(test.applier.stats().rows, 2u);
  EXPECT_EQ(test.applier.stats().batches, 1u);
  EXPECT_EQ(test.applier.applied_tick(), 100u);
  Row row = *test.applier.tables().get(test::table<DeadLetter>(), letter_key(1));
  EXPECT_EQ(static_cast<const DeadLetter&>(*row).detail(), "99");
}

TEST(Applier, AnErasureAfterAChangeIsTheLastVersion) {
  TestApplier test;
  auto ticks =
      test.make(4, 0, [](size_t i) { return i % 2 ? test::erase(letter(i / 2)) : put(letter(i / 2)); });
  ASSERT_TRUE(test.applier.apply(std::move(ticks)));
  EXPECT_EQ(*test.applier.tables().get(test::table<DeadLetter>(), letter_key(0)), nullptr);
  EXPECT_EQ(test.applier.stats().rows, 2u);
}

TEST(Applier, GivesProjectionsManyTicksAtOnceInBoundedCalls) {
  TestApplier test;
  ASSERT_TRUE(test.applier.apply(test.make(500, 9, [](size_t) { return put(letter(1)); })));
  EXPECT_EQ(test.projector.seen, 4'500u);
  EXPECT_LE(test.projector.most_events, 500u);
  EXPECT_EQ(test.projector.calls, 10u);
  EXPECT_EQ(test.applier.tables().projected("audit")->tick, 500u);
  // Each block of four events was counted whole, also those that lie over the border of two calls.
  uint64_t blocks = 0;
  ASSERT_TRUE(test.applier.tables().scan(test::table<AuditBlock>(), [&](const Row& row) {
    const auto& block = static_cast<const AuditBlock&>(*row);
    uint32_t whole = block.number() == 0 ? 3 : block.number() == 1'125 ? 1 : 4;
    EXPECT_EQ(block.count(), whole) << block.number();
    return ++blocks > 0;
  }));
  EXPECT_EQ(blocks, 1'126u);
}

TEST(Applier, AWaiterIsServedBeforeTheInterval) {
  test::ScratchFolder folder;
  RowCache cache(1'000, contract::model().tables().size());
  test::TickMaker ticks;
  Applier applier({.interval = kHour}, open_tables(folder), cache, nullptr, 0);
  applier.start();
  for (int i = 0; i < 3; ++i) {
    applier.push(test::packed(ticks.next({put(letter(1))})), 100);
    ASSERT_TRUE(applier.wait_for(static_cast<uint64_t>(i) + 1));
    EXPECT_EQ(applier.applied_tick(), static_cast<uint64_t>(i) + 1);
  }
}

TEST(Applier, WhatIsLeftIsAppliedAtTheEnd) {
  test::ScratchFolder folder;
  {
    RowCache cache(1'000, contract::model().tables().size());
    test::TickMaker ticks;
    Applier applier({.interval = kHour}, open_tables(folder), cache, nullptr, 0);
    applier.start();
    for (uint64_t i = 0; i < 5; ++i) applier.push(test::packed(ticks.next({put(letter(i))})), 100);
  }
  EXPECT_EQ(*open_tables(folder)->applied_tick(), 5u);
}

// A row in the log cannot be refused any more: what is no UUID becomes NULL, and the applier goes on.
TEST(Applier, ABadUuidDoesNotStopIt) {
  TestApplier test;
  Payment payment;
  payment.set_id(test::uuid(1));
  payment.set_payer_account_id("nobody");
  payment.set_description("short");
  ASSERT_TRUE(test.applier.apply(test.make(1, 0, [&](size_t) { return put(payment); })));
  Row row = *test.applier.tables().get(test::table<Payment>(), test::table<Payment>().key_of(payment));
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(static_cast<const Payment&>(*row).payer_account_id(), "");
  EXPECT_EQ(static_cast<const Payment&>(*row).description(), "short");
}

TEST(Authorizer, AServiceReachesItsOwnTablesOnly) {
  test::ScratchFolder folder;
  auto tables = open_tables(folder);
  auto reason = [&](const std::string& sql, const std::string& service) {
    auto statement = tables->connection().prepare(sql, service);
    return statement ? "none" : statement.error().reason;
  };
  EXPECT_EQ(reason("SELECT * FROM payment_payment", "payment"), "none");
  EXPECT_EQ(reason("SELECT count(*) FROM payment_payment WHERE id IN (SELECT payment_id FROM payment_refund)",
                   "payment"),
            "none");
  EXPECT_EQ(reason("DELETE FROM payment_payment", "payment"), "none");
  EXPECT_EQ(reason("SELECT * FROM payment_payment", ""), "none");
  for (const char* sql :
       {"SELECT id FROM payment_payment", "SELECT count(*) FROM payment_payment",
        "DELETE FROM payment_payment", "UPDATE payment_payment SET description=''",
        "INSERT INTO payment_payment(id) VALUES(x'00')",
        "SELECT 1 FROM user_user WHERE id IN (SELECT payer_user_id FROM payment_payment)",
        "INSERT INTO user_user(id) SELECT id FROM payment_payment", "SELECT name FROM sqlite_master",
        "SELECT value FROM micropay_note", "PRAGMA table_info(user_user)", "ATTACH 'x' AS y",
        "DROP TABLE user_user", "BEGIN", "CREATE TABLE user_x(a)"})
    EXPECT_EQ(reason(sql, "user"), "foreign_table") << sql;
  EXPECT_EQ(reason("SELECT * FROM payment_payment", "pay"), "foreign_table");
}

// A contract of one table with a field more than the present one has: an older folder gets the column.
TEST(Schema, ANewFieldBecomesAColumnOfOldRows) {
  using google::protobuf::DescriptorPool;
  test::ScratchFolder folder;
  {
    auto tables = open_tables(folder);
    ASSERT_TRUE(tables->begin());
    ASSERT_TRUE(
        tables->put(test::table<DeadLetter>(), letter_key(1), row_bytes(letter(1, {.detail = "kept"}))));
    ASSERT_TRUE(tables->commit());
  }
  static DescriptorPool pool;
  for (const char* name :
       {"google/protobuf/descriptor.proto", "contracts/options.proto", "contracts/runtime.proto"}) {
    google::protobuf::FileDescriptorProto file;
    DescriptorPool::generated_pool()->FindFileByName(name)->CopyTo(&file);
    for (auto& message : *file.mutable_message_type()) {
      if (message.name() != "DeadLetter") continue;
      auto* field = message.add_field();
      field->set_name("severity");
      field->set_number(99);
      field->set_type(google::protobuf::FieldDescriptorProto::TYPE_INT32);
      field->set_label(google::protobuf::FieldDescriptorProto::LABEL_OPTIONAL);
    }
    ASSERT_NE(pool.BuildFile(file), nullptr);
  }
  static google::protobuf::DynamicMessageFactory factory(&pool);
  static contract::Model newer(pool, factory, {"contracts/runtime.proto"});
  const contract::Table& table = *newer.table(std::string_view("runtime_dead_letter"));

  auto tables = open_tables(folder, newer);
  Row row = *tables->get(table, letter_key(1));
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->GetReflection()->GetString(*row, table.descriptor->FindFieldByName("detail")), "kept");
  std::unique_ptr<google::protobuf::Message> changed(row->New());
  changed->CopyFrom(*row);
  const auto* severity = table.descriptor->FindFieldByName("severity");
  changed->GetReflection()->SetInt32(changed.get(), severity, 3);
  ASSERT_TRUE(tables->put(table, letter_key(1), row_bytes(*changed)));
  row = *tables->get(table, letter_key(1));
  EXPECT_EQ(row->GetReflection()->GetInt32(*row, severity), 3);
}

}  // namespace
}  // namespace micropay
