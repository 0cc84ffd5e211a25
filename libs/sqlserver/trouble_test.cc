// The days on which the server, the network or a process does not do what it should.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "libs/base/metrics.h"
#include "libs/sqlserver/proxy_twin.h"
#include "libs/sqlserver/server_twin.h"
#include "libs/store/store_twin.h"

namespace micropay {
namespace {

using test::letter;
using test::letter_key;
using test::put;

class Trouble : public testing::TestWithParam<SqlServer> {
 protected:
  void SetUp() override {
    const auto server = test::test_server(GetParam());
    if (!server) GTEST_SKIP() << "no server";
    database = std::make_unique<test::ScratchDatabase>(*server);
    proxy = std::make_unique<test::Proxy>(database->address());
    open({});
  }
  void open(ServerStoreOptions options) {
    options.address = proxy->address();
    options.services = {"payment", "audit", "balance"};
    options.commit_patience = options.read_patience = 2 * kSecond;
    auto opened = ServerStore::open(std::move(options), contract::model(), nullptr);
    ASSERT_TRUE(opened) << opened.error().detail;
    store = std::move(*opened);
  }
  // `disturb` comes between what the tick reads and its commit.
  std::string commit(
      uint64_t number, const std::string& detail, const std::function<void()>& disturb = [] {}) {
    store->begin_tick();
    disturb();
    tick = test::TickMaker(store->end()).next({put(letter(number, {.detail = detail}))}, 1);
    const auto done = store->commit(tick);
    return done ? "" : done.error().reason;
  }
  std::string detail(const RowReader& reader, uint64_t number) {
    const Row row = reader.get(test::table<DeadLetter>(), letter_key(number));
    return row ? static_cast<const DeadLetter&>(*row).detail() : "none";
  }
  int64_t ticks() { return database->number("SELECT COUNT(*) FROM log"); }

  std::unique_ptr<test::ScratchDatabase> database;
  std::unique_ptr<test::Proxy> proxy;
  std::unique_ptr<ServerStore> store;
  Tick tick;
};

// The tick is in the log, its answer is not: the store looks for it, and does not write it again.
TEST_P(Trouble, ALostAnswerIsLookedFor) {
  ASSERT_EQ(commit(1, "first"), "");
  std::thread restorer([this] {
    const Time deadline = system_clock().monotonic() + kMinute;
    while (ticks() < 2 && system_clock().monotonic() < deadline) std::this_thread::yield();
    proxy->restore();
  });
  EXPECT_EQ(commit(1, "second", [this] { proxy->lose_answers(); }), "");
  restorer.join();
  EXPECT_GT(proxy->lost(), 0u);
  EXPECT_EQ(tick.number, 2u);
  EXPECT_EQ(ticks(), 2);
  EXPECT_EQ(detail(store->tick_reader(), 1), "second");
  EXPECT_EQ(commit(2, "third"), "");
  EXPECT_EQ(ticks(), 3);
  EXPECT_TRUE(store->news().empty());
}

// Nobody could say in time: the caller is told so, and what had happened comes as news.
TEST_P(Trouble, AnAnswerThatStaysLostComesAsNews) {
  ASSERT_EQ(commit(1, "first"), "");
  EXPECT_EQ(commit(2, "lost", [this] { proxy->lose_answers(); }), "storage_failed");
  ASSERT_EQ(ticks(), 2);
  proxy->restore();
  ASSERT_EQ(commit(3, "next"), "");
  EXPECT_EQ(tick.number, 3u);
  const auto news = store->news();
  ASSERT_EQ(news.size(), 1u);
  EXPECT_EQ(news[0]->number, 2u);
  EXPECT_EQ(detail(store->tick_reader(), 2), "lost");
}

TEST_P(Trouble, AServerThatIsAwayIsAnErrorAndThenForgotten) {
  ASSERT_EQ(commit(1, "first"), "");
  proxy->refuse(true);
  EXPECT_EQ(commit(2, "away"), "storage_failed");
  EXPECT_THROW((void)detail(*store, 1), StoreUnavailable);
  EXPECT_EQ(store->list({.table = &test::table<DeadLetter>()}).error().reason, "storage_failed");
  proxy->restore();
  // After a long absence the first one may be refused at once, until the link's next try.
  const Time deadline = system_clock().monotonic() + kMinute;
  while (commit(2, "back") != "" && system_clock().monotonic() < deadline) std::this_thread::yield();
  EXPECT_EQ(ticks(), 2);
  EXPECT_EQ(detail(*store, 2), "back");
}

// It is said, counted by its reason, and over when the server is back. A long absence is told at once.
TEST_P(Trouble, AnAbsenceIsSaid) {
  ASSERT_EQ(commit(1, "first"), "");
  const auto reason = [&] {
    const auto problem = store->problem();
    return problem ? problem->reason : "";
  };
  const auto becomes = [&](const std::string& wanted) {
    const Time deadline = system_clock().monotonic() + kMinute;
    while (reason() != wanted && system_clock().monotonic() < deadline) std::this_thread::yield();
    return reason() == wanted;
  };
  EXPECT_EQ(reason(), "");
  Counter& failures = counter("micropay_store_commit_failures_total", "", {{"reason", "storage_failed"}});
  const uint64_t before = failures.value();
  proxy->refuse(true);
  EXPECT_TRUE(becomes("storage_failed"));
  EXPECT_EQ(commit(2, "away"), "storage_failed");
  EXPECT_EQ(commit(2, "away"), "storage_failed");
  EXPECT_EQ(failures.value(), before + 2);
  // By now it has been away for longer than is waited for.
  const Time began = system_clock().monotonic();
  EXPECT_EQ(commit(2, "away"), "storage_failed");
  EXPECT_THROW((void)detail(*store, 1), StoreUnavailable);
  EXPECT_LT(system_clock().monotonic() - began, kSecond);
  proxy->restore();
  EXPECT_TRUE(becomes(""));
  const Time deadline = system_clock().monotonic() + kMinute;
  while (commit(2, "back") != "" && system_clock().monotonic() < deadline) std::this_thread::yield();
  EXPECT_EQ(detail(*store, 2), "back");
}

// An earlier state is put into the database under a running store: what it knows is no more. It ended the
// process by an assertion, or went on from rows that nobody had written.
TEST_P(Trouble, ADatabaseThatWasPutBackIsSaidForGood) {
  ASSERT_EQ(commit(1, "first"), "");
  ASSERT_EQ(commit(1, "second"), "");
  ASSERT_TRUE(store->has_duty("(shipping)"));
  auto session = database->session();
  ASSERT_TRUE(session->execute("DELETE FROM log WHERE tick=2"));
  ASSERT_TRUE(session->execute("UPDATE log_head SET tick=1,next_position=2 WHERE id=1"));
  EXPECT_EQ(commit(2, "third"), "log_went_back");
  EXPECT_EQ(store->problem()->reason, "log_went_back");
  EXPECT_EQ(commit(2, "third"), "log_went_back");
  EXPECT_FALSE(store->has_duty("(shipping)"));  // nothing of it is published any more
  EXPECT_EQ(ticks(), 1);
  open({});
  EXPECT_EQ(commit(2, "third"), "");
}

TEST_P(Trouble, ASettledNumberStays) {
  EXPECT_EQ(store->settled_number("(partitions)", 8), 8u);
  EXPECT_EQ(store->settled_number("(partitions)", 16), 8u);
}

// A connection that ends while a commit is on its way: the same commit succeeds on another.
TEST_P(Trouble, AConnectionThatEndsIsReplaced) {
  for (uint64_t i = 1; i <= 5; ++i) {
    ASSERT_EQ(commit(i, "before"), "");
    const std::string all = GetParam() == SqlServer::kPostgres
                                ? "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                                  "datname=current_database() AND pid<>pg_backend_pid()"
                                : "";
    if (!all.empty()) ASSERT_TRUE(database->session()->execute(all));
    else proxy->refuse(true), proxy->restore();
    EXPECT_EQ(commit(i, "after"), "");
    EXPECT_EQ(detail(*store, i), "after");
  }
  EXPECT_EQ(ticks(), 10);
}

// A process stands still while it holds the head of the log: others go on after two seconds.
TEST_P(Trouble, AProcessThatStandsStillHoldsNobodyUp) {
  ASSERT_EQ(commit(1, "first"), "");
  auto holder = database->session();
  holder->add("BEGIN");
  holder->add(R"(UPDATE "log_head" SET "time"="time" WHERE "id"=1)");
  ASSERT_TRUE(holder->run());
  const Time before = system_clock().monotonic();
  std::string ended;
  for (int attempt = 0; attempt < 5 && (ended = commit(2, "second")) != ""; ++attempt) {
  }
  EXPECT_EQ(ended, "");
  EXPECT_LT(system_clock().monotonic() - before, 20 * kSecond);
  EXPECT_EQ(ticks(), 2);
}

// The same in the midst of a request, where PostgreSQL holds the lock and waits for the rest.
TEST_P(Trouble, AProcessThatStopsWhileItSendsHoldsNobodyUp) {
  ASSERT_EQ(commit(1, "first"), "");
  auto other = database->open();
  ASSERT_TRUE(other);
  // The new instance has moved the fence; from this commit on it is known here, and all statements are
  // prepared.
  ASSERT_EQ(commit(1, "second"), "");
  std::thread stopped([this] {
    proxy->stop_clients_after(50'000);
    EXPECT_NE(commit(2, std::string(1 << 20, 'x')), "");
  });
  const Time before = system_clock().monotonic();
  // It has begun, on PostgreSQL; MariaDB does nothing before it has all.
  bool holds = GetParam() != SqlServer::kPostgres;
  while (!holds && system_clock().monotonic() - before < 10 * kSecond)
    holds = database->number(
                "SELECT COUNT(*) FROM pg_stat_activity WHERE datname=current_database() AND "
                "application_name='micropay-engine' AND backend_xid IS NOT NULL") != 0;
  EXPECT_TRUE(holds);
  (*other)->begin_tick();
  Tick tick;
  Result<void> done = fail(Code::kAborted, "");
  for (int attempt = 0; attempt < 5 && !done; ++attempt) {
    tick = test::TickMaker((*other)->end()).next({put(letter(3))}, 1);
    done = (*other)->commit(tick);
  }
  EXPECT_TRUE(done) << done.error().detail;
  EXPECT_LT(system_clock().monotonic() - before, 20 * kSecond);
  EXPECT_EQ(tick.number, 3u);
  stopped.join();
}

TEST_P(Trouble, AServerThatSaysNothingIsGivenUp) {
  ASSERT_EQ(commit(1, "first"), "");
  proxy->stall(true);
  const Time before = system_clock().monotonic();
  EXPECT_EQ(commit(2, "stalled"), "storage_failed");
  EXPECT_LT(system_clock().monotonic() - before, 60 * kSecond);
  proxy->restore();
  // It was away for longer than is waited for: until its next try, which is within a second, callers are told
  // so.
  const Time restored = system_clock().monotonic();
  std::string ended = commit(3, "after");
  while (ended == "storage_failed" && system_clock().monotonic() - restored < 10 * kSecond)
    ended = commit(3, "after");
  EXPECT_EQ(ended, "");
  EXPECT_EQ(detail(*store, 3), "after");
}

TEST_P(Trouble, AServerThatCrashesHasEveryAnsweredTick) {
  const char* crash = std::getenv(GetParam() == SqlServer::kPostgres ? "MICROPAY_TEST_POSTGRES_CRASH"
                                                                     : "MICROPAY_TEST_MARIADB_CRASH");
  if (crash == nullptr) GTEST_SKIP() << "a server that cannot be crashed";
  std::atomic<bool> crashed{false};
  std::thread crasher([&] {
    while (ticks() < 20) std::this_thread::yield();
    EXPECT_EQ(std::system(crash), 0);  // NOLINT(concurrency-mt-unsafe)
    crashed = true;                    // and started again
  });
  std::map<uint64_t, std::string> answered;
  int after = 0;
  for (uint64_t i = 1; after < 20; ++i) {
    if (commit(i % 7, std::to_string(i)).empty()) answered[i % 7] = std::to_string(i), after += crashed;
    else answered.erase(i % 7);  // it may be there, or not
  }
  crasher.join();
  ASSERT_FALSE(answered.empty());
  for (const auto& [number, text] : answered) EXPECT_EQ(detail(*store, number), text);
  EXPECT_EQ(database->number("SELECT MAX(tick)-COUNT(*) FROM log"), 0);
}

std::string server_name(const testing::TestParamInfo<SqlServer>& info) {
  return info.param == SqlServer::kPostgres ? "Postgres" : "Mariadb";
}

INSTANTIATE_TEST_SUITE_P(Servers, Trouble, testing::Values(SqlServer::kPostgres, SqlServer::kMariadb),
                         server_name);

}  // namespace
}  // namespace micropay
