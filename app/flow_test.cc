// All services together in memory, on a clock that stands: the flows that must read exactly so in the log,
// and what happens when money, a freeze and a decision of staff cross each other.
#include <gtest/gtest.h>

#include "app/modules.h"
#include "contracts/account.pb.h"
#include "contracts/balance.pb.h"
#include "contracts/fraud.pb.h"
#include "contracts/notification.pb.h"
#include "contracts/payment.pb.h"
#include "contracts/user.pb.h"
#include "libs/runtime/testing.h"

namespace micropay::app {
namespace {

class Flow : public testing::Test {
 protected:
  Flow() : world(*make_services(Parts{.settings = settings, .data_folder = ""}, {})) {
    ada = person("ada@example.org");
    bob = person("bob@example.org");
    world.events();
  }

  struct Person {
    Principal principal;
    std::string wallet;
  };

  Person person(const std::string& email) {
    CreateUserRequest request;
    request.set_email(email);
    request.set_password("correct horse battery");
    request.set_display_name("Somebody");
    const auto user = world.call<User>(request);
    EXPECT_TRUE(user) << user.error().reason;
    return {user_principal(user->id()), world.all<AccountCreated>().back().account_id()};
  }

  static Money euros(int64_t minor) {
    Money money;
    money.set_currency("EUR");
    money.set_minor(minor);
    return money;
  }

  void load(const Person& person, int64_t minor) {
    CreateTopUpRequest request;
    request.set_account_id(person.wallet);
    *request.mutable_amount() = euros(minor);
    request.set_payment_method("card_ok");
    const auto top_up = world.call<TopUp>(request, person.principal);
    ASSERT_TRUE(top_up) << top_up.error().reason;
    ASSERT_EQ(top_up->status(), TopUp::COMPLETED);
    world.events();
  }

  CreatePaymentRequest payment(int64_t minor) {
    CreatePaymentRequest request;
    request.set_payer_account_id(ada.wallet);
    request.set_payee_account_id(bob.wallet);
    *request.mutable_amount() = euros(minor);
    return request;
  }

  int64_t available(const Person& person) {
    const Balance* balance = world.find<Balance>(person.wallet);
    return balance->posted_minor() - balance->reserved_minor();
  }
  // The events of those who move the money or decide whether it moves. What others make of it is no part of
  // the flow.
  Types flow() {
    static const std::set<std::string> kServices = {"user",        "account", "payment",
                                                    "transaction", "balance", "fraud"};
    Types types = world.events();
    std::erase_if(types, [](const std::string& type) {
      return !kServices.contains(contract::model().event(type)->service->name);
    });
    return types;
  }

  Settings settings;  // lives as long as the services made of it
  World world;
  Person ada, bob;
};

const Types kPayment = {"payment.initiated",       "account.balance.reserved", "fraud.risk.assessed",
                        "payment.processing",      "transaction.created",      "transaction.settled",
                        "account.balance.updated", "payment.completed"};

TEST_F(Flow, Registration) {
  const size_t told = world.all<NotificationSent>().size();
  person("carol@example.org");
  world.settle();
  EXPECT_EQ(flow(), (Types{"user.created", "account.created"}));
  EXPECT_EQ(world.all<NotificationSent>().size(), told + 1) << "the welcome";
}

TEST_F(Flow, PaymentInOneTick) {
  load(ada, 10'000);
  const uint64_t tick = world.store().end().tick;
  ASSERT_TRUE(world.call<Payment>(payment(1'234), ada.principal));
  EXPECT_EQ(flow(), kPayment);
  EXPECT_GE(world.store().end().tick, tick + 1);
  EXPECT_EQ(available(ada), 8'766);
  EXPECT_EQ(available(bob), 1'234);
}

TEST_F(Flow, InsufficientFundsCompensates) {
  load(ada, 100);
  const auto answer = world.call<Payment>(payment(101), ada.principal);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().reason, "insufficient_funds");
  EXPECT_EQ(flow(), (Types{"payment.initiated", "account.balance.reservation_failed", "payment.failed"}));
  EXPECT_EQ(available(ada), 100);
}

TEST_F(Flow, FreezeFailsThePaymentUnderReviewAndReleasesItsReservation) {
  load(ada, 900'000);
  const auto held = world.call_answer(payment(600'000), ada.principal);
  ASSERT_TRUE(held.result);
  EXPECT_EQ(held.status, 202u);
  EXPECT_EQ(available(ada), 300'000);
  flow();
  FreezeAccountRequest freeze;
  freeze.set_id(ada.wallet);
  freeze.set_reason("suspicious");
  ASSERT_TRUE(world.call<Account>(freeze, user_principal("00000000-0000-7000-8000-000000000001", {ADMIN})));
  EXPECT_EQ(flow(), (Types{"account.holder_frozen", "account.frozen", "payment.failed",
                           "account.balance.released", "fraud.case.decided"}));
  EXPECT_EQ(available(ada), 900'000);
  EXPECT_EQ(world.all<PaymentFailed>().back().reason(), "account_frozen");
}

TEST_F(Flow, AnApprovedCaseGoesOn) {
  load(ada, 900'000);
  ASSERT_EQ(world.call_answer(payment(600'000), ada.principal).status, 202u);
  flow();
  DecideFraudCaseRequest decide;
  decide.set_id(world.all<FraudCaseOpened>().back().case_id());
  decide.set_decision(APPROVE);
  decide.set_note("known customer");
  ASSERT_TRUE(
      world.call<FraudCase>(decide, user_principal("00000000-0000-7000-8000-000000000001", {SUPPORT})));
  const Types types = flow();
  EXPECT_EQ(types.back(), "payment.completed");
  EXPECT_EQ(available(bob), 600'000);
}

TEST_F(Flow, AReviewThatNobodyDecidesExpires) {
  load(ada, 900'000);
  ASSERT_EQ(world.call_answer(payment(600'000), ada.principal).status, 202u);
  world.advance(kDay);
  EXPECT_EQ(world.all<PaymentFailed>().back().reason(), "expired");
  EXPECT_EQ(available(ada), 900'000);
}

}  // namespace
}  // namespace micropay::app
