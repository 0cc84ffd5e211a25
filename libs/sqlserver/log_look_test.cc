// What another process sees of a database: how far its log is, which event stands where, who uses it.
#include "libs/sqlserver/log_look.h"

#include <gtest/gtest.h>

#include "contracts/runtime.pb.h"
#include "libs/sqlserver/server_twin.h"
#include "libs/store/store_twin.h"

namespace micropay {
namespace {

using test::letter;
using test::put;

class LogLooks : public testing::TestWithParam<SqlServer> {
 protected:
  void SetUp() override {
    const auto server = test::test_server(GetParam());
    if (!server) GTEST_SKIP() << "no server";
    database = std::make_unique<test::ScratchDatabase>(*server);
  }
  static RowChange mark(const std::string& name, uint64_t position, uint64_t offset) {
    ConsumerRecord record;
    record.set_service(name);
    record.set_position(position);
    record.set_offset(offset);
    return put(record);
  }
  std::unique_ptr<LogLook> look() const { return LogLook::open(database->address()).value(); }
  std::unique_ptr<test::ScratchDatabase> database;
};

TEST_P(LogLooks, ADatabaseWithoutTablesHasNothing) {
  const auto seen = look();
  EXPECT_FALSE(seen->made());
  EXPECT_EQ(seen->end()->next_position, 1u);
  EXPECT_TRUE(seen->marks()->empty());
  EXPECT_EQ(seen->event_id(1).value(), "");
  EXPECT_EQ(seen->position("(shipping)").value(), 0u);
  EXPECT_TRUE(seen->instances()->empty());
}

TEST_P(LogLooks, SeesTheLogAndItsMarks) {
  auto store = database->open().value();
  Tick first = test::TickMaker(store->end()).next({put(letter(1))}, 2);
  const std::string id(first.events[1]->envelope.id());
  const std::string emitter(first.events[1]->envelope.service());
  ASSERT_TRUE(store->commit(first));
  Tick second =
      test::TickMaker(store->end()).next({mark("source:payment/3", 40, 77), mark("notification", 9, 0)}, 1);
  ASSERT_TRUE(store->commit(second));
  ASSERT_TRUE(store->has_duty("(shipping)"));
  ASSERT_TRUE(store->set_duty_position("(shipping)", 2));
  const auto seen = look();
  EXPECT_TRUE(seen->made());
  EXPECT_EQ(seen->end()->next_position, 4u);
  EXPECT_EQ(seen->event_id(2).value(), id);
  EXPECT_NE(seen->event_id(3).value(), "");
  EXPECT_EQ(seen->event_id(4).value(), "");
  EXPECT_TRUE(seen->emitted(emitter, 3).value());
  EXPECT_FALSE(seen->emitted("nobody", 3).value());
  const auto marks = seen->marks().value();
  ASSERT_EQ(marks.size(), 1u);
  EXPECT_EQ(marks[0].source, "payment");
  EXPECT_EQ(marks[0].partition, 3u);
  EXPECT_EQ(marks[0].position, 40u);
  EXPECT_EQ(marks[0].offset, 77u);
  EXPECT_EQ(seen->position("(shipping)").value(), 2u);
  ASSERT_TRUE(seen->set_position("(shipping)", 0));
  EXPECT_EQ(seen->position("(shipping)").value(), 0u);
  EXPECT_EQ(seen->instances()->size(), 1u);
  store.reset();
  EXPECT_TRUE(seen->instances()->empty());
}

INSTANTIATE_TEST_SUITE_P(On, LogLooks, testing::Values(SqlServer::kPostgres, SqlServer::kMariadb),
                         [](const auto& info) {
                           return info.param == SqlServer::kPostgres ? "PostgreSQL" : "MariaDB";
                         });

}  // namespace
}  // namespace micropay
