// The rules of wallets and top-ups, a line a case; and the sandbox provider, method by method.
#include "services/account/rules.h"

#include <gtest/gtest.h>

#include "libs/base/money.h"
#include "services/account/effects/sandbox.h"

namespace micropay::account {
namespace {

std::string reason(const Result<void>& result) { return result ? "" : result.error().reason; }

TEST(AccountRules, AUserHasSoManyOpenWallets) {
  EXPECT_EQ(reason(check_open(0, 20)), "");
  EXPECT_EQ(reason(check_open(19, 20)), "");
  EXPECT_EQ(reason(check_open(20, 20)), "too_many_accounts");
  EXPECT_EQ(check_open(20, 20).error().code, Code::kFailedPrecondition);
}

TEST(AccountRules, StatusDecidesWhatMayBeDone) {
  struct Case {
    Account::Status status;
    std::string active, unfreeze, close;
  };
  const Case cases[] = {
      {Account::ACTIVE, "", "account_not_frozen", ""},
      {Account::FROZEN, "account_frozen", "", "account_frozen"},
      {Account::CLOSING, "account_closing", "account_not_frozen", "account_closing"},
      {Account::CLOSED, "account_closed", "account_not_frozen", "account_closed"},
  };
  for (const Case& c : cases) {
    Account account;
    account.set_status(c.status);
    EXPECT_EQ(reason(check_active(account)), c.active) << c.status;
    EXPECT_EQ(reason(check_unfreeze(account)), c.unfreeze) << c.status;
    EXPECT_EQ(reason(check_close(account)), c.close) << c.status;
  }
}

// A wallet that is being closed took money: it would have been closed with it, or never.
TEST(AccountRules, WhatIsClosingTakesNoMoney) {
  const std::pair<Account::Status, bool> cases[] = {
      {Account::ACTIVE, true}, {Account::FROZEN, true}, {Account::CLOSING, false}, {Account::CLOSED, false}};
  for (const auto& [status, takes] : cases) {
    Account account;
    account.set_status(status);
    EXPECT_EQ(takes_money(account), takes) << Account::Status_Name(status);
  }
}

TEST(AccountRules, ClosingWaitsForTopUps) {
  Account account;
  account.set_pending_top_ups(1);
  EXPECT_EQ(reason(check_close(account)), "top_up_pending");
}

TEST(AccountRules, LimitsOfLongerPeriodsAreNotSmaller) {
  struct Case {
    int64_t payment, day, month;
    std::string field;
  };
  const Case cases[] = {
      {0, 0, 0, ""},
      {10, 20, 30, ""},
      {10, 10, 10, ""},
      {10, 0, 0, ""},
      {0, 20, 0, ""},
      {0, 0, 30, ""},
      {11, 10, 30, "limits.perDay"},
      {10, 31, 30, "limits.perMonth"},
      {31, 0, 30, "limits.perMonth"},
  };
  for (const Case& c : cases) {
    Limits limits;
    limits.set_per_payment_minor(c.payment);
    limits.set_per_day_minor(c.day);
    limits.set_per_month_minor(c.month);
    const auto result = check_limits(limits, "limits");
    EXPECT_EQ(result ? "" : result.error().field, c.field) << c.payment << " " << c.day << " " << c.month;
  }
}

TEST(AccountRules, LimitsHaveOneCurrency) {
  struct Case {
    std::string payment, day, currency;  // of the amounts, and what they should be in
    std::string field;
  };
  const Case cases[] = {
      {"EUR", "EUR", "EUR", ""},
      {"EUR", "EUR", "", ""},
      {"", "USD", "", ""},
      {"", "", "EUR", ""},
      {"USD", "EUR", "EUR", "limits.perPayment.currency"},
      {"EUR", "USD", "EUR", "limits.perDay.currency"},
      {"USD", "EUR", "", "limits.perDay.currency"},
  };
  for (const Case& c : cases) {
    Limits asked;
    if (!c.payment.empty())
      asked.mutable_per_payment()->set_currency(c.payment), asked.mutable_per_payment()->set_minor(5);
    if (!c.day.empty()) asked.mutable_per_day()->set_currency(c.day), asked.mutable_per_day()->set_minor(7);
    const auto limits = complete_limits(asked, c.currency, "limits");
    EXPECT_EQ(limits ? "" : limits.error().field, c.field);
    if (!limits) continue;
    EXPECT_EQ(limits->per_payment_minor(), c.payment.empty() ? 0 : 5);
    EXPECT_EQ(limits->per_day_minor(), c.day.empty() ? 0 : 7);
    EXPECT_EQ(limits->has_per_day(), !c.day.empty());
    EXPECT_FALSE(limits->has_per_month());
  }
}

// What an instance of before sends.
TEST(AccountRules, LimitsInMinorUnitsGetTheirAmounts) {
  Limits asked;
  asked.set_per_day_minor(7);
  const auto limits = complete_limits(asked, "JPY", "limits");
  ASSERT_TRUE(limits);
  EXPECT_EQ(limits->per_day().currency(), "JPY");
  EXPECT_EQ(limits->per_day().minor(), 7);
}

// An attacker would find: 10,000.01 rupiah, half a euro, were over the limit, and a hundred million euros in
// dinars were not. No currency that is in use is left with a limit of an amount that nobody means.
TEST(AccountRules, ALimitIsAboutAsMuchInEveryCurrency) {
  Limits euros;
  euros.set_per_payment_minor(1'000'000);
  euros.set_per_day_minor(2'500'000);
  const std::pair<const char*, int64_t> payments[] = {{"EUR", 1'000'000},      {"USD", 1'150'000},
                                                      {"JPY", 1'780'000},      {"KWD", 3'550'000},
                                                      {"IDR", 19'200'000'000}, {"IRR", 1'000'000'000'000}};
  for (const auto& [currency, minor] : payments) {
    const Limits limits = in_currency(euros, currency);
    EXPECT_EQ(limits.per_payment_minor(), minor) << currency;
    EXPECT_EQ(limits.per_payment().currency(), currency);
    EXPECT_EQ(limits.per_payment().minor(), minor);
    EXPECT_TRUE(check_limits(limits, "limits"));
    EXPECT_FALSE(limits.has_per_month());
  }
  EXPECT_EQ(in_currency(kMaxMinor, "IRR"), kMaxMinor);
}

TEST(AccountRules, LimitsByCurrencyAreRead) {
  const auto table = parse_limits_by_currency("JPY=1000/2000/3000, KWD = 1.000//5");
  ASSERT_TRUE(table);
  EXPECT_EQ(table->at("JPY").per_month_minor(), 3000);
  EXPECT_EQ(table->at("KWD").per_payment_minor(), 1000);
  EXPECT_EQ(table->at("KWD").per_day_minor(), 0);
  EXPECT_EQ(table->at("KWD").per_month().minor(), 5000);
  EXPECT_TRUE(parse_limits_by_currency("")->empty());
  for (const char* bad : {"JPY", "JPY=1.5", "XXQ=1", "JPY=1/2/3/4", "JPY=-1", "JPY=1;KWD=1"})
    EXPECT_FALSE(parse_limits_by_currency(bad)) << bad;
}

TEST(AccountRules, NothingBeginsInAWithdrawnCurrency) {
  for (const char* currency : {"EUR", "XCG", "ZWG", "SLE", "VES"})
    EXPECT_TRUE(check_currency(currency)) << currency;
  for (const char* currency : {"ANG", "BGN", "HRK", "ZWL", "SLL", "CUC"})
    EXPECT_EQ(reason(check_currency(currency)), "currency_withdrawn") << currency;
}

TEST(AccountRules, FreezesOfWalletsAndHolders) {
  struct Case {
    Account::Status status;
    bool holder_frozen;
    FreezeScope scope;
    std::string reason;
  };
  const Case cases[] = {
      {Account::ACTIVE, false, FREEZE_SCOPE_UNSPECIFIED, ""},
      {Account::ACTIVE, false, WALLET, ""},
      {Account::FROZEN, false, FREEZE_SCOPE_UNSPECIFIED, "account_frozen"},
      {Account::FROZEN, false, WALLET, "account_frozen"},
      {Account::FROZEN, false, HOLDER, ""},
      {Account::FROZEN, true, HOLDER, "account_frozen"},
      {Account::CLOSING, false, HOLDER, "account_closing"},
      {Account::CLOSED, true, HOLDER, "account_closed"},
  };
  for (const Case& c : cases) {
    Account account;
    account.set_status(c.status);
    EXPECT_EQ(reason(check_freeze(account, c.holder_frozen, c.scope)), c.reason) << c.status << c.scope;
  }
  Account account;
  EXPECT_EQ(reason(check_unfreeze_wallet(account, WALLET)), "account_not_frozen");
  account.set_status(Account::FROZEN);
  EXPECT_EQ(reason(check_unfreeze_wallet(account, WALLET)), "");
  account.set_frozen_with_holder(true);
  EXPECT_EQ(reason(check_unfreeze_wallet(account, WALLET)), "user_frozen");
  EXPECT_EQ(reason(check_unfreeze_wallet(account, HOLDER)), "");
  AccountHolder holder;
  EXPECT_EQ(reason(check_holder_frozen(holder, true)), "user_not_frozen");
  holder.set_frozen(true);
  EXPECT_EQ(reason(check_holder_frozen(holder, false)), "user_frozen");
}

TEST(AccountRules, TopUpRefusalsInOrder) {
  struct Case {
    Account::Status status;
    std::string currency;
    int64_t minor;
    std::string reason;
  };
  const Case cases[] = {
      {Account::FROZEN, "USD", 1001, "account_frozen"},
      {Account::ACTIVE, "USD", 1001, "currency_mismatch"},
      {Account::ACTIVE, "EUR", 1001, "top_up_too_large"},
      {Account::ACTIVE, "EUR", 1000, ""},
  };
  for (const Case& c : cases) {
    Account account;
    account.set_status(c.status);
    account.set_currency("EUR");
    Money amount;
    amount.set_currency(c.currency);
    amount.set_minor(c.minor);
    EXPECT_EQ(reason(check_top_up(account, amount, 1000)), c.reason);
  }
}

TEST(AccountRules, DeclinesHaveStableReasons) {
  EXPECT_EQ(failure_reason("do_not_honour"), "declined");
  EXPECT_EQ(failure_reason(""), "declined");
  EXPECT_EQ(failure_reason("challenge_failed"), "challenge_failed");
  EXPECT_EQ(failure_reason("unsupported_payment_method"), "unsupported_payment_method");
}

using Kind = Outcome<ProviderOutcome>::Kind;

ProviderCall call(const std::string& method,
                  ProviderCall::Operation operation = ProviderCall::AUTHORISE_AND_CAPTURE) {
  ProviderCall call;
  call.set_operation(operation);
  call.set_provider("sandbox");
  call.set_reference_id("018f2a54-0000-7000-8000-000000000001");
  call.set_payment_method(method);
  return call;
}

TEST(Sandbox, EachMethodDoesWhatItsNameSays) {
  struct Case {
    std::string method;
    Kind kind;
    ProviderOutcome::Status status;
    std::string decline;
  };
  const Case cases[] = {
      {"card_ok", Kind::kDone, ProviderOutcome::SUCCEEDED, ""},
      {"bank_ok", Kind::kDone, ProviderOutcome::SUCCEEDED, ""},
      {"card_declined", Kind::kDone, ProviderOutcome::DECLINED, "do_not_honour"},
      {"card_challenge", Kind::kDone, ProviderOutcome::ACTION_REQUIRED, ""},
      {"card_timeout", Kind::kUnknown, ProviderOutcome::SUCCEEDED, ""},
      {"cowries", Kind::kDone, ProviderOutcome::DECLINED, "unsupported_payment_method"},
  };
  SandboxProvider sandbox;
  for (const Case& c : cases) {
    for (int repeat = 0; repeat < 2; ++repeat) {  // a repeated key gets the same answer
      const auto outcome = sandbox.perform(call(c.method), "key");
      EXPECT_EQ(outcome.kind, c.kind) << c.method;
      EXPECT_EQ(outcome.response.status(), c.status) << c.method;
      EXPECT_EQ(outcome.response.decline_reason(), c.decline) << c.method;
    }
  }
}

TEST(Sandbox, ATimeoutIsKnownAfterTheThirdQuestion) {
  SandboxProvider sandbox;
  EXPECT_EQ(sandbox.perform(call("card_timeout"), "a").kind, Kind::kUnknown);
  EXPECT_EQ(sandbox.poll(call("card_timeout"), "a").kind, Kind::kUnknown);
  EXPECT_EQ(sandbox.poll(call("card_timeout"), "b").kind, Kind::kUnknown);  // each key counts for itself
  EXPECT_EQ(sandbox.poll(call("card_timeout"), "a").kind, Kind::kUnknown);
  const auto known = sandbox.poll(call("card_timeout"), "a");
  EXPECT_EQ(known.kind, Kind::kDone);
  EXPECT_EQ(known.response.status(), ProviderOutcome::SUCCEEDED);
}

TEST(Sandbox, OneCodeConfirmsAChallenge) {
  SandboxProvider sandbox;
  ProviderCall confirm = call("card_challenge", ProviderCall::CONFIRM);
  confirm.set_challenge_code("123456");
  EXPECT_EQ(sandbox.perform(confirm, "k").response.status(), ProviderOutcome::SUCCEEDED);
  confirm.set_challenge_code("000000");
  EXPECT_EQ(sandbox.perform(confirm, "k").response.decline_reason(), "challenge_failed");
}

TEST(Providers, ACallGoesToTheProviderItNames) {
  const auto providers = make_providers();
  EXPECT_TRUE(providers->knows("sandbox"));
  EXPECT_FALSE(providers->knows("stripe"));
  ProviderCall unknown = call("card_ok");
  EXPECT_EQ(providers->perform(unknown, "k").kind, Kind::kDone);
  unknown.set_provider("stripe");
  EXPECT_EQ(providers->perform(unknown, "k").kind, Kind::kFailed);
  EXPECT_EQ(providers->poll(unknown, "k").kind, Kind::kFailed);
}

}  // namespace
}  // namespace micropay::account
