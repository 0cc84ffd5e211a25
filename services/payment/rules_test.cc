// The rules of payments and refunds, a line a case.
#include "services/payment/rules.h"

#include <gtest/gtest.h>

namespace micropay::payment {
namespace {

constexpr Time kNoon = 1'700'000'000 * kSecond;

template <typename T>
std::string reason(const Result<T>& result) {
  return result ? "" : result.error().reason;
}

Money money(int64_t minor, const std::string& currency = "EUR") {
  Money money;
  money.set_currency(currency);
  money.set_minor(minor);
  return money;
}

PayerWallet wallet(const std::string& id, const std::string& currency = "EUR",
                   Account::Status status = Account::ACTIVE) {
  PayerWallet wallet;
  wallet.set_account_id(id);
  wallet.set_currency(currency);
  wallet.set_status(status);
  return wallet;
}

TEST(PaymentRules, ThePayeeIsNamedOnce) {
  CreatePaymentRequest request;
  EXPECT_EQ(reason(check_payee_named(request)), "payee_required");
  request.set_payee_email("bob@example.com");
  EXPECT_EQ(reason(check_payee_named(request)), "");
  request.set_payee_account_id("b");
  EXPECT_EQ(reason(check_payee_named(request)), "payee_ambiguous");
  request.clear_payee_email();
  EXPECT_EQ(reason(check_payee_named(request)), "");
}

TEST(PaymentRules, MistakesInOrder) {
  struct Case {
    PayerWallet payer, payee;
    std::string currency, reason, field;
  };
  const Case cases[] = {
      {wallet("a", "USD"), wallet("a", "USD"), "EUR", "same_account", "payeeEmail"},
      {wallet("a", "USD"), wallet("b", "USD"), "EUR", "currency_mismatch", "amount.currency"},
      {wallet("a", "EUR"), wallet("b", "EUR"), "EUR", "", ""},
  };
  for (const Case& c : cases) {
    const auto result = check_new_payment(c.payer, &c.payee, money(1, c.currency), "payeeEmail");
    EXPECT_EQ(reason(result), c.reason);
    EXPECT_EQ(result ? "" : result.error().field, c.field);
  }
}

TEST(PaymentRules, RefusalsInOrder) {
  struct Case {
    Account::Status payer, payee;
    std::string_view reason;
  };
  const Case cases[] = {
      {Account::FROZEN, Account::CLOSED, "account_frozen"},
      {Account::CLOSED, Account::FROZEN, "account_closed"},
      {Account::CLOSING, Account::ACTIVE, "account_closed"},
      {Account::ACTIVE, Account::FROZEN, "account_frozen"},
      {Account::ACTIVE, Account::CLOSING, "account_closed"},
      {Account::ACTIVE, Account::ACTIVE, ""},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(wallet_refusal(wallet("a", "EUR", c.payer), wallet("b", "EUR", c.payee)), c.reason);
    EXPECT_EQ(c.reason.empty(), detail_of(c.reason).empty());
  }
  EXPECT_FALSE(detail_of("limit_exceeded").empty());
  EXPECT_EQ(payee_refusal(wallet("b", "USD", Account::FROZEN), money(1, "EUR")), "account_frozen");
  EXPECT_EQ(payee_refusal(wallet("b", "EUR", Account::CLOSING), money(1, "EUR")), "account_closed");
  EXPECT_EQ(payee_refusal(wallet("b", "USD"), money(1, "EUR")), "currency_mismatch");
  EXPECT_EQ(payee_refusal(wallet("b", "EUR"), money(1, "EUR")), "");
}

class LimitRules : public testing::Test {
 protected:
  bool may_spend(int64_t minor, Time at = kNoon, const std::string& currency = "EUR") {
    payer.set_currency(currency);
    return !limit_exceeded(payer, person, money(minor, currency), at);
  }
  void spend(int64_t minor, Time at = kNoon, const std::string& currency = "EUR") {
    count_spending(person, money(minor, currency), at);
  }
  void staff_sets(const std::string& account, const std::string& currency, int64_t day) {
    StaffLimits limits;
    limits.set_account_id(account);
    limits.set_currency(currency);
    limits.mutable_limits()->set_per_day_minor(day);
    set_staff_limits(person, account, {limits});
  }
  PayerWallet payer = wallet("a");
  PayerPerson person;
};

TEST_F(LimitRules, APaymentAlone) {
  payer.mutable_limits()->set_per_payment_minor(100);
  EXPECT_TRUE(may_spend(100));
  EXPECT_FALSE(may_spend(101));
}

TEST_F(LimitRules, DayAndMonthCountWhatWasSpent) {
  payer.mutable_limits()->set_per_day_minor(100);
  payer.mutable_limits()->set_per_month_minor(150);
  spend(60);
  EXPECT_TRUE(may_spend(40));
  EXPECT_FALSE(may_spend(41));
  const Time next_day = kNoon + kDay;
  EXPECT_TRUE(may_spend(90, next_day));
  EXPECT_FALSE(may_spend(91, next_day));  // the month
  spend(90, next_day);
  EXPECT_FALSE(may_spend(1, next_day));
  const Time next_month = start_of_month(kNoon) + 32 * kDay;
  EXPECT_TRUE(may_spend(100, next_month));
  spend(100, next_month);
  EXPECT_EQ(person.spent(0).month_minor(), 100);
}

TEST_F(LimitRules, ASumThatDoesNotFitIsOverTheLimit) {
  payer.mutable_limits()->set_per_day_minor(INT64_MAX - 1);
  spend(INT64_MAX);
  spend(INT64_MAX);
  EXPECT_EQ(person.spent(0).day_minor(), INT64_MAX);
  EXPECT_FALSE(may_spend(1));
  staff_sets("", "IDR", INT64_MAX - 1);
  payer.clear_limits();
  EXPECT_FALSE(may_spend(1));
}

TEST_F(LimitRules, WhatAWalletAllowsIsOfItsCurrency) {
  payer.mutable_limits()->set_per_day_minor(100);
  spend(1'000, kNoon, "USD");
  EXPECT_TRUE(may_spend(100));
  EXPECT_FALSE(may_spend(101));
}

TEST_F(LimitRules, WhatStaffSetsIsOfEverything) {
  staff_sets("other", "EUR", 1'000);
  spend(575, kNoon, "USD");  // about 5.00 euros
  EXPECT_TRUE(may_spend(500));
  EXPECT_FALSE(may_spend(501));
  EXPECT_TRUE(may_spend(890, kNoon, "JPY"));
  EXPECT_FALSE(may_spend(891, kNoon, "JPY"));
  EXPECT_TRUE(may_spend(1'000, kNoon + kDay));
  staff_sets("", "JPY", 89);  // each holds
  EXPECT_FALSE(may_spend(1));
  staff_sets("", "JPY", 0);
  EXPECT_TRUE(may_spend(500));
  staff_sets("other", "EUR", 0);
  EXPECT_EQ(person.limits_size(), 0);
  EXPECT_TRUE(may_spend(50'000));
}

TEST_F(LimitRules, SpendingIsGivenBackWithinItsDayAndMonth) {
  const auto day = [&] { return person.spent(0).day_minor(); };
  spend(60);
  give_back(person, money(60), kNoon);
  EXPECT_EQ(day(), 0);
  EXPECT_EQ(person.spent(0).month_minor(), 0);
  spend(60);
  spend(5, kNoon + kDay);
  give_back(person, money(60), kNoon);  // yesterday's
  EXPECT_EQ(day(), 5);
  EXPECT_EQ(person.spent(0).month_minor(), 5);
  give_back(person, money(60), kNoon + kDay);
  EXPECT_EQ(day(), 0);  // never below zero
}

TEST(PaymentRules, OnlyAnOpenPaymentIsCancelled) {
  for (int status = 0; status <= Payment::Status_MAX; ++status) {
    Payment payment;
    payment.set_status(Payment::Status(status));
    const bool open = status == Payment::PENDING || status == Payment::IN_REVIEW;
    EXPECT_EQ(reason(check_cancel(payment)), open ? "" : "payment_not_cancellable") << status;
  }
}

TEST(PaymentRules, RefundsTogetherNeverExceedThePayment) {
  struct Case {
    Payment::Status status;
    int64_t refunded, refunding;
    uint32_t refunds;
    int64_t asked;  // 0: what is left
    std::string currency, reason;
    int64_t minor;
  };
  const Case cases[] = {
      {Payment::COMPLETED, 0, 0, 0, 0, "EUR", "", 100},
      {Payment::COMPLETED, 0, 0, 0, 100, "EUR", "", 100},
      {Payment::COMPLETED, 0, 0, 0, 101, "EUR", "refund_exceeds_payment", 0},
      {Payment::COMPLETED, 0, 30, 1, 71, "EUR", "refund_exceeds_payment", 0},
      {Payment::PARTIALLY_REFUNDED, 40, 30, 2, 0, "EUR", "", 30},
      {Payment::PARTIALLY_REFUNDED, 40, 30, 2, 30, "EUR", "", 30},
      {Payment::PARTIALLY_REFUNDED, 40, 60, 2, 0, "EUR", "refund_exceeds_payment", 0},
      {Payment::PARTIALLY_REFUNDED, 40, 0, 2, 10, "USD", "currency_mismatch", 0},
      {Payment::PARTIALLY_REFUNDED, 40, 0, 99, 10, "EUR", "", 10},
      {Payment::PARTIALLY_REFUNDED, 40, 0, 100, 10, "EUR", "too_many_refunds", 0},
      {Payment::REFUNDED, 100, 0, 1, 0, "EUR", "refund_exceeds_payment", 0},
      {Payment::PROCESSING, 0, 0, 0, 1, "USD", "payment_not_refundable", 0},
      {Payment::FAILED, 0, 0, 0, 0, "EUR", "payment_not_refundable", 0},
  };
  for (const Case& c : cases) {
    Payment payment;
    payment.set_status(c.status);
    *payment.mutable_amount() = money(100);
    payment.set_refunded_minor(c.refunded);
    payment.set_refunding_minor(c.refunding);
    payment.set_refunds(c.refunds);
    CreateRefundRequest request;
    if (c.asked != 0) *request.mutable_amount() = money(c.asked, c.currency);
    const auto amount = refund_amount(payment, request);
    EXPECT_EQ(reason(amount), c.reason) << c.refunded << " " << c.refunding << " " << c.asked;
    if (amount) {
      EXPECT_EQ(amount->minor(), c.minor);
    }
  }
}

TEST(PaymentRules, WhoSeesAPaymentAndWhoActs) {
  Payment payment;
  payment.set_payer_user_id("a");
  payment.set_payee_user_id("b");
  payment.set_status(Payment::COMPLETED);
  struct Case {
    std::string user;
    uint32_t role;
    bool sees, acts;
  };
  const Case cases[] = {{"a", USER, true, false},    {"b", USER, true, false},   {"c", USER, false, false},
                        {"c", AUDITOR, true, false}, {"c", SUPPORT, true, true}, {"c", ADMIN, true, true}};
  for (const Case& c : cases) {
    const Principal principal{.kind = Principal::Kind::kUser, .user_id = c.user, .role_bits = 1u << c.role};
    EXPECT_EQ(may_see(principal, payment), c.sees) << c.user << c.role;
    EXPECT_EQ(may_act(principal), c.acts) << c.user << c.role;
  }
}

TEST(PaymentRules, APayeeSeesNothingOfWhatNeverWas) {
  Payment payment;
  payment.set_payer_user_id("a");
  payment.set_payee_user_id("b");
  const auto sees = [&](const std::string& user, uint32_t role) {
    return may_see({.kind = Principal::Kind::kUser, .user_id = user, .role_bits = 1u << role}, payment);
  };
  for (const Payment::Status status :
       {Payment::PENDING, Payment::IN_REVIEW, Payment::FAILED, Payment::CANCELLED}) {
    payment.set_status(status);
    EXPECT_FALSE(sees("b", USER)) << status;
    EXPECT_TRUE(sees("a", USER)) << status;
    EXPECT_TRUE(sees("c", AUDITOR)) << status;
  }
  for (const Payment::Status status :
       {Payment::PROCESSING, Payment::COMPLETED, Payment::PARTIALLY_REFUNDED, Payment::REFUNDED}) {
    payment.set_status(status);
    EXPECT_TRUE(sees("b", USER)) << status;
  }
}

}  // namespace
}  // namespace micropay::payment
