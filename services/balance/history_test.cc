// Random histories of payments, top-ups, failures and part settlements through the service, against sums kept
// in 128 bits.
#include <gtest/gtest.h>

#include <random>

#include "contracts/account.pb.h"
#include "contracts/payment.pb.h"
#include "libs/base/ids.h"
#include "libs/runtime/testing.h"
#include "services/balance/rules.h"
#include "services/balance/service.h"

namespace micropay::balance {
namespace {

constexpr int kAccounts = 5;

struct Held {
  std::string id;
  int from, to;
  int64_t minor;
};

class History {
 public:
  explicit History(uint64_t seed) : random_(seed), world_({balance_service({settings_, ""})}) {
    for (int i = 0; i < kAccounts; ++i) {
      AccountCreated event;
      event.set_account_id(account(i));
      event.set_currency("EUR");
      world_.given(event);
    }
  }

  void step() {
    switch (random_() % 5) {
      case 0: return top_up(int(random_() % kAccounts), 1 + int64_t(random_() % 1000));
      case 1:
      case 2:
        return initiate(int(random_() % kAccounts), int(random_() % kAccounts), 1 + int64_t(random_() % 800));
      case 3: return end(true);
      default: return end(false);
    }
  }

  void check() {
    __int128 all = 0;
    for (int i = 0; i < kAccounts; ++i) {
      const Balance& row = *world_.find<Balance>(account(i));
      __int128 reserved = 0, pending_in = 0;
      for (const Held& held : held_) {
        if (held.from == i) reserved += held.minor;
        if (held.to == i) pending_in += held.minor;
      }
      ASSERT_TRUE(row.posted_minor() == posted_[i]) << i;
      ASSERT_TRUE(row.reserved_minor() == reserved && row.pending_in_minor() == pending_in) << i;
      ASSERT_GE(available_minor(row), 0);
      all += row.posted_minor();
    }
    if (const Balance* provider = world_.find<Balance>(provider_)) all += provider->posted_minor();
    ASSERT_TRUE(all == 0);
  }

 private:
  std::string account(int i) const { return derived_uuid(fmt::format("account {}", i)); }
  std::string fresh_id() { return derived_uuid(fmt::format("id {}", ++ids_)); }
  void amount(Money& money, int64_t minor) {
    money.set_currency("EUR");
    money.set_minor(minor);
  }

  void settle(const std::string& from, const char* system, int to, int64_t minor,
              const std::string& reservation) {
    TransactionSettled event;
    event.set_transaction_id(fresh_id());
    event.set_key(event.transaction_id());
    event.set_kind("payment");
    Posting& debit = *event.add_postings();
    debit.set_account_id(from);
    debit.set_system_account(system);
    amount(*debit.mutable_amount(), -minor);
    Posting& credit = *event.add_postings();
    credit.set_account_id(account(to));
    amount(*credit.mutable_amount(), minor);
    event.set_reservation_id(reservation);
    event.set_release_rest(true);
    world_.given(event);
  }

  void top_up(int to, int64_t minor) {
    settle(provider_, "provider_settlement:sandbox", to, minor, {});
    posted_[to] += minor;
  }

  void initiate(int from, int to, int64_t minor) {
    PaymentInitiated event;
    event.set_payment_id(fresh_id());
    event.set_payer_account_id(account(from));
    event.set_payee_account_id(account(to));
    amount(*event.mutable_amount(), minor);
    world_.given(event);
    __int128 available = posted_[from];
    for (const Held& held : held_)
      if (held.from == from) available -= held.minor;
    const bool fits = from != to && available >= minor;
    if (fits) held_.push_back({event.payment_id(), from, to, minor});
    ASSERT_EQ(world_.find<Reservation>(event.payment_id()) != nullptr, fits);
  }

  void end(bool settled) {
    if (held_.empty()) return;
    const size_t which = random_() % held_.size();
    const Held held = held_[which];
    held_.erase(held_.begin() + ptrdiff_t(which));
    if (settled) {
      const int64_t minor = random_() % 4 == 0 ? 1 + int64_t(random_() % uint64_t(held.minor)) : held.minor;
      settle(account(held.from), "", held.to, minor, held.id);
      posted_[held.from] -= minor;
      posted_[held.to] += minor;
    } else {
      PaymentFailed event;
      event.set_payment_id(held.id);
      world_.given(event);
    }
    ASSERT_EQ(world_.find<Reservation>(held.id), nullptr);
  }

  std::mt19937_64 random_;
  Settings settings_;
  World world_;
  const std::string provider_ = system_account_id("provider_settlement:sandbox", "EUR");
  int ids_ = 0;
  __int128 posted_[kAccounts] = {};
  std::vector<Held> held_;
};

TEST(History, BalancesAreTheSumsOfWhatHappened) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    History history(seed);
    for (int i = 0; i < 400; ++i) {
      history.step();
      history.check();
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace micropay::balance
