// All services together: an entry of any kind is taken back once, through what it stands for, whatever comes
// first. Once a payment was paid back twice so: by its entry's reversal, and then by a refund.
#include <gtest/gtest.h>

#include "app/invariants.h"
#include "app/modules.h"
#include "contracts/account.pb.h"
#include "contracts/balance.pb.h"
#include "contracts/notification.pb.h"
#include "contracts/payment.pb.h"
#include "contracts/transaction.pb.h"
#include "contracts/user.pb.h"
#include "libs/base/ids.h"
#include "libs/runtime/testing.h"

namespace micropay::app {
namespace {

class TakingBack : public testing::Test {
 protected:
  TakingBack() : world(*make_services(Parts{.settings = settings, .data_folder = ""}, {})) {
    ada = person("ada@example.org");
    bob = person("bob@example.org");
    top_up_id = load(ada, 10'000);
  }
  ~TakingBack() override {
    EXPECT_TRUE(world.store().catch_up());
    for (const InvariantResult& invariant : check_invariants(world.store(), contract::model()))
      EXPECT_TRUE(invariant.ok) << invariant.name << ": " << invariant.problem;
    EXPECT_EQ(world.engine().stats().dead_letters, 0u);
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
  std::string load(const Person& person, int64_t minor) {
    CreateTopUpRequest request;
    request.set_account_id(person.wallet);
    *request.mutable_amount() = euros(minor);
    request.set_payment_method("card_ok");
    const auto top_up = world.call<TopUp>(request, person.principal);
    EXPECT_TRUE(top_up) << top_up.error().reason;
    return top_up->id();
  }
  std::string pay(const Person& payer, const Person& payee, int64_t minor) {
    CreatePaymentRequest request;
    request.set_payer_account_id(payer.wallet);
    request.set_payee_account_id(payee.wallet);
    *request.mutable_amount() = euros(minor);
    const auto payment = world.call<Payment>(request, payer.principal);
    EXPECT_TRUE(payment) << payment.error().reason;
    return payment->id();
  }
  // The refund's id, or why not.
  std::string refund(const std::string& payment_id, int64_t minor = 0) {
    CreateRefundRequest request;
    request.set_payment_id(payment_id);
    if (minor != 0) *request.mutable_amount() = euros(minor);
    return told(world.call<Refund>(request, bob.principal));
  }
  std::string reverse(const std::string& entry_id) {
    ReverseTransactionRequest request;
    request.set_id(entry_id);
    request.set_reason("a mistake");
    return told(world.call<Transaction>(request, admin));
  }
  template <typename T>
  static std::string told(const Result<T>& result) {
    if (result) return result->id();
    EXPECT_FALSE(result.error().detail.empty()) << result.error().reason;
    return result.error().reason;
  }
  int64_t available(const Person& person) {
    const Balance* balance = world.find<Balance>(person.wallet);
    return balance->posted_minor() - balance->reserved_minor();
  }
  Payment::Status status(const std::string& id) { return world.find<Payment>(id)->status(); }
  bool was_told(const Person& person, const std::string& message) {
    const auto page =
        world.query<ListNotificationsResponse>(ListNotificationsRequest(), person.principal).value();
    return std::ranges::any_of(page.notifications(),
                               [&](const Notification& each) { return each.template_() == message; });
  }

  Settings settings;  // lives as long as the services made of it
  World world;
  Person ada, bob;
  std::string top_up_id;
  const Principal admin = user_principal("00000000-0000-7000-8000-000000000001", {ADMIN});
};

TEST_F(TakingBack, APaymentThatWasReversedIsNotRefundedToo) {
  const std::string payment = pay(ada, bob, 2'000);
  load(bob, 5'000);
  const std::string reversal = reverse(payment);
  EXPECT_TRUE(is_uuid(reversal)) << reversal;
  EXPECT_EQ(available(ada), 10'000);
  EXPECT_EQ(refund(payment), "payment_not_refundable");
  EXPECT_EQ(refund(payment, 1), "payment_not_refundable");
  EXPECT_EQ(reverse(payment), "already_reversed");
  EXPECT_EQ(reverse(reversal), "not_reversible");
  EXPECT_EQ(available(ada), 10'000);
  EXPECT_EQ(available(bob), 5'000);
  EXPECT_EQ(status(payment), Payment::REVERSED);
  EXPECT_EQ(world.find<Payment>(payment)->reversal_id(), reversal);
  world.settle();
  EXPECT_TRUE(was_told(ada, "payment_came_back"));
  EXPECT_TRUE(was_told(bob, "payment_taken_back"));
}

TEST_F(TakingBack, APaymentThatWasRefundedIsNotReversedToo) {
  const std::string payment = pay(ada, bob, 2'000);
  load(bob, 5'000);
  refund(payment, 500);
  EXPECT_EQ(reverse(payment), "already_refunded");
  EXPECT_EQ(status(payment), Payment::PARTIALLY_REFUNDED);
  const std::string rest = refund(payment);
  EXPECT_TRUE(is_uuid(rest)) << rest;
  EXPECT_EQ(reverse(payment), "already_refunded");
  EXPECT_EQ(available(ada), 10'000);
  EXPECT_EQ(available(bob), 5'000);
}

TEST_F(TakingBack, ARefundThatWasReversedCanBeGivenAgain) {
  const std::string payment = pay(ada, bob, 2'000);
  const std::string first = refund(payment);
  EXPECT_EQ(available(bob), 0);
  ASSERT_TRUE(is_uuid(reverse(first)));
  EXPECT_EQ(world.find<Refund>(first)->status(), Refund::REVERSED);
  EXPECT_EQ(status(payment), Payment::COMPLETED);
  EXPECT_EQ(available(bob), 2'000);
  EXPECT_EQ(reverse(first), "already_reversed");
  ASSERT_TRUE(is_uuid(refund(payment, 700)));
  EXPECT_EQ(refund(payment, 1'301), "refund_exceeds_payment");
  ASSERT_TRUE(is_uuid(refund(payment)));
  EXPECT_EQ(available(ada), 10'000);
  world.settle();
  EXPECT_TRUE(was_told(ada, "refund_taken_back"));
  EXPECT_TRUE(was_told(bob, "refund_came_back"));
}

TEST_F(TakingBack, ATopUpIsTakenBackOnceAndOnlyWhatIsThere) {
  const std::string payment = pay(ada, bob, 2'000);
  EXPECT_EQ(reverse(top_up_id), "insufficient_funds");
  EXPECT_EQ(world.find<TopUp>(top_up_id)->status(), TopUp::COMPLETED);
  ASSERT_TRUE(is_uuid(reverse(payment)));
  ASSERT_TRUE(is_uuid(reverse(top_up_id)));
  EXPECT_EQ(world.find<TopUp>(top_up_id)->status(), TopUp::REVERSED);
  EXPECT_EQ(available(ada), 0);
  EXPECT_EQ(reverse(top_up_id), "already_reversed");
  world.settle();
  EXPECT_TRUE(was_told(ada, "top_up_taken_back"));
}

TEST_F(TakingBack, TheMoneyHasToBeThere) {
  const std::string payment = pay(ada, bob, 2'000);
  pay(bob, ada, 1'500);
  EXPECT_EQ(reverse(payment), "insufficient_funds");
  EXPECT_EQ(status(payment), Payment::COMPLETED);
  EXPECT_EQ(world.find<Payment>(payment)->reversal_id(), "");
  ASSERT_TRUE(is_uuid(refund(payment, 500))) << "what is there may be refunded after a refused reversal";
  load(bob, 1'500);
  EXPECT_EQ(reverse(payment), "already_refunded");
}

// Both in one tick: commands that are submitted together run one after the other in it.
TEST_F(TakingBack, AtOnceOnlyOneGetsTheMoney) {
  for (const bool refund_first : {true, false}) {
    const std::string payment = pay(ada, bob, 2'000);
    load(bob, 2'000);  // so that there would be enough for both
    const int64_t before = available(ada);
    CreateRefundRequest back;
    back.set_payment_id(payment);
    ReverseTransactionRequest reversal;
    reversal.set_id(payment);
    reversal.set_reason("a mistake");
    int done = 0, refused = 0;
    const auto submit = [&](const google::protobuf::Message& request, const contract::Method& method) {
      std::shared_ptr<google::protobuf::Message> copy(request.New());
      copy->CopyFrom(request);
      world.engine().submit(
          {.method = &method, .request = copy, .principal = admin, .done = [&](const Answer& answer) {
             ++(answer.result ? done : refused);
           }});
    };
    const auto submit_refund = [&] { submit(back, *contract::model().method_of<CreateRefundRequest>()); };
    if (refund_first) submit_refund();
    submit(reversal, *contract::model().method_of<ReverseTransactionRequest>());
    if (!refund_first) submit_refund();
    world.settle();
    EXPECT_EQ(done, 1);
    EXPECT_EQ(refused, 1);
    EXPECT_EQ(available(ada) - before, 2'000);
    EXPECT_EQ(status(payment), refund_first ? Payment::REFUNDED : Payment::REVERSED);
  }
}

TEST_F(TakingBack, AWalletWithMoneyOnItsWaySaysSo) {
  CreateTransfersRequest batch;
  NewTransfer& pending = *batch.add_transfers();
  pending.set_id(derived_uuid("pending"));
  pending.set_action(TransferStep::RESERVE);
  pending.set_debit_account_id(ada.wallet);
  pending.set_credit_account_id(bob.wallet);
  *pending.mutable_amount() = euros(100);
  ASSERT_TRUE(world.call<TransferBatch>(batch, admin));
  CloseAccountRequest close;
  close.set_id(bob.wallet);
  const auto refused = world.call<Account>(close, bob.principal);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "incoming_pending");
  EXPECT_FALSE(refused.error().detail.empty());
  close.set_id(ada.wallet);
  const auto full = world.call<Account>(close, ada.principal);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().reason, "balance_not_zero");
  EXPECT_FALSE(full.error().detail.empty());
}

}  // namespace
}  // namespace micropay::app
