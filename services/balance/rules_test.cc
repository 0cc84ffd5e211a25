// Rules of single balances as tables of cases: rejections in order of precedence, movements against their
// inverse.
#include "services/balance/rules.h"

#include <gtest/gtest.h>

#include <random>

#include "libs/base/ids.h"
#include "libs/base/money.h"
#include "services/balance/trial_balance.h"

namespace micropay::balance {
namespace {

Balance account(std::string id, int64_t posted, int64_t reserved = 0, std::string currency = "EUR") {
  Balance balance;
  balance.set_account_id(std::move(id));
  balance.set_currency(std::move(currency));
  balance.set_posted_minor(posted);
  balance.set_reserved_minor(reserved);
  return balance;
}

Money eur(int64_t minor) {
  Money money;
  money.set_currency("EUR");
  money.set_minor(minor);
  return money;
}

TEST(Refuse, InOrderOfPrecedence) {
  const Balance rich = account("a", 1000), poor = account("b", 100, 40),
                dollars = account("c", 1000, 0, "USD");
  Balance closed = account("d", 0), system = account("e", -50), full = account("f", kMaxBalanceMinor - 5);
  closed.set_closed(true);
  system.set_may_go_negative(true);
  Balance closed_dollars = dollars;
  closed_dollars.set_closed(true);
  struct Case {
    const char* what;
    const Balance *from, *to;
    int64_t minor, incoming;
    std::string_view refusal;
  };
  const Case cases[] = {
      {"fits", &rich, &poor, 1000, 0, ""},
      {"fits exactly what is not reserved", &poor, &rich, 60, 0, ""},
      {"nothing", nullptr, nullptr, 0, 0, "invalid_amount"},
      {"negative", &rich, &poor, -1, 0, "invalid_amount"},
      {"beyond the bound", &rich, &poor, kMaxMinor + 1, 0, "invalid_amount"},
      {"no payer", nullptr, &rich, 1, 0, "account_not_found"},
      {"no payee", &rich, nullptr, 1, 0, "account_not_found"},
      {"to itself", &closed, &closed, 1, 0, "accounts_must_differ"},
      {"closed before currency", &closed_dollars, &rich, 1, 0, "account_closed"},
      {"closed payee", &rich, &closed, 1, 0, "account_closed"},
      {"currency of the payer", &dollars, &rich, 1, 0, "currency_mismatch"},
      {"currency of the payee before funds", &poor, &dollars, 5000, 0, "currency_mismatch"},
      {"one cent too much", &poor, &rich, 61, 0, "insufficient_funds"},
      {"funds that are certain to come", &poor, &rich, 61, 1, ""},
      {"but not more of them", &poor, &rich, 62, 1, "insufficient_funds"},
      {"a system account goes negative", &system, &rich, 500, 0, ""},
      {"the payee holds no more", &rich, &full, 6, 0, "balance_limit_exceeded"},
      {"up to the limit", &rich, &full, 5, 0, ""},
  };
  for (const Case& c : cases) EXPECT_EQ(refuse(c.from, c.to, eur(c.minor), c.incoming), c.refusal) << c.what;
}

TEST(CanPost, DebitsAreCovered) {
  Balance wallet = account("a", 100, 30), system = account("s", 0);
  system.set_may_go_negative(true);
  struct Case {
    const char* what;
    const Balance* balance;
    int64_t delta, covered;
    bool can;
  };
  const Case cases[] = {
      {"a credit", &wallet, 500, 0, true},
      {"a debit of what is free", &wallet, -70, 0, true},
      {"not of what is held for others", &wallet, -71, 0, false},
      {"covered by its own hold, released just now", &wallet, -70, 70, true},
      {"its hold and no more than is free besides", &wallet, -100, 40, false},
      {"a system account", &system, -kMaxMinor, 0, true},
  };
  for (const Case& c : cases) EXPECT_EQ(can_post(*c.balance, c.delta, c.covered), c.can) << c.what;
  Balance full = account("f", kMaxBalanceMinor);
  EXPECT_FALSE(can_post(full, 1, 0));
  Balance promised = account("p", kMaxBalanceMinor - 10);
  promised.set_pending_in_minor(7);  // nothing may take the room of what is certain to arrive
  EXPECT_TRUE(can_post(promised, 3, 0));
  EXPECT_FALSE(can_post(promised, 4, 0));
}

TEST(Movements, EndAsTheSumOfWhatHappened) {
  std::mt19937_64 random(7);
  Balance a = account("a", 0), b = account("b", 0);
  a.set_may_go_negative(true);
  __int128 posted_a = 0, posted_b = 0, held = 0;
  for (int i = 0; i < 20'000; ++i) {
    const int64_t minor = 1 + int64_t(random() % 1'000'000);
    switch (random() % 3) {
      case 0: hold(a, b, minor), held += minor; break;
      case 1:
        if (held >= minor) release(a, b, minor), held -= minor;
        break;
      default: post(a, -minor), post(b, minor), posted_a -= minor, posted_b += minor;
    }
    ASSERT_TRUE(a.posted_minor() == posted_a && b.posted_minor() == posted_b);
    ASSERT_TRUE(a.reserved_minor() == held && b.pending_in_minor() == held);
    ASSERT_EQ(a.posted_minor() + b.posted_minor(), 0);
  }
}

TEST(MovementsDeath, RefuseToBreakAnInvariant) {
  Balance a = account("a", 100), b = account("b", 0);
  EXPECT_DEATH(hold(a, b, 0), "");
  EXPECT_DEATH(hold(a, a, 5), "");
  EXPECT_DEATH(release(a, b, 1), "");
  EXPECT_DEATH(post(a, 0), "");
  EXPECT_DEATH(post(a, kMaxMinor + 1), "");
}

TEST(Balanced, PerCurrency) {
  const auto postings = [](std::initializer_list<std::pair<const char*, int64_t>> amounts) {
    google::protobuf::RepeatedPtrField<Posting> list;
    for (const auto& [currency, minor] : amounts) {
      Money& amount = *list.Add()->mutable_amount();
      amount.set_currency(currency);
      amount.set_minor(minor);
    }
    return list;
  };
  EXPECT_TRUE(balanced(postings({{"EUR", -5}, {"EUR", 5}})));
  EXPECT_TRUE(balanced(postings({{"EUR", -5}, {"EUR", 3}, {"EUR", 2}})));
  EXPECT_TRUE(balanced(postings({{"EUR", -5}, {"USD", -7}, {"EUR", 5}, {"USD", 7}})));
  EXPECT_FALSE(balanced(postings({})));
  EXPECT_FALSE(balanced(postings({{"EUR", 5}})));
  EXPECT_FALSE(balanced(postings({{"EUR", -5}, {"EUR", 4}})));
  EXPECT_FALSE(balanced(postings({{"EUR", -5}, {"USD", 5}})));
  EXPECT_FALSE(balanced(postings({{"EUR", 0}, {"EUR", 0}})));
  EXPECT_FALSE(balanced(postings({{"EUR", kMaxMinor + 1}, {"EUR", -kMaxMinor - 1}})));
}

TEST(CountEntry, KnowsTheFirstOfADay) {
  Balance balance = account("a", 0);
  const Time noon = *parse_time("2026-03-01T12:00:00Z");
  balance.set_updated_at(noon - kHour);  // opened today, no entry yet
  EXPECT_TRUE(count_entry(balance, noon));
  EXPECT_FALSE(count_entry(balance, noon + kHour));
  EXPECT_TRUE(count_entry(balance, *parse_time("2026-03-02T00:00:00Z")));
  EXPECT_EQ(balance.version(), 3u);
}

TEST(Close, OnlyWhenNothingIsThereOrOnItsWay) {
  Balance balance = account("a", 0);
  EXPECT_EQ(refuse_close(nullptr), "account_not_found");
  EXPECT_EQ(refuse_close(&balance), "");
  balance.set_pending_in_minor(1);
  EXPECT_EQ(refuse_close(&balance), "incoming_pending");
  balance = account("a", 10, 10);
  EXPECT_EQ(refuse_close(&balance), "balance_not_zero");
}

TEST(SystemAccount, HasTheIdThatAllServicesDerive) {
  const Balance fees = new_system_account("fees", "EUR");
  EXPECT_EQ(fees.account_id(), derived_uuid("system:fees:EUR"));
  EXPECT_TRUE(fees.may_go_negative());
}

TEST(TrialBalance, SumsPerCurrencyAndNamesSystemAccounts) {
  TrialBalanceSums sums;
  Balance equity = new_system_account("equity", "EUR"), fees = new_system_account("fees", "EUR");
  equity.set_posted_minor(-11325 - 7);
  fees.set_posted_minor(7);
  sums.add(fees);
  sums.add(equity);
  for (int i = 1; i <= 150; ++i) sums.add(account(fmt::format("w{:03}", i), 1 + i * 7 % 150));
  sums.add(account("usd", 5, 0, "USD"));
  const TrialBalance answer = sums.finish(1);
  EXPECT_FALSE(answer.balanced());  // the dollar has no other side
  ASSERT_EQ(answer.currencies_size(), 2);
  const TrialBalanceCurrency& eur_line = answer.currencies(0);
  EXPECT_EQ(eur_line.sum().minor(), 0);
  EXPECT_EQ(eur_line.debits().minor(), -11332);
  EXPECT_EQ(eur_line.credits().minor(), 11332);
  EXPECT_EQ(eur_line.accounts(), 152);
  ASSERT_EQ(eur_line.lines_size(), 102);
  EXPECT_EQ(eur_line.lines(0).name(), "equity");
  EXPECT_EQ(eur_line.lines(1).name(), "fees");
  EXPECT_EQ(eur_line.lines(2).balance().minor(), 150);
  EXPECT_EQ(eur_line.lines(101).balance().minor(), 51);
  EXPECT_EQ(answer.currencies(1).sum().minor(), 5);
  EXPECT_EQ(eur_line.debits_value(), "-113.32");
  EXPECT_EQ(eur_line.credits_value(), "113.32");
  EXPECT_EQ(eur_line.sum_value(), "0.00");
}

// Nine wallets that hold the most that one can are more than an amount holds: it ended the process once.
TEST(TrialBalance, TellsSumsThatNoAmountHolds) {
  for (const char* currency : {"EUR", "JPY"}) {
    TrialBalanceSums sums;
    for (int i = 0; i < 9; ++i) {
      sums.add(account(fmt::format("w{}", i), kMaxBalanceMinor, 0, currency));
      Balance equity = new_system_account(fmt::format("equity:{}", i), currency);
      equity.set_posted_minor(-kMaxBalanceMinor);
      sums.add(equity);
    }
    const TrialBalance answer = sums.finish(1);
    ASSERT_TRUE(answer.balanced());
    const TrialBalanceCurrency& total = answer.currencies(0);
    const bool yen = std::string_view(currency) == "JPY";
    EXPECT_EQ(total.credits_value(), yen ? "10376293541461622784" : "103762935414616227.84");
    EXPECT_EQ(total.debits_value(), "-" + total.credits_value());
    EXPECT_EQ(total.sum_value(), yen ? "0" : "0.00");
    EXPECT_FALSE(total.has_credits() || total.has_debits()) << "no amount says something else";
    EXPECT_TRUE(total.has_sum());
    EXPECT_EQ(total.lines(9).balance().minor(), kMaxBalanceMinor);
  }
}

// What is held of a system account has a bound of its own: it may be far above zero and far below.
TEST(Refuse, NoAccountHoldsMoreThanItCan) {
  Balance system = account("s", kMaxBalanceMinor, kMaxBalanceMinor - 3), wallet = account("w", 0);
  system.set_may_go_negative(true);
  EXPECT_EQ(refuse(&system, &wallet, eur(3)), "");
  EXPECT_EQ(refuse(&system, &wallet, eur(4)), "balance_limit_exceeded");
  hold(system, wallet, 3);
  EXPECT_EQ(refuse(&system, &wallet, eur(1)), "balance_limit_exceeded");
}

TEST(Refuse, WhatIsPromisedCanArrive) {
  Balance rich = account("r", 1'000), full = account("f", kMaxBalanceMinor - 5);
  full.set_pending_in_minor(3);
  EXPECT_EQ(refuse(&rich, &full, eur(2)), "");
  EXPECT_EQ(refuse(&rich, &full, eur(3)), "balance_limit_exceeded");
}

}  // namespace
}  // namespace micropay::balance
