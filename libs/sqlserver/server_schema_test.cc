// Tables that are made, extended and refused; the two roles.
#include "libs/sqlserver/server_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "contracts/payment.pb.h"
#include "libs/sqlserver/server_twin.h"
#include "libs/store/store_twin.h"

namespace micropay {
namespace {

using test::letter;
using test::put;

class ServerSchema : public testing::TestWithParam<SqlServer> {
 protected:
  void SetUp() override {
    const auto server = test::test_server(GetParam());
    if (!server) GTEST_SKIP() << "no server";
    database = std::make_unique<test::ScratchDatabase>(*server);
  }
  bool is_postgres() const { return GetParam() == SqlServer::kPostgres; }
  std::string quoted(const std::string& name) const {
    return is_postgres() ? '"' + name + '"' : '`' + name + '`';
  }
  void execute(const std::string& sql) const {
    const auto done = database->session()->execute(sql);
    ASSERT_TRUE(done) << done.error().detail;
  }
  void execute_on_server(const std::string& sql) const {
    auto session = SqlSession::open(*test::test_server(GetParam()), {});
    ASSERT_TRUE(session);
    EXPECT_TRUE((*session)->execute(sql));
  }
  std::string open_reason(ServerStoreOptions options = {}) const {
    const auto opened = database->open(nullptr, std::move(options));
    return opened ? "" : opened.error().reason;
  }
  std::unique_ptr<test::ScratchDatabase> database;
};

TEST_P(ServerSchema, IsMadeOnceByWhoeverComesFirst) {
  std::vector<std::thread> threads;
  std::atomic<size_t> made{0};
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] {
      const auto opened = database->open();
      ASSERT_TRUE(opened) << opened.error().detail;
      made += !(*opened)->open_notes().empty();
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(made, 1u);
  EXPECT_EQ(database->number("SELECT COUNT(*) FROM log_head"), 1);
}

TEST_P(ServerSchema, GainsColumnsThatTheContractGained) {
  ASSERT_EQ(open_reason(), "");
  execute(fmt::format("ALTER TABLE runtime_dead_letter DROP COLUMN {}", quoted("detail")));
  EXPECT_EQ(open_reason({.apply_schema = false}), "schema_outdated");
  auto opened = database->open();
  ASSERT_TRUE(opened) << opened.error().detail;
  EXPECT_EQ((*opened)->open_notes().size(), 1u);
  EXPECT_TRUE((*opened)->commit(test::TickMaker((*opened)->end()).next({put(letter(1, {.detail = "x"}))})));
  EXPECT_EQ(open_reason({.apply_schema = false}), "");
}

TEST_P(ServerSchema, OfAnEmptyDatabaseIsMissed) {
  EXPECT_EQ(open_reason({.apply_schema = false}), "schema_outdated");
}

TEST_P(ServerSchema, OfANewerVersionIsRefusedWhenItHasToBe) {
  ASSERT_EQ(open_reason(), "");
  execute("INSERT INTO schema_change(number,name,needed) VALUES(1000,'later',1)");
  EXPECT_EQ(open_reason(), "");
  execute("INSERT INTO schema_change(number,name,needed) VALUES(1001,'much later',1001)");
  EXPECT_EQ(open_reason(), "newer_format");
}

// The application's role reads and writes rows, and can do nothing to the tables.
TEST_P(ServerSchema, IsTheOwnersAlone) {
  const std::string role = "app_" + database->address().database;
  const std::string password = "only of this test";
  SqlAddress application = database->address();
  application.user = role;
  application.password = password;
  if (is_postgres()) {
    execute(fmt::format("CREATE ROLE {} LOGIN PASSWORD '{}'", role, password));
  } else {
    execute(
        fmt::format("CREATE USER '{0}'@'127.0.0.1' IDENTIFIED BY '{1}';"
                    "GRANT SELECT,INSERT,UPDATE,DELETE ON {2}.* TO '{0}'@'127.0.0.1'",
                    role, password, database->address().database));
  }
  {
    auto opened =
        ServerStore::open({.address = application, .owner = database->address(), .services = {"payment"}},
                          contract::model(), nullptr);
    ASSERT_TRUE(opened) << opened.error().detail;
    EXPECT_TRUE((*opened)->commit(test::TickMaker((*opened)->end()).next({put(letter(1))})));
    auto session = SqlSession::open(application, {});
    ASSERT_TRUE(session);
    EXPECT_FALSE((*session)->execute("DROP TABLE log"));
    EXPECT_FALSE((*session)->execute("CREATE TABLE another (id bigint)"));
    EXPECT_FALSE((*session)->execute("ALTER TABLE log_head ADD COLUMN more bigint"));
  }
  database.reset();
  execute_on_server(is_postgres() ? "DROP ROLE " + role : "DROP USER '" + role + "'@'127.0.0.1'");
}

TEST(ServerSchemaText, IsThatOfEachDialect) {
  EXPECT_NE(store_schema_sql(contract::Dialect::kPostgres).find(R"(CREATE TABLE "log_head")"),
            std::string::npos);
  EXPECT_NE(store_schema_sql(contract::Dialect::kMariadb).find("CREATE TABLE `log_head`"), std::string::npos);
}

std::string server_name(const testing::TestParamInfo<SqlServer>& info) {
  return info.param == SqlServer::kPostgres ? "Postgres" : "Mariadb";
}

INSTANTIATE_TEST_SUITE_P(Servers, ServerSchema, testing::Values(SqlServer::kPostgres, SqlServer::kMariadb),
                         server_name);

}  // namespace
}  // namespace micropay
