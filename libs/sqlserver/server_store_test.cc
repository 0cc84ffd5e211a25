// Several instances over one database: ticks that move behind each other, and each way in which they must
// not.
#include "libs/sqlserver/server_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "contracts/balance.pb.h"
#include "libs/sqlserver/server_twin.h"
#include "libs/store/store_twin.h"

namespace micropay {
namespace {

using test::erase;
using test::letter;
using test::letter_key;
using test::put;

// An instance, and how an engine uses it.
class Instance {
 public:
  Instance(const test::ScratchDatabase& database, ServerStoreOptions options = {},
           Projector* projector = nullptr) {
    auto opened = database.open(projector, std::move(options));
    if (!opened) throw std::runtime_error(opened.error().detail);
    store_ = std::move(*opened);
    store_->on_foreign_commit([this] {
      const std::lock_guard lock(mutex_);
      called_ = true;
      wake_.notify_all();
    });
  }
  ServerStore& operator*() { return *store_; }
  ServerStore* operator->() { return store_.get(); }
  // A tick as its handlers would have made it, believing that they are at the end of the log.
  Tick tick(std::vector<RowChange> changes, size_t events = 1) {
    return test::TickMaker(store_->end()).next(std::move(changes), events);
  }
  std::string commit(std::vector<RowChange> changes, size_t events = 1) {
    Tick made = tick(std::move(changes), events);
    last_ = {};
    const auto done = store_->commit(made);
    if (done) last_ = std::move(made);
    return done ? "" : done.error().reason;
  }
  std::string detail(uint64_t number) {
    const Row row = store_->tick_reader().get(test::table<DeadLetter>(), letter_key(number));
    return row ? static_cast<const DeadLetter&>(*row).detail() : "none";
  }
  const Tick& last() const { return last_; }
  bool wait_for_call() {
    std::unique_lock lock(mutex_);
    return wake_.wait_for(lock, std::chrono::seconds(10), [this] { return std::exchange(called_, false); });
  }

 private:
  std::unique_ptr<ServerStore> store_;
  Tick last_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool called_ = false;
};

class Instances : public testing::TestWithParam<SqlServer> {
 protected:
  void SetUp() override {
    const auto server = test::test_server(GetParam());
    if (!server) GTEST_SKIP() << "no server";
    database = std::make_unique<test::ScratchDatabase>(*server);
  }
  std::unique_ptr<test::ScratchDatabase> database;
};

TEST_P(Instances, DisjointTicksMoveBehindEachOther) {
  Instance a(*database), b(*database);
  b->begin_tick();
  EXPECT_EQ(b.detail(7), "none");
  ASSERT_EQ(a.commit({put(letter(1, {.detail = "a"}))}, 3), "");
  ASSERT_EQ(b.commit({put(letter(2, {.detail = "b"}))}, 2), "");
  EXPECT_EQ(b.last().number, 2u);
  EXPECT_EQ(b.last().first_position, 4u);
  EXPECT_EQ(b.last().events[1]->envelope.position(), 5u);
  EXPECT_EQ(b->end().next_position, 6u);
  const auto news = b->news();
  ASSERT_EQ(news.size(), 1u);
  EXPECT_EQ(news[0]->number, 1u);
  EXPECT_EQ(news[0]->events.size(), 3u);
  EXPECT_TRUE(b->news().empty());
  EXPECT_EQ(b.detail(1), "a");
  const auto events = a->read_events(1, 100);
  ASSERT_TRUE(events);
  EXPECT_EQ(events->size(), 5u);
}

TEST_P(Instances, OthersHearOfACommit) {
  Instance a(*database, {.lease = 400 * kMillisecond}), b(*database, {.lease = 400 * kMillisecond});
  while (a->stats().others == 0) std::this_thread::yield();
  while (b->stats().others == 0) std::this_thread::yield();
  b.wait_for_call();  // at its start
  b->begin_tick();
  EXPECT_EQ(b.detail(1), "none");
  ASSERT_EQ(a.commit({put(letter(1, {.detail = "a"}))}), "");
  while (b->end().tick == 0) {
    ASSERT_TRUE(b.wait_for_call());
    b->begin_tick();
  }
  EXPECT_EQ(b.detail(1), "a");
  EXPECT_EQ(b->news().size(), 1u);
}

TEST_P(Instances, ARowThatWasReadIsNotWrittenByOthers) {
  Instance a(*database), b(*database);
  ASSERT_EQ(a.commit({put(letter(1, {.detail = "old"}))}), "");
  b->begin_tick();
  EXPECT_EQ(b.detail(1), "old");
  ASSERT_EQ(a.commit({put(letter(1, {.detail = "new"}))}), "");
  EXPECT_FALSE(b->current());
  EXPECT_EQ(b.commit({put(letter(2))}), "conflict");
  b->refresh();
  b->begin_tick();
  EXPECT_EQ(b.detail(1), "new");
  EXPECT_EQ(b.detail(2), "none");
  EXPECT_TRUE(b->current());
  EXPECT_EQ(b.commit({put(letter(2))}), "");
}

TEST_P(Instances, ARowThatWasMissedIsNotMadeByOthers) {
  Instance a(*database), b(*database);
  b->begin_tick();
  EXPECT_EQ(b.detail(1), "none");
  ASSERT_EQ(a.commit({put(letter(1))}), "");
  EXPECT_EQ(b.commit({put(letter(2))}), "conflict");
}

TEST_P(Instances, ARowIsNotWrittenTwiceWithoutBeingRead) {
  Instance a(*database), b(*database);
  b->begin_tick();
  ASSERT_EQ(a.commit({put(letter(1, {.detail = "a"}))}), "");
  EXPECT_EQ(b.commit({put(letter(1, {.detail = "b"}))}), "conflict");
  b->refresh();
  b->begin_tick();
  a->begin_tick();
  EXPECT_EQ(b.commit({erase(letter(1))}), "");
  EXPECT_EQ(a.commit({put(letter(1, {.detail = "again"}))}), "conflict");
}

TEST_P(Instances, ATableThatWasListedIsNotWrittenByOthers) {
  Instance a(*database), b(*database);
  b->begin_tick();
  ASSERT_TRUE(b->tick_reader().list({.table = &test::table<DeadLetter>()}));
  TimerRecord timer;
  timer.set_type("t");
  ASSERT_EQ(a.commit({put(timer)}), "");
  EXPECT_TRUE(b->current());
  ASSERT_EQ(a.commit({put(letter(1))}), "");
  EXPECT_EQ(b.commit({put(letter(2))}), "conflict");
}

TEST_P(Instances, TwoStatesAreNeverSeenBesideEachOther) {
  Instance a(*database), b(*database);
  ASSERT_EQ(a.commit({put(letter(1, {.detail = "1"})), put(letter(2, {.detail = "1"}))}), "");
  b->begin_tick();
  EXPECT_EQ(b.detail(1), "1");
  ASSERT_EQ(a.commit({put(letter(1, {.detail = "2"})), put(letter(2, {.detail = "2"})),
                      put(letter(3, {.detail = "2"}))}),
            "");
  EXPECT_EQ(b.detail(2), "1");  // taken in with the first tick: the older state, whole
  EXPECT_THROW(b.detail(3), StoreConflict);
  b->refresh();
  b->begin_tick();
  EXPECT_EQ(b.detail(1), "2");
  EXPECT_EQ(b.detail(2), "2");
  // What was not read may change: the tick goes on in the newer state.
  ASSERT_EQ(a.commit({put(letter(4, {.detail = "3"}))}), "");
  EXPECT_EQ(b.detail(4), "3");
  EXPECT_EQ(b.commit({put(letter(5))}), "");
}

TEST_P(Instances, AListIsOfTheStateOfTheTick) {
  Instance a(*database), b(*database);
  ASSERT_EQ(a.commit({put(letter(1, {.detail = "1"}))}), "");
  b->begin_tick();
  EXPECT_EQ(b.detail(1), "1");
  ASSERT_EQ(a.commit({put(letter(1, {.detail = "2"}))}), "");
  EXPECT_THROW((void)b->tick_reader().list({.table = &test::table<DeadLetter>()}), StoreConflict);
}

TEST_P(Instances, AFencedInstanceChangesNothing) {
  Instance a(*database, {.lease = 400 * kMillisecond}), b(*database, {.instance = "b", .lease = kMinute});
  ASSERT_EQ(b.commit({put(letter(1, {.detail = "b"}))}), "");
  // As if it had stood still for longer than its lease.
  while (database->number("SELECT epoch FROM instance WHERE name='b'") != 0)
    ASSERT_TRUE(database->session()->execute("UPDATE instance SET lease_until=1 WHERE name='b'"));
  b->begin_tick();
  EXPECT_EQ(b.commit({put(letter(1, {.detail = "late"}))}), "fenced");
  EXPECT_EQ(a.detail(1), "b");
  b->refresh();
  b->begin_tick();
  EXPECT_EQ(b.commit({put(letter(1, {.detail = "anew"}))}), "");
  EXPECT_EQ(database->number("SELECT COUNT(DISTINCT epoch) FROM log WHERE instance='b'"), 2);
}

TEST_P(Instances, ProjectionsFollowWhatTheirMakerHasNotTakenIn) {
  test::CountingProjector projector;
  Instance maker(*database, {}, &projector), other(*database);
  ASSERT_EQ(maker.commit({put(letter(1))}), "");
  ASSERT_TRUE(maker->catch_up());
  for (uint64_t i = 2; i < 5; ++i) {
    ASSERT_EQ(other.commit({put(letter(i))}), "");
    ASSERT_TRUE(maker->catch_up()) << "tick " << i << " is in the log, though the maker's engine stands by";
  }
  EXPECT_EQ(maker->end().tick, 1u);
  EXPECT_GE(projector.seen, 4u);
}

TEST_P(Instances, ADutyGoesToWhoIsSuited) {
  Instance a(*database, {.lease = 400 * kMillisecond}), b(*database, {.lease = 400 * kMillisecond});
  EXPECT_TRUE(a->has_duty("(test)", false)) << "nobody else wants it";
  EXPECT_FALSE(b->has_duty("(test)", true)) << "it is another's";
  while (!b->has_duty("(test)", true)) a->has_duty("(test)", false), std::this_thread::yield();
  EXPECT_FALSE(a->has_duty("(test)", false));
  ASSERT_TRUE(b->set_duty_position("(test)", 7));
  EXPECT_EQ(a->duty_position("(test)").value_or(0), 7u);
}

TEST_P(Instances, ANameBelongsToOneProcess) {
  Instance a(*database, {.instance = "one", .lease = 300 * kMillisecond});
  auto second = database->open(nullptr, {.instance = "one", .lease = 300 * kMillisecond});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().reason, "instance_in_use");
  EXPECT_EQ(a.commit({put(letter(1))}), "");
}

// Money moves between a few accounts from all sides: none appears or vanishes, and the log has no gaps.
TEST_P(Instances, MoneyAddsUpUnderConcurrentWriters) {
  constexpr uint64_t kAccounts = 6, kTransfers = 150;
  const auto account = [](uint64_t number, int64_t minor) {
    Balance balance;
    balance.set_account_id(test::uuid(number));
    balance.set_posted_minor(minor);
    return balance;
  };
  std::vector<std::unique_ptr<Instance>> instances;
  for (int i = 0; i < 3; ++i) instances.push_back(std::make_unique<Instance>(*database));
  std::vector<RowChange> opening;
  for (uint64_t i = 0; i < kAccounts; ++i) opening.push_back(put(account(i, 1'000)));
  ASSERT_EQ(instances[0]->commit(std::move(opening)), "");
  const auto transfer = [&](Instance& instance, uint64_t step) {
    const uint64_t from = step * 7 % kAccounts, to = (from + 1 + step % (kAccounts - 1)) % kAccounts;
    const auto minor = [&](uint64_t number) {
      const contract::Table& table = test::table<Balance>();
      const Row row = instance->tick_reader().get(table, table.key_of(account(number, 0)));
      return static_cast<const Balance&>(*row).posted_minor();
    };
    while (true) {
      instance->begin_tick();
      try {
        const int64_t had = minor(from), has = minor(to);
        if (instance.commit({put(account(from, had - 1)), put(account(to, has + 1))}, 2).empty()) return;
      } catch (const StoreConflict&) {
      }
      instance->refresh();
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 0; i < instances.size(); ++i)
    threads.emplace_back([&, i] {
      for (uint64_t step = 0; step < kTransfers; ++step) transfer(*instances[i], step + i);
    });
  for (auto& thread : threads) thread.join();
  int64_t sum = 0, rows = 0;
  ASSERT_TRUE((*instances[0])->scan(test::table<Balance>(), [&](const Row& row) {
    sum += static_cast<const Balance&>(*row).posted_minor();
    return ++rows > 0;
  }));
  EXPECT_EQ(rows, int64_t(kAccounts));
  EXPECT_EQ(sum, int64_t(kAccounts) * 1'000);
  constexpr int64_t kTicks = 1 + 3 * kTransfers;
  EXPECT_EQ(database->number("SELECT COUNT(*) FROM log"), kTicks);
  EXPECT_EQ(database->number("SELECT MAX(tick) FROM log"), kTicks);
  const auto events = (*instances[1])->read_events(1, 10'000);
  ASSERT_TRUE(events);
  ASSERT_EQ(events->size(), 1 + 2 * 3 * kTransfers);
  for (size_t i = 0; i < events->size(); ++i) ASSERT_EQ((*events)[i]->envelope.position(), i + 1);
}

std::string server_name(const testing::TestParamInfo<SqlServer>& info) {
  return info.param == SqlServer::kPostgres ? "Postgres" : "Mariadb";
}

INSTANTIATE_TEST_SUITE_P(Servers, Instances, testing::Values(SqlServer::kPostgres, SqlServer::kMariadb),
                         server_name);

}  // namespace
}  // namespace micropay
