// Who asks for whom there is gets one answer until he has the money: a payer with an empty wallet found out
// which addresses have accounts, and their ids.
#include <set>

#include "libs/contract/json.h"
#include "services/payment/world_test.h"

namespace micropay {
namespace {

// The balances, as they answer to every payment.
Service balances(std::string reason) {
  Service service{"balance"};
  service.on([reason = std::move(reason)](Context& ctx, const PaymentInitiated& event) -> Result<void> {
    if (event.refused()) return {};
    AccountBalanceReservationFailed failed;
    failed.set_reservation_id(event.payment_id());
    failed.set_account_id(event.payer_account_id());
    failed.set_kind("payment");
    failed.set_reason(reason);
    ctx.emit(failed);
    return {};
  });
  return service;
}

std::vector<Service> with_balances(const std::string& reason) {
  Settings settings;
  std::vector<Service> services;
  services.push_back(payment_service({.settings = settings, .data_folder = {}}));
  services.push_back(balances(reason));
  return services;
}

// a pays; b can be paid; c's wallet is frozen, and he has another of dollars.
struct Attempt {
  World world;
  const Principal alice = user_principal(test_id("0a")), bob = user_principal(test_id("0b"));
  Result<Payment> answer = std::unexpected(Error());
  std::string id;

  Attempt(const std::string& account, const std::string& email, const std::string& reason)
      : world(with_balances(reason)) {
    for (const char* name : {"a", "b", "c"}) {
      given_user(name);
      open(std::string("1") + name, std::string("0") + name, "EUR");
    }
    open("2c", "0c", "USD");
    AccountFrozen frozen;
    frozen.set_account_id(test_id("1c"));
    world.given(frozen);
    world.events();
    CreatePaymentRequest asked;
    asked.set_payer_account_id(test_id("1a"));
    asked.set_payee_account_id(account);
    asked.set_payee_email(email);
    asked.set_reference("order-1");
    asked.mutable_amount()->set_currency("EUR");
    asked.mutable_amount()->set_minor(500);
    answer = world.call<Payment>(asked, alice, "key");
    id = world.all<PaymentInitiated>().back().payment_id();
    const auto again = world.call<Payment>(asked, alice, "key");
    EXPECT_FALSE(again);
    EXPECT_EQ(again.error().reason, answer.error().reason) << "the same once more";
    EXPECT_EQ(again.error().code, answer.error().code);
    EXPECT_EQ(again.error().field, answer.error().field);
  }
  void given_user(const std::string& name) { PaymentTest::know_user(world, name); }
  void open(const std::string& account, const std::string& user, const std::string& currency) {
    AccountCreated created;
    created.set_account_id(test_id(account));
    created.set_user_id(test_id(user));
    created.set_currency(currency);
    world.given(created);
  }
};

TEST(Payees, WithoutMoneyAllAnswersAreTheSame) {
  const std::pair<std::string, std::string> payees[] = {
      {test_id("1b"), ""}, {test_id("99"), ""}, {"", "b@example.com"}, {"", "nobody@example.com"},
      {test_id("1c"), ""}, {test_id("2c"), ""}, {"", "c@example.com"},
  };
  std::set<std::string> records, begun, failed;
  for (const auto& [account, email] : payees) {
    Attempt attempt(account, email, "insufficient_funds");
    ASSERT_FALSE(attempt.answer);
    EXPECT_EQ(attempt.answer.error().reason, "insufficient_funds");
    EXPECT_EQ(attempt.answer.error().code, Code::kPaymentRequired);
    EXPECT_EQ(attempt.answer.error().field, "");
    // As he can read it: in the answer to GET, in the history, on the live stream.
    records.insert(contract::to_json(*attempt.world.find<Payment>(attempt.id)));
    begun.insert(contract::to_json(attempt.world.all<PaymentInitiated>().back()));
    failed.insert(contract::to_json(attempt.world.all<PaymentFailed>().back()));
  }
  EXPECT_EQ(records.size(), 1u) << fmt::format("{}", fmt::join(records, "\n"));
  EXPECT_EQ(begun.size(), 1u) << fmt::format("{}", fmt::join(begun, "\n"));
  EXPECT_EQ(failed.size(), 1u) << fmt::format("{}", fmt::join(failed, "\n"));
  EXPECT_EQ(records.begin()->find("payee"), std::string::npos) << *records.begin();
  EXPECT_EQ(begun.begin()->find("payee"), std::string::npos) << *begun.begin();
}

TEST(Payees, WithMoneyTheMistakeIsTold) {
  struct Case {
    std::string account, email, reason, field;
    Code code;
  };
  const Case cases[] = {
      {test_id("99"), "", "payee_not_found", "payeeAccountId", Code::kNotFound},
      {"", "nobody@example.com", "payee_not_found", "payeeEmail", Code::kNotFound},
      {test_id("2c"), "", "currency_mismatch", "payeeAccountId", Code::kInvalidArgument},
      {test_id("1c"), "", "account_frozen", "", Code::kPaymentRequired},
  };
  for (const Case& c : cases) {
    Attempt attempt(c.account, c.email, "account_not_found");
    ASSERT_FALSE(attempt.answer);
    EXPECT_EQ(attempt.answer.error().reason, c.reason);
    EXPECT_EQ(attempt.answer.error().field, c.field);
    EXPECT_EQ(attempt.answer.error().code, c.code);
    EXPECT_FALSE(attempt.answer.error().detail.empty());
    const auto own = attempt.world.query<ListPaymentsResponse>(ListPaymentsRequest(), attempt.alice);
    const bool money = c.code == Code::kPaymentRequired;
    EXPECT_EQ(own->payments_size(), money ? 1 : 0) << "a mistake is in no list";
    EXPECT_EQ(attempt.world.find<PaymentReference>("order-1", test_id("0a")) != nullptr, money);
  }
}

TEST(Payees, WhoeverWasToBePaidSeesNothingOfIt) {
  Attempt attempt(test_id("1b"), "", "insufficient_funds");
  EXPECT_EQ(attempt.world.query<ListPaymentsResponse>(ListPaymentsRequest(), attempt.bob)->payments_size(),
            0);
  GetPaymentRequest one;
  one.set_id(attempt.id);
  EXPECT_EQ(attempt.world.query<Payment>(one, attempt.bob).error().reason, "not_found");
  EXPECT_EQ(attempt.world.query<Payment>(one, attempt.alice)->failure_reason(), "insufficient_funds");
}

}  // namespace
}  // namespace micropay
