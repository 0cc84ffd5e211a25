// The way of a payment through this service, and every way it ends otherwise. Given events come twice
// (World::given).
#include "services/payment/rules.h"
#include "services/payment/world_test.h"

namespace micropay {
namespace {

TEST_F(PaymentTest, TheWayOfAPayment) {
  const std::string id = begin();
  EXPECT_EQ(stored(id).status(), Payment::PENDING);
  decide(id, APPROVE);
  EXPECT_EQ(stored(id).status(), Payment::PROCESSING);
  booked(id, "payment");
  EXPECT_EQ(stored(id).status(), Payment::COMPLETED);
  EXPECT_EQ(stored(id).transaction_id(), id);
  EXPECT_EQ(world.events(), (Types{"payment.initiated", "payment.processing", "payment.completed"}));
  const PaymentProcessing processing = world.all<PaymentProcessing>().at(0);
  EXPECT_EQ(processing.payer_account_id(), test_id("1a"));
  EXPECT_EQ(processing.payee_account_id(), test_id("1b"));
  EXPECT_EQ(processing.amount().minor(), 500);
  EXPECT_EQ(world.all<PaymentCompleted>().at(0).payee_user_id(), test_id("0b"));
}

TEST_F(PaymentTest, RejectionsLeaveNothing) {
  struct Case {
    std::string payee, email, currency, reason, field;
    Code code;
  };
  open("2c", "0c", "USD");
  world.events();
  const Case cases[] = {
      {"", "", "EUR", "payee_required", "payeeAccountId", Code::kInvalidArgument},
      {test_id("1b"), "b@example.com", "EUR", "payee_ambiguous", "payeeEmail", Code::kInvalidArgument},
      {test_id("1a"), "", "EUR", "same_account", "payeeAccountId", Code::kInvalidArgument},
      {"", "a@example.com", "EUR", "same_account", "payeeEmail", Code::kInvalidArgument},
      {test_id("1b"), "", "USD", "currency_mismatch", "amount.currency", Code::kInvalidArgument},
  };
  for (const Case& c : cases) {
    CreatePaymentRequest bad = request();
    bad.set_payee_account_id(c.payee);
    bad.set_payee_email(c.email);
    bad.mutable_amount()->set_currency(c.currency);
    const auto result = world.call<Payment>(bad, alice);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().reason, c.reason);
    EXPECT_EQ(result.error().field, c.field);
    EXPECT_EQ(result.error().code, c.code);
  }
  EXPECT_EQ(world.events(), Types{});
  EXPECT_EQ(spent("0a"), 0);
}

TEST_F(PaymentTest, AnEmailLeadsToTheWalletOfTheCurrency) {
  open("2b", "0b", "USD");
  open("3b", "0b", "EUR");
  CreatePaymentRequest by_email = request();
  by_email.clear_payee_account_id();
  by_email.set_payee_email("b@example.com");
  EXPECT_EQ(stored(begin(by_email)).payee_account_id(), test_id("1b"));
  wallet_event<AccountClosed>("1b");
  EXPECT_EQ(stored(begin(by_email)).payee_account_id(), test_id("3b"));
  wallet_event<AccountClosed>("3b");
  EXPECT_EQ(stored(begin(by_email)).payee_refusal(), "currency_mismatch");
}

// Payments that fail at once are there, and say why; nothing is to be reserved for them.
TEST_F(PaymentTest, ImmediateFailures) {
  struct Case {
    std::function<void()> given;
    std::string payee, reason;
    int64_t minor;
  };
  const Case cases[] = {
      {[] {}, "1b", "limit_exceeded", 1'001},
      {[this] { wallet_event<AccountFrozen>("1a"); }, "1b", "account_frozen", 10},
  };
  for (const Case& c : cases) {
    c.given();
    world.events();
    const auto result = world.call<Payment>(request(c.minor, c.payee), alice);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().reason, c.reason);
    EXPECT_EQ(result.error().code, Code::kPaymentRequired);
    ASSERT_EQ(result.error().extensions.size(), 1u);
    EXPECT_EQ(result.error().extensions[0].first, "paymentId");
    const Payment& payment = stored(result.error().extensions[0].second);
    EXPECT_EQ(payment.status(), Payment::FAILED);
    EXPECT_EQ(payment.failure_reason(), c.reason);
    EXPECT_EQ(world.events(), (Types{"payment.initiated", "payment.failed"}));
    EXPECT_TRUE(world.all<PaymentInitiated>().back().refused());
    EXPECT_EQ(spent("0a"), 0);
  }
}

TEST_F(PaymentTest, LateFailures) {
  struct Case {
    std::function<void(const std::string&)> given;
    std::string reason;
  };
  const Case cases[] = {
      {[this](const std::string& id) { not_reserved(id, "payment", "insufficient_funds"); },
       "insufficient_funds"},
      {[this](const std::string& id) { decide(id, DECLINE); }, "declined"},
      {[this](const std::string& id) { decide(id, REVIEW), decide(id, DECLINE); }, "declined"},
      {[this](const std::string& id) { decide(id, REVIEW), world.advance(16 * kMinute); }, "expired"},
      {[this](const std::string& id) { decide(id, REVIEW), wallet_event<AccountFrozen>("1b"); },
       "account_frozen"},
      {[this](const std::string& id) { wallet_event<AccountFrozen>("1b"), decide(id, APPROVE); },
       "account_frozen"},
      {[this](const std::string& id) {
         decide(id, REVIEW), wallet_event<AccountClosed>("1b"), decide(id, APPROVE);
       },
       "account_closed"},
  };
  for (const Case& c : cases) {
    wallet_event<AccountUnfrozen>("1b");
    const std::string id = begin();
    EXPECT_EQ(spent("0a"), 500);
    c.given(id);
    EXPECT_EQ(stored(id).status(), Payment::FAILED) << c.reason;
    EXPECT_EQ(stored(id).failure_reason(), c.reason);
    EXPECT_FALSE(stored(id).failure_detail().empty());
    EXPECT_EQ(spent("0a"), 0);  // given back
    EXPECT_EQ(world.all<PaymentFailed>().back().payment_id(), id);
    decide(id, APPROVE);  // too late
    booked(id, "payment");
    EXPECT_EQ(stored(id).status(), Payment::FAILED);
  }
  EXPECT_EQ(world.all<PaymentFailed>().size(), std::size(cases));
}

TEST_F(PaymentTest, FreezingFailsWhatIsPendingOfThisWalletOnly) {
  const std::string as_payer = begin(), pending = begin();
  decide(as_payer, REVIEW);
  CreatePaymentRequest other = request();
  other.set_payer_account_id(test_id("1b"));
  other.set_payee_account_id(test_id("1c"));
  world.call_answer(other, bob);
  const std::string not_touched = world.all<PaymentInitiated>().back().payment_id();
  decide(not_touched, REVIEW);
  const std::string done = completed();
  world.events();
  wallet_event<AccountFrozen>("1a");
  EXPECT_EQ(world.events(), (Types{"payment.failed", "payment.failed"}));
  EXPECT_EQ(stored(as_payer).failure_reason(), "account_frozen");
  EXPECT_EQ(stored(pending).failure_reason(), "account_frozen");
  EXPECT_EQ(stored(not_touched).status(), Payment::IN_REVIEW);
  EXPECT_EQ(stored(done).status(), Payment::COMPLETED);
}

TEST_F(PaymentTest, AHeldPaymentWaitsForItsDecision) {
  const std::string id = begin();
  decide(id, REVIEW);
  EXPECT_EQ(stored(id).status(), Payment::IN_REVIEW);
  world.advance(14 * kMinute);
  EXPECT_EQ(stored(id).status(), Payment::IN_REVIEW);
  decide(id, APPROVE);
  booked(id, "payment");
  world.advance(kHour);
  EXPECT_EQ(stored(id).status(), Payment::COMPLETED);
  EXPECT_EQ(world.events(),
            (Types{"payment.initiated", "payment.held", "payment.processing", "payment.completed"}));
}

TEST_F(PaymentTest, CancelledByPayerOrStaff) {
  struct Case {
    Principal caller;
    bool review;
    std::string reason;
  };
  const Case cases[] = {{alice, false, ""},
                        {alice, true, ""},
                        {support, true, ""},
                        {bob, true, "not_found"},
                        {user_principal(bob.user_id, {USER, SUPPORT}), true, "is_party"},
                        {auditor, true, "forbidden"},
                        {carol, true, "not_found"}};
  for (const Case& c : cases) {
    const std::string id = begin(10);
    if (c.review) decide(id, REVIEW);
    CancelPaymentRequest cancel;
    cancel.set_id(id);
    const auto result = world.call<Payment>(cancel, c.caller);
    EXPECT_EQ(result ? "" : result.error().reason, c.reason);
    EXPECT_EQ(stored(id).status(), c.reason.empty() ? Payment::CANCELLED : Payment::IN_REVIEW);
    if (!c.reason.empty()) continue;
    EXPECT_EQ(world.all<PaymentCancelled>().back().payment_id(), id);
    EXPECT_EQ(world.call<Payment>(cancel, c.caller).error().reason, "payment_not_cancellable");
    decide(id, APPROVE);  // too late
    EXPECT_EQ(stored(id).status(), Payment::CANCELLED);
  }
  EXPECT_EQ(spent("0a"), 40);  // of the four that stayed
}

TEST_F(PaymentTest, ACompletedPaymentIsNotCancelled) {
  CancelPaymentRequest cancel;
  cancel.set_id(completed());
  const auto result = world.call<Payment>(cancel, alice);
  EXPECT_EQ(result.error().reason, "payment_not_cancellable");
  EXPECT_EQ(http_status(result.error().code), 409u);
}

TEST_F(PaymentTest, LimitsOfADayAreRenewed) {
  for (int i = 0; i < 4; ++i) completed(500);
  EXPECT_EQ(world.call<Payment>(request(1), alice).error().reason, "limit_exceeded");
  AccountLimitsChanged changed;
  changed.set_account_id(test_id("1a"));
  changed.mutable_limits()->set_per_day_minor(2'500);
  world.given(changed);
  completed(500);
  EXPECT_EQ(world.call<Payment>(request(1), alice).error().reason, "limit_exceeded");
  world.advance(kDay);
  completed(2'500);
}

// Limited to 20.00 a day, somebody would open another wallet, or one of another currency, and pay from that.
TEST_F(PaymentTest, LimitsAreOfAPersonNotOfAWallet) {
  open("2a", "0a", "EUR");
  open("3a", "0a", "USD");
  open("3b", "0b", "USD");
  const auto pay = [&](const std::string& from, const std::string& to, const std::string& currency,
                       int64_t minor) {
    CreatePaymentRequest payment = request(minor, to);
    payment.set_payer_account_id(test_id(from));
    payment.mutable_amount()->set_currency(currency);
    const auto result = world.call<Payment>(payment, alice);
    return result ? "" : result.error().reason;
  };
  completed(1'000);
  completed(1'000);
  EXPECT_EQ(pay("1a", "1b", "EUR", 1), "limit_exceeded");
  EXPECT_EQ(pay("2a", "1b", "EUR", 1), "limit_exceeded");  // its own, by the person's sum
  EXPECT_EQ(pay("2a", "1a", "EUR", 1), "limit_exceeded");  // to himself as well
  begin([&] {  // the dollars have limits of their own, because nobody of staff set the others
    CreatePaymentRequest payment = request(900, "3b");
    payment.set_payer_account_id(test_id("3a"));
    payment.mutable_amount()->set_currency("USD");
    return payment;
  }());
  AccountLimitsChanged changed;
  changed.set_account_id(test_id("1a"));
  changed.mutable_limits()->set_per_day_minor(2'100);
  world.given(changed);
  EXPECT_EQ(pay("3a", "3b", "USD", 10), "limit_exceeded");  // set by staff: for everything, about
  wallet_event<AccountClosed>("1a");
  EXPECT_EQ(pay("3a", "3b", "USD", 10), "limit_exceeded");  // closing the wallet renews nothing
  changed.mutable_limits()->clear_per_day_minor();
  world.given(changed);
  EXPECT_EQ(pay("2a", "1b", "EUR", 1), "limit_exceeded");
  AccountHolderLimitsChanged person;
  person.set_user_id(test_id("0a"));
  Limits& dollars = *person.add_limits();
  dollars.set_per_payment_minor(50);
  dollars.mutable_per_payment()->set_currency("USD");
  dollars.mutable_per_payment()->set_minor(50);
  world.given(person);
  EXPECT_EQ(pay("3a", "3b", "USD", 51), "limit_exceeded");
  world.advance(kDay);
  EXPECT_EQ(pay("2a", "1b", "EUR", 50), "limit_exceeded");  // about 0.58 dollars
  CreatePaymentRequest small = request(40);
  small.set_payer_account_id(test_id("2a"));
  begin(small);
}

TEST_F(PaymentTest, WhatAWalletCountedBeforeIsTakenOver) {
  PayerWallet before = wallet("1c");
  before.set_day(start_of_day(world.clock().now()));
  before.set_month(start_of_month(world.clock().now()));
  before.set_spent_day_minor(70);
  before.set_spent_month_minor(80);
  PayerPerson person;
  payment::take_over_spending(person, before, world.clock().now());
  EXPECT_EQ(person.spent(0).day_minor(), 70);
  EXPECT_EQ(person.spent(0).month_minor(), 80);
  payment::take_over_spending(person, before, world.clock().now());
  EXPECT_EQ(person.spent(0).day_minor(), 140);
  PayerPerson later;
  payment::take_over_spending(later, before, world.clock().now() + kDay);
  EXPECT_EQ(later.spent(0).day_minor(), 0);
}

// Somebody without money sent forty payments with 50 KB each, and all of it was kept.
TEST_F(PaymentTest, ARefusedPaymentLeavesLittleBehind) {
  CreatePaymentRequest large = request(10);
  for (int i = 0; i < 7; ++i)
    (*large.mutable_metadata()->mutable_values())[std::to_string(i)] = std::string(1'000, 'x');
  const std::string unpaid = begin(large);
  not_reserved(unpaid, "payment", "insufficient_funds");
  EXPECT_FALSE(stored(unpaid).has_metadata());
  EXPECT_LT(stored(unpaid).ByteSizeLong(), 600u);
  const std::string paid = begin(large);
  decide(paid, APPROVE);
  EXPECT_EQ(stored(paid).metadata().values_size(), 7);
  CreatePaymentRequest small = request(10);
  (*small.mutable_metadata()->mutable_values())["order"] = "42";
  const std::string known = begin(small);
  not_reserved(known, "payment", "insufficient_funds");
  EXPECT_EQ(stored(known).metadata().values().at("order"), "42");
}

class NoLimitsTest : public PaymentTest {
 protected:
  NoLimitsTest() : PaymentTest({"account.limits=off"}) {}
};

TEST_F(NoLimitsTest, LimitsCanBeSwitchedOff) {
  EXPECT_EQ(stored(completed(1'000'000)).status(), Payment::COMPLETED);
  EXPECT_EQ(spent("0a"), 0);
}

TEST_F(PaymentTest, EventsOfOthersAreIgnored) {
  booked(test_id("77"), "payment");
  booked(test_id("77"), "top_up");
  decide(test_id("77"), APPROVE);
  not_reserved(test_id("77"), "payment", "insufficient_funds");
  not_reserved(test_id("77"), "transfer", "insufficient_funds");
  wallet_event<AccountFrozen>("77");
  EXPECT_EQ(world.events(), Types{});
}

}  // namespace
}  // namespace micropay
