// Reversals: who is asked, in what order, and what stands at the end. The owners of entries and the balance
// service are played by stand-ins that agree or refuse as the test says; app's tests join them all.
#include <gtest/gtest.h>

#include "contracts/account.pb.h"
#include "contracts/balance.pb.h"
#include "contracts/payment.pb.h"
#include "libs/base/ids.h"
#include "libs/runtime/testing.h"
#include "services/transaction/service.h"

namespace micropay::transaction {
namespace {

std::string id(std::string_view name) { return derived_uuid(name); }

void set(Money& amount, int64_t minor) {
  amount.set_currency("EUR");
  amount.set_minor(minor);
}

// What they say; empty: yes.
struct Answers {
  std::string owner, balance;
  bool owner_is_late = false;
};

Service stand_in_payment(const std::shared_ptr<Answers>& answers) {
  Service service{"payment"};
  service.on([answers](Context& ctx, const TransactionReversalRequested& event) -> Result<void> {
    if (answers->owner_is_late || event.kind() == "top_up") return {};
    PaymentReversalDecided decided;
    decided.set_reversal_id(event.reversal_id());
    decided.set_payment_id(event.cause_id());
    decided.set_refused(answers->owner);
    if (!answers->owner.empty()) decided.set_detail("There is a reason.");
    ctx.emit(decided);
    return {};
  });
  return service;
}

Service stand_in_account() {
  Service service{"account"};
  service.on([](Context& ctx, const TransactionReversalRequested& event) -> Result<void> {
    if (event.kind() != "top_up") return {};
    AccountTopUpReversalDecided decided;
    decided.set_reversal_id(event.reversal_id());
    decided.set_top_up_id(event.cause_id());
    ctx.emit(decided);
    return {};
  });
  return service;
}

Service stand_in_balance(const std::shared_ptr<Answers>& answers) {
  Service service{"balance"};
  service.on([answers](Context& ctx, const TransactionTransfersRequested& event) -> Result<void> {
    AccountBalanceTransfersDecided decided;
    decided.set_batch_id(event.batch_id());
    *decided.mutable_steps() = event.steps();
    for (TransferStep& step : *decided.mutable_steps()) {
      step.set_rejected(answers->balance);
      if (step.pending_id().empty()) continue;
      step.set_debit_account_id(id("anna"));
      step.set_credit_account_id(id("ben"));
      set(*step.mutable_amount(), 80);
    }
    ctx.emit(decided);
    return {};
  });
  return service;
}

class Reversals : public testing::Test {
 protected:
  Reversals()
      : world({transaction_service({settings, ""}), stand_in_payment(answers), stand_in_account(),
               stand_in_balance(answers)}) {
    for (const char* name : {"anna", "ben"}) {
      AccountCreated event;
      event.set_account_id(id(name));
      event.set_user_id(id(std::string("user ") + name));
      event.set_currency("EUR");
      world.given(event);
    }
    PaymentProcessing payment;
    payment.set_payment_id(id("p"));
    payment.set_payer_account_id(id("anna"));
    payment.set_payee_account_id(id("ben"));
    set(*payment.mutable_amount(), 70);
    world.given(payment);
    world.events();
  }
  Result<Transaction> reverse(const std::string& entry_id, const Principal& by = system_principal()) {
    ReverseTransactionRequest request;
    request.set_id(entry_id);
    request.set_reason("paid twice");
    return world.call<Transaction>(request, by);
  }
  const Transaction& entry(std::string_view name) { return *world.find<Transaction>(id(name)); }

  std::shared_ptr<Answers> answers = std::make_shared<Answers>();
  Settings settings;
  World world;
};

const Types kBooked = {"transaction.transfers_requested", "account.balance.transfers_decided",
                       "transaction.created", "transaction.settled", "transaction.reversed"};
const Types kAskedAndBooked = {"transaction.reversal_requested",
                               "payment.reversal_decided",
                               "transaction.transfers_requested",
                               "account.balance.transfers_decided",
                               "transaction.created",
                               "transaction.settled",
                               "transaction.reversed"};

TEST_F(Reversals, OfAPaymentAskItFirst) {
  const auto reversal = reverse(id("p"));
  ASSERT_TRUE(reversal) << reversal.error().reason;
  EXPECT_EQ(reversal->status(), Transaction::SETTLED);
  EXPECT_EQ(reversal->kind(), "reversal");
  EXPECT_EQ(reversal->postings(0).amount().minor(), 70);
  EXPECT_EQ(world.events(), kAskedAndBooked);
  EXPECT_EQ(entry("p").status(), Transaction::REVERSED);
  EXPECT_EQ(entry("p").reversed_by_id(), reversal->id());
  EXPECT_EQ(world.all<TransactionSettled>().back().reservation_id(), reversal->id());
  const TransactionReversed reversed = world.all<TransactionReversed>().back();
  EXPECT_EQ(reversed.kind(), "payment");
  EXPECT_EQ(reversed.cause_id(), id("p"));
  const auto again = reverse(id("p"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().reason, "already_reversed");
  EXPECT_FALSE(again.error().detail.empty());
  EXPECT_EQ(reverse(reversal->id()).error().reason, "not_reversible");
  EXPECT_EQ(reverse(id("none")).error().code, Code::kNotFound);
}

TEST_F(Reversals, TheOwnerSaysNo) {
  answers->owner = "already_refunded";
  const auto refused = reverse(id("p"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "already_refunded");
  EXPECT_EQ(refused.error().detail, "There is a reason.");
  EXPECT_EQ(world.events(), (Types{"transaction.reversal_requested", "payment.reversal_decided",
                                   "transaction.reversal_refused"}))
      << "the balance is not asked";
  EXPECT_EQ(entry("p").status(), Transaction::SETTLED);
  EXPECT_TRUE(entry("p").reversed_by_id().empty());
  answers->owner.clear();
  EXPECT_TRUE(reverse(id("p"))) << "it may be tried again";
}

TEST_F(Reversals, AreRefusedWhenTheMoneyIsGone) {
  answers->balance = "insufficient_funds";
  const auto refused = reverse(id("p"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kPaymentRequired);
  EXPECT_EQ(refused.error().reason, "insufficient_funds");
  EXPECT_FALSE(refused.error().detail.empty()) << "a sentence for people";
  const TransactionReversalRefused told = world.all<TransactionReversalRefused>().back();
  EXPECT_EQ(told.kind(), "payment");
  EXPECT_EQ(told.cause_id(), id("p"));
  EXPECT_EQ(entry("p").status(), Transaction::SETTLED);
  answers->balance.clear();
  EXPECT_TRUE(reverse(id("p"))) << "it may be tried again";
}

TEST_F(Reversals, OneAtATime) {
  answers->owner_is_late = true;
  (void)reverse(id("p"));  // waits for its owner, and is answered that it is not final
  EXPECT_EQ(world.events(), (Types{"transaction.reversal_requested"}));
  const std::string first = entry("p").reversed_by_id();
  ASSERT_FALSE(first.empty());
  EXPECT_EQ(reverse(id("p")).error().reason, "already_reversed");
  PaymentReversalDecided decided;
  decided.set_reversal_id(first);
  decided.set_payment_id(id("p"));
  world.given(decided);
  EXPECT_EQ(entry("p").status(), Transaction::REVERSED);
  world.given(decided);  // by another event: nothing moves twice
  EXPECT_EQ(world.all<TransactionReversed>().size(), 1u);
  EXPECT_EQ(world.all<TransactionTransfersRequested>().size(), 1u);
}

TEST_F(Reversals, OfATopUpAskTheAccountService) {
  AccountTopUpCaptured top_up;
  top_up.set_top_up_id(id("t"));
  top_up.set_account_id(id("anna"));
  set(*top_up.mutable_amount(), 900);
  top_up.set_provider("sandbox");
  world.given(top_up);
  world.events();
  const auto reversal = reverse(id("t"));
  ASSERT_TRUE(reversal) << reversal.error().reason;
  Types expected = kAskedAndBooked;
  expected[1] = "account.top_up.reversal_decided";
  EXPECT_EQ(world.events(), expected);
  EXPECT_EQ(world.all<TransactionReversed>().back().kind(), "top_up");
}

TEST_F(Reversals, OfATransferAreTheJournalsOwn) {
  CreateTransfersRequest batch;
  NewTransfer& pending = *batch.add_transfers();
  pending.set_id(id("reserved"));
  pending.set_action(TransferStep::RESERVE);
  pending.set_debit_account_id(id("anna"));
  pending.set_credit_account_id(id("ben"));
  set(*pending.mutable_amount(), 80);
  ASSERT_TRUE(world.call<TransferBatch>(batch));
  batch.Clear();
  batch.add_transfers()->set_id(id("post"));
  batch.mutable_transfers(0)->set_action(TransferStep::POST_PENDING);
  batch.mutable_transfers(0)->set_pending_id(id("reserved"));
  const auto posted = world.call<TransferBatch>(batch);
  ASSERT_TRUE(posted);
  const std::string entry_id = posted->transfers(0).transaction_id();
  world.events();
  ASSERT_TRUE(reverse(entry_id));
  EXPECT_EQ(world.events(), kBooked);
  for (const char* name : {"reserved", "post"})
    EXPECT_EQ(world.find<Transfer>(id(name))->status(), Transfer::REVERSED) << name;
  EXPECT_EQ(reverse(entry_id).error().reason, "already_reversed");
  const auto again = world.call<TransferBatch>(batch);
  EXPECT_EQ(again->transfers(0).status(), Transfer::REVERSED) << "a repeat stands as it is";
  EXPECT_EQ(world.all<TransactionReversed>().size(), 1u);
}

TEST_F(Reversals, AreNotOfOnesOwnEntries) {
  for (const char* name : {"anna", "ben"}) {
    const auto refused = reverse(id("p"), user_principal(id(std::string("user ") + name), {ADMIN}));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason, "is_party");
    EXPECT_EQ(refused.error().code, Code::kPermissionDenied);
  }
  EXPECT_TRUE(reverse(id("p"), user_principal(id("another"), {ADMIN})));
}

}  // namespace
}  // namespace micropay::transaction
