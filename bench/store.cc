// The store on this machine: commits of ticks like those of 64 payments, rows applied, reads.
// build/bench_store; the same numbers that decisions/0001 speaks of.
#include "contracts/payment.pb.h"
#include "libs/base/check.h"
#include "libs/store/store_twin.h"

namespace micropay {
namespace {

using test::put;
using test::uuid;

constexpr uint64_t kPayments = 64;  // a tick
constexpr uint64_t kTicks = 1'500;
constexpr uint64_t kReads = 2'000'000;

// A payment's own rows, two hot rows, and eight events: about 2 KB, as measured of the real thing.
Tick payments_tick(test::TickMaker& ticks, uint64_t first) {
  std::vector<RowChange> changes;
  for (uint64_t i = first; i < first + kPayments; ++i) {
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
    for (uint64_t hot : {i % 997, i % 991}) {
      PayerWallet wallet;
      wallet.set_account_id(uuid(hot));
      wallet.set_user_id(uuid(hot));
      wallet.set_currency("EUR");
      changes.push_back(put(wallet));
    }
  }
  return ticks.next(std::move(changes), kPayments * 8);
}

void measure_commits(EmbeddedStore& store, const Clock& clock) {
  test::TickMaker ticks;
  std::vector<Time> took;
  Time busy = 0;
  for (uint64_t i = 0; i < kTicks; ++i) {
    Tick tick = payments_tick(ticks, i * kPayments);
    Time before = clock.monotonic();
    CHECK(store.commit(std::move(tick)));
    took.push_back(clock.monotonic() - before);
    busy += took.back();
  }
  uint64_t unapplied = store.stats().unapplied_ticks;
  Time before = clock.monotonic();
  CHECK(store.catch_up());
  Time applied = clock.monotonic() - before;
  std::ranges::sort(took);
  EmbeddedStats stats = store.stats();
  fmt::print("commit of {} payments: {:.0f} ticks/s, {:.0f} payments/s; p50 {} us, p99 {} us, worst {} us\n",
             kPayments, kTicks * 1e6 / double(busy), kTicks * kPayments * 1e6 / double(busy),
             took[kTicks / 2], took[kTicks * 99 / 100], took.back());
  fmt::print("of it write and sync {} us a tick; log {} bytes a payment, tables {}\n",
             stats.fsync_us_total / kTicks, stats.log_bytes / kTicks / kPayments,
             stats.table_bytes / kTicks / kPayments);
  if (unapplied > 0)
    fmt::print("applier: {} ticks behind at the end, then {:.0f} rows/s\n", unapplied,
               double(unapplied * kPayments) * 4e6 / double(applied));
}

void measure_reads(EmbeddedStore& store, const Clock& clock) {
  const contract::Table& payments = test::table<Payment>();
  std::string key =
      payments.key_of(*store.get(payments, *payments.encode_key({uuid(kTicks * kPayments - 1)})));
  Time before = clock.monotonic();
  for (uint64_t i = 0; i < kReads; ++i) CHECK(store.get(payments, key) != nullptr);
  fmt::print("cached get {:.0f} ns\n", double(clock.monotonic() - before) * 1e3 / kReads);
  std::string absent = *payments.encode_key({uuid(1ull << 45)});
  before = clock.monotonic();
  for (uint64_t i = 0; i < kReads / 20; ++i) CHECK(store.get(payments, absent) == nullptr);
  fmt::print("get from the tables {:.0f} ns\n", double(clock.monotonic() - before) * 2e4 / kReads);
}

void run() {
  test::ScratchFolder folder;
  auto store = EmbeddedStore::open({.folder = folder.at("data")}, contract::model(), nullptr);
  CHECK(store.has_value());
  measure_commits(**store, system_clock());
  measure_reads(**store, system_clock());
}

}  // namespace
}  // namespace micropay

int main() { micropay::run(); }
