// The store in a database server: commits of ticks like those of some payments, beside the floor of the same
// run: one INSERT of the packed tick alone, and its COMMIT. Ticks and floors take turns, so that both see the
// same disk.
//
//   tests/servers/with.py postgres mariadb -- build/bench_sqlserver [ticks]
#include <unistd.h>
#include <ctime>

#include <algorithm>
#include <fstream>

#include "contracts/balance.pb.h"
#include "contracts/payment.pb.h"
#include "libs/base/check.h"
#include "libs/sqlserver/log_rows.h"
#include "libs/sqlserver/server_twin.h"
#include "libs/store/store_twin.h"

namespace micropay {
namespace {

using test::put;
using test::uuid;

constexpr uint64_t kReads = 2'000, kWallets = 1'000;

// A payment's own rows, two balances of some that are always the same, and its events: what one payment of
// the platform leaves in a database that has all its services.
Tick payments_tick(const LogEnd& end, uint64_t first, uint64_t payments) {
  std::vector<RowChange> changes;
  for (uint64_t i = first; i < first + payments; ++i) {
    Payment payment;
    payment.set_id(uuid(i));
    payment.set_payer_account_id(uuid(i % 997));
    payment.set_payee_account_id(uuid(i % 991));
    payment.mutable_amount()->set_currency("EUR");
    payment.mutable_amount()->set_minor(static_cast<int64_t>(i));
    payment.set_description("Two coffees and a croissant");
    payment.set_status(Payment::COMPLETED);
    changes.push_back(put(payment));
    IdempotencyRecord key;
    key.set_key(uuid(i * 2'654'435'761u % (1ull << 40)));
    key.set_response(std::string(200, static_cast<char>('a' + i % 26)));
    changes.push_back(put(key));
    for (uint64_t hot : {i % kWallets, (i * 7 + 1) % kWallets}) {
      Balance balance;
      balance.set_account_id(uuid(hot));
      balance.set_user_id(uuid(hot));
      balance.set_currency("EUR");
      balance.set_posted_minor(static_cast<int64_t>(i));
      changes.push_back(put(balance));
    }
  }
  return test::TickMaker(end).next(std::move(changes), payments * 8);
}

struct Times {
  std::vector<Time> took;
  Time busy = 0;
  void add(Time time) { took.push_back(time), busy += time; }
  Time at(double part) {
    std::ranges::sort(took);
    return took[static_cast<size_t>(part * static_cast<double>(took.size() - 1))];
  }
};

int64_t own_cpu_us() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return int64_t(time.tv_sec) * kSecond + time.tv_nsec / 1'000;
}

// Of the server's process for the engine's session, when it is one of this machine (PostgreSQL has one each).
int64_t server_cpu_us(const test::ScratchDatabase& database) {
  if (database.address().server != SqlServer::kPostgres) return 0;
  const int64_t pid = database.number(
      "SELECT pid FROM pg_stat_activity WHERE datname=current_database() AND "
      "application_name='micropay-engine'");
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string word;
  int64_t user = 0, system = 0;
  for (int i = 1; i <= 13 && file >> word; ++i) {
  }
  file >> user >> system;
  return (user + system) * kSecond / ::sysconf(_SC_CLK_TCK);
}

void measure_commits(const test::ScratchDatabase& database, ServerStore& store, uint64_t ticks,
                     uint64_t payments) {
  static uint64_t next = 1;
  auto session = database.session();
  const char* type = database.address().server == SqlServer::kPostgres ? "bytea" : "longblob";
  CHECK(session->execute(
      fmt::format("CREATE TABLE floor_{} (id bigint PRIMARY KEY, record {} NOT NULL)", payments, type)));
  LogRow packed;
  Times commits, floors;
  int64_t own = 0;
  const int64_t server_before = server_cpu_us(database);
  for (uint64_t i = 0; i < ticks; ++i) {
    store.begin_tick();
    Tick tick = payments_tick(store.end(), next, payments);
    next += payments;
    packed.forget();
    CHECK(packed.pack(tick));
    Time before = system_clock().monotonic();
    session->add(fmt::format("INSERT INTO floor_{} VALUES (?,?)", payments),
                 {sql_value(i), sql_blob(packed.record())});
    CHECK(session->run());
    floors.add(system_clock().monotonic() - before);
    own -= own_cpu_us();
    before = system_clock().monotonic();
    CHECK(store.commit(tick));
    own += own_cpu_us();
    commits.add(system_clock().monotonic() - before);
  }
  fmt::print(
      "commit of {:3} payments ({} KB): p50 {} us, p99 {} us, {:.1f} us a payment; floor p50 {} us; ratio "
      "{:.2f}\n",
      payments, packed.record().size() / 1024, commits.at(0.5), commits.at(0.99),
      static_cast<double>(commits.busy) / static_cast<double>(ticks * payments), floors.at(0.5),
      static_cast<double>(commits.at(0.5)) / static_cast<double>(floors.at(0.5)));
  fmt::print("  CPU a payment: {:.1f} us here, {:.1f} us in the server\n",
             double(own) / double(ticks * payments),
             double(server_cpu_us(database) - server_before) / double(ticks * payments));
}

void measure_reads(const test::ScratchDatabase& database) {
  auto opened = database.open();
  CHECK(opened.has_value());
  ServerStore& store = **opened;
  store.begin_tick();
  const contract::Table& table = test::table<Balance>();
  const auto key_of = [&](uint64_t number) {
    Balance balance;
    balance.set_account_id(uuid(number));
    return table.key_of(balance);
  };
  const auto timed = [](const char* what, uint64_t count, const auto& work) {
    const Time before = system_clock().monotonic();
    for (uint64_t i = 0; i < count; ++i) work(i);
    fmt::print("{}: {:.2f} us\n", what, double(system_clock().monotonic() - before) / double(count));
  };
  timed("row of a tick, from the database", kWallets,
        [&](uint64_t i) { CHECK(store.tick_reader().get(table, key_of(i))); });
  timed("row of a tick, known", 100 * kReads,
        [&](uint64_t i) { CHECK(store.tick_reader().get(table, key_of(i % kWallets))); });
  timed("row of a query", kReads, [&](uint64_t i) { CHECK(store.get(table, key_of(i % kWallets))); });
  auto cold = database.open();
  std::vector<ExpectedRow> rows;
  rows.reserve(kWallets);
  for (uint64_t i = 0; i < kWallets; ++i) rows.push_back({.table = &table, .key = key_of(i)});
  const Time before = system_clock().monotonic();
  (*cold)->begin_tick();
  (*cold)->expect(rows);
  fmt::print("rows fetched together: {:.2f} us each\n",
             double(system_clock().monotonic() - before) / double(kWallets));
}

void measure(SqlServer server, uint64_t ticks) {
  const auto address = test::test_server(server);
  if (!address)
    return fmt::print("{} is not there\n", server == SqlServer::kPostgres ? "PostgreSQL" : "MariaDB");
  fmt::print("--- {}\n", server == SqlServer::kPostgres ? "PostgreSQL" : "MariaDB");
  const test::ScratchDatabase database(*address);
  auto opened = database.open();
  if (!opened) fmt::print("{}\n", opened.error().detail);
  CHECK(opened.has_value());
  for (uint64_t payments : {1, 8, 64}) measure_commits(database, **opened, ticks, payments);
  measure_reads(database);
}

}  // namespace
}  // namespace micropay

int main(int count, char** arguments) {
  const uint64_t ticks = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 300;
  for (auto server : {micropay::SqlServer::kPostgres, micropay::SqlServer::kMariadb})
    micropay::measure(server, ticks);
}
