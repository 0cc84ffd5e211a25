// One state of a database, read while others write: log, events and rows belong together, and a log that is
// not whole says where.
#include "libs/sqlserver/database_snapshot.h"

#include <gtest/gtest.h>

#include "libs/sqlserver/server_twin.h"
#include "libs/store/store_twin.h"

namespace micropay {
namespace {

using test::letter;
using test::put;

class Snapshots : public testing::TestWithParam<SqlServer> {
 protected:
  void SetUp() override {
    const auto server = test::test_server(GetParam());
    if (!server) GTEST_SKIP() << "no server";
    database_ = std::make_unique<test::ScratchDatabase>(*server);
    store_ = database_->open().value();
    for (int i = 0; i < 3; ++i) write();
  }
  void write() {
    Tick tick = test::TickMaker(store_->end()).next({put(letter(store_->end().tick + 1))}, 2);
    ASSERT_TRUE(store_->commit(tick));
  }
  std::unique_ptr<DatabaseSnapshot> open() const {
    return DatabaseSnapshot::open(database_->address(), {&test::table<DeadLetter>()}).value();
  }
  // What is said of the log; empty when it is whole.
  static std::string problem(const DatabaseSnapshot& snapshot) {
    const auto read = snapshot.read_log(1, [](const RecordHeader&, std::string_view) { return true; });
    return read ? "" : read.error().detail;
  }
  std::string problem_after(const std::string& sql) const {
    EXPECT_TRUE(database_->session()->execute(sql));
    return problem(*open());
  }

  std::unique_ptr<test::ScratchDatabase> database_;
  std::unique_ptr<ServerStore> store_;
};

TEST_P(Snapshots, ShowsOneMoment) {
  const auto snapshot = open();
  write();
  EXPECT_EQ(snapshot->end().tick, 3u);
  EXPECT_EQ(problem(*snapshot), "");
  uint64_t rows = 0;
  ASSERT_TRUE(snapshot->scan_values(test::table<DeadLetter>(), [&](const auto&) { return ++rows > 0; }));
  EXPECT_EQ(rows, 3u);
  const auto events = snapshot->read_events(4, 10, contract::model());
  ASSERT_TRUE(events);
  ASSERT_EQ(events->size(), 3u);  // the second of tick 2, and both of tick 3
  EXPECT_EQ(events->front()->envelope.position(), 4u);
  EXPECT_EQ(open()->end().tick, 4u);
}

TEST_P(Snapshots, AMissingTickIsNamedWhereverItIs) {
  EXPECT_NE(problem_after(R"(DELETE FROM "log" WHERE "tick"=2)").find("tick 2"), std::string::npos);
}

TEST_P(Snapshots, AMissingFirstTickIsNamed) {
  EXPECT_NE(problem_after(R"(DELETE FROM "log" WHERE "tick"=1)").find("tick 1"), std::string::npos);
}

TEST_P(Snapshots, AMissingLastTickIsNamed) {
  EXPECT_NE(problem_after(R"(DELETE FROM "log" WHERE "tick"=3)").find("tick 3"), std::string::npos);
}

TEST_P(Snapshots, AnExchangedRecordIsNamed) {
  EXPECT_NE(problem_after(R"(UPDATE "log" SET "record"=(SELECT "record" FROM (SELECT * FROM "log") AS other )"
                          R"(WHERE other."tick"=1) WHERE "tick"=2)")
                .find("tick 2"),
            std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Servers, Snapshots, testing::Values(SqlServer::kPostgres, SqlServer::kMariadb),
                         [](const auto& info) {
                           return info.param == SqlServer::kPostgres ? "Postgres" : "MariaDB";
                         });

}  // namespace
}  // namespace micropay
