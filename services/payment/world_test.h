// The payment service alone with three users, for its tests: the answers of fraud, journal and balance are
// given.
#pragma once

#include <gtest/gtest.h>

#include "contracts/account.pb.h"
#include "contracts/balance.pb.h"
#include "contracts/fraud.pb.h"
#include "contracts/transaction.pb.h"
#include "contracts/user.pb.h"
#include "libs/runtime/testing.h"
#include "services/payment/service.h"

namespace micropay {

// Ids of this fixture end in what they name: user 0a owns wallet 1a.
inline std::string test_id(const std::string& end) { return "018f2a54-0000-7000-8000-0000000000" + end; }

class PaymentTest : public testing::Test {
 public:
  explicit PaymentTest(std::initializer_list<const char*> given = {}) : world(services(given)) {
    for (const char* name : {"a", "b", "c"}) {
      know_user(world, name);
      open(std::string("1") + name, std::string("0") + name, "EUR");
    }
    world.events();
  }
  static void know_user(World& world, const std::string& name) {
    UserEmailVerified user;
    user.set_user_id(test_id("0" + name));
    user.set_email(name + "@example.com");
    world.given(user);
  }
  static std::vector<Service> services(std::initializer_list<const char*> given) {
    Settings settings;
    for (const char* assignment : given) CHECK(settings.set(assignment));
    return {payment_service({.settings = settings, .data_folder = {}})};
  }
  void open(const std::string& account, const std::string& user, const std::string& currency) {
    AccountCreated created;
    created.set_account_id(test_id(account));
    created.set_user_id(test_id(user));
    created.set_currency(currency);
    created.mutable_limits()->set_per_payment_minor(1'000);
    created.mutable_limits()->set_per_day_minor(2'000);
    world.given(created);
  }
  template <typename E>
  void wallet_event(const std::string& account) {
    E event;
    event.set_account_id(test_id(account));
    world.given(event);
  }
  static CreatePaymentRequest request(int64_t minor = 500, const std::string& payee = "1b") {
    CreatePaymentRequest request;
    request.set_payer_account_id(test_id("1a"));
    request.set_payee_account_id(test_id(payee));
    request.mutable_amount()->set_currency("EUR");
    request.mutable_amount()->set_minor(minor);
    return request;
  }
  // Begins a payment; it waits for the answers of others, so it has no answer yet. Its id.
  std::string begin(const CreatePaymentRequest& request) {
    world.call_answer(request, alice);
    return world.all<PaymentInitiated>().back().payment_id();
  }
  std::string begin(int64_t minor = 500) { return begin(request(minor)); }
  void decide(const std::string& id, Decision decision) {
    FraudRiskAssessed assessed;
    assessed.set_payment_id(id);
    assessed.set_decision(decision);
    world.given(assessed);
  }
  void reserved(const std::string& id, const std::string& kind) {
    AccountBalanceReserved event;
    event.set_reservation_id(id);
    event.set_kind(kind);
    world.given(event);
  }
  void not_reserved(const std::string& id, const std::string& kind, const std::string& reason) {
    AccountBalanceReservationFailed event;
    event.set_reservation_id(id);
    event.set_kind(kind);
    event.set_reason(reason);
    world.given(event);
  }
  void booked(const std::string& id, const std::string& kind) {
    AccountBalanceUpdated updated;
    updated.set_key(id);
    updated.set_kind(kind);
    updated.set_transaction_id(id);
    world.given(updated);
  }
  std::string completed(int64_t minor = 500) {
    const std::string id = begin(minor);
    decide(id, APPROVE);
    booked(id, "payment");
    return id;
  }
  const Payment& stored(const std::string& id) { return *world.find<Payment>(id); }
  // Today, from all wallets, in euros.
  int64_t spent(const std::string& user) {
    const PayerPerson* person = world.find<PayerPerson>(test_id(user));
    for (const Spending& each : person->spent())
      if (each.currency() == "EUR") return each.day_minor();
    return 0;
  }
  const PayerWallet& wallet(const std::string& account) { return *world.find<PayerWallet>(test_id(account)); }

  World world;
  const Principal alice = user_principal(test_id("0a"));
  const Principal bob = user_principal(test_id("0b"));
  const Principal carol = user_principal(test_id("0c"));
  const Principal support = user_principal(test_id("0d"), {USER, SUPPORT});
  const Principal auditor = user_principal(test_id("0e"), {USER, AUDITOR});
};

}  // namespace micropay
