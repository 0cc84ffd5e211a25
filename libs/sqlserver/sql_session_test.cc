// A session by itself: values, errors in the midst of a request, and what must never be used again.
#include "libs/sqlserver/sql_session.h"

#include <gtest/gtest.h>

#include "libs/sqlserver/server_twin.h"

namespace micropay {
namespace {

class Session : public testing::TestWithParam<SqlServer> {
 protected:
  void SetUp() override {
    const auto server = test::test_server(GetParam());
    if (!server) GTEST_SKIP() << "no server";
    database = std::make_unique<test::ScratchDatabase>(*server);
    session = database->session();
    ASSERT_TRUE(session->execute("CREATE TABLE numbers (id bigint PRIMARY KEY, amount bigint NOT NULL)"));
  }
  void insert(int64_t id) {
    session->add("INSERT INTO numbers (id,amount) VALUES (?,?)", {sql_value(id), sql_value(id)});
  }
  int64_t count() { return database->number("SELECT COUNT(*) FROM numbers"); }
  std::unique_ptr<test::ScratchDatabase> database;
  std::unique_ptr<SqlSession> session;
};

TEST_P(Session, ARequestIsDoneAsAWholeOrNotAtAll) {
  insert(1), insert(2), insert(1), insert(3);
  EXPECT_FALSE(session->run());
  EXPECT_FALSE(session->broken());
  EXPECT_FALSE(session->in_transaction());
  EXPECT_EQ(count(), 0);
  insert(4), insert(5);
  EXPECT_EQ(session->run()->size(), 2u);
  EXPECT_EQ(count(), 2);
}

TEST_P(Session, NullWhereNoneMayBeIsARefusal) {
  insert(1);
  ASSERT_TRUE(session->run());
  session->add("UPDATE numbers SET amount=CASE WHEN amount=? THEN amount+1 END WHERE id=1",
               {sql_value(int64_t(7))});
  insert(2);
  EXPECT_FALSE(session->run());
  EXPECT_EQ(session->failure(), SqlFailure::kRefused);
  EXPECT_EQ(count(), 1);
}

// A text of two statements for one has an answer that nobody waits for; the next request would take it for
// its own.
TEST_P(Session, ASurplusAnswerEndsTheSession) {
  session->add("SELECT 1; SELECT 2");
  EXPECT_FALSE(session->run());
  if (!session->broken()) return;  // PostgreSQL takes one statement at a time and refuses
  insert(1);
  EXPECT_FALSE(session->run());
  EXPECT_EQ(count(), 0);
}

std::string server_name(const testing::TestParamInfo<SqlServer>& info) {
  return info.param == SqlServer::kPostgres ? "Postgres" : "Mariadb";
}

INSTANTIATE_TEST_SUITE_P(Servers, Session, testing::Values(SqlServer::kPostgres, SqlServer::kMariadb),
                         server_name);

}  // namespace
}  // namespace micropay
