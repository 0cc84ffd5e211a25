// The service in a world of its own: given events of neighbours (each delivered twice), then entries and
// events. The balance service is played by a stand-in that accepts or refuses as the test says; app's tests
// join the two.
#include "services/transaction/service.h"

#include <gtest/gtest.h>

#include "contracts/account.pb.h"
#include "contracts/balance.pb.h"
#include "contracts/payment.pb.h"
#include "libs/base/ids.h"
#include "libs/runtime/testing.h"
#include "services/transaction/rules.h"

namespace micropay::transaction {
namespace {

std::string id(std::string_view name) { return derived_uuid(name); }

void set(Money& amount, int64_t minor) {
  amount.set_currency("EUR");
  amount.set_minor(minor);
}

class TransactionService : public testing::Test {
 protected:
  TransactionService() : world({transaction_service({settings, ""})}) {
    for (const char* name : {"anna", "ben"}) {
      AccountCreated event;
      event.set_account_id(id(name));
      event.set_user_id(id(std::string("user ") + name));
      event.set_currency("EUR");
      world.given(event);
    }
  }
  void pay(std::string_view payment, int64_t minor, const char* from = "anna", const char* to = "ben") {
    PaymentProcessing event;
    event.set_payment_id(id(payment));
    event.set_payer_account_id(id(from));
    event.set_payee_account_id(id(to));
    set(*event.mutable_amount(), minor);
    world.given(event);
  }
  Principal user(const char* name) { return user_principal(id(std::string("user ") + name)); }

  Settings settings;
  World world;
};

const Types kBooked = {"transaction.created", "transaction.settled"};

TEST_F(TransactionService, BooksAPaymentOnce) {
  pay("p", 500);
  EXPECT_EQ(world.events(), kBooked);
  pay("p", 500);  // the same payment by another event
  EXPECT_EQ(world.events(), Types{});
  const Transaction* entry = world.find<Transaction>(id("p"));
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->status(), Transaction::SETTLED);
  EXPECT_EQ(entry->kind(), "payment");
  const TransactionSettled settled = world.all<TransactionSettled>().at(0);
  EXPECT_EQ(settled.reservation_id(), id("p"));
  EXPECT_EQ(settled.key(), id("p"));
  EXPECT_TRUE(settled.release_rest());
  EXPECT_EQ(settled.postings(0).account_id(), id("anna"));
  EXPECT_EQ(settled.postings(0).amount().minor(), -500);
}

TEST_F(TransactionService, BooksRefundsAndTopUps) {
  PaymentRefundProcessing refund;
  refund.set_refund_id(id("r"));
  refund.set_payment_id(id("p"));
  refund.set_from_account_id(id("ben"));
  refund.set_to_account_id(id("anna"));
  set(*refund.mutable_amount(), 20);
  world.given(refund);
  EXPECT_EQ(world.events(), kBooked);
  AccountTopUpCaptured top_up;
  top_up.set_top_up_id(id("t"));
  top_up.set_account_id(id("anna"));
  set(*top_up.mutable_amount(), 900);
  top_up.set_provider("sandbox");
  world.given(top_up);
  EXPECT_EQ(world.events(), kBooked);
  const Transaction* entry = world.find<Transaction>(id("t"));
  EXPECT_EQ(entry->kind(), "top_up");
  EXPECT_EQ(entry->postings(0).system_account(), "provider_settlement:sandbox");
  EXPECT_EQ(entry->postings(0).account_id(), derived_uuid("system:provider_settlement:sandbox:EUR"));
  EXPECT_EQ(world.all<TransactionSettled>().back().reservation_id(), "");
}

TEST_F(TransactionService, AnUnsoundMovementIsNotBooked) {
  pay("p", 0);
  pay("q", 5, "anna", "anna");
  EXPECT_EQ(world.events(), Types{});
  EXPECT_EQ(world.find<Transaction>(id("p")), nullptr);
}

TEST_F(TransactionService, ShowsAnEntryToItsOwnersAndStaff) {
  pay("p", 500);
  GetTransactionRequest get;
  get.set_id(id("p"));
  EXPECT_TRUE(world.query<Transaction>(get, user("anna")));
  EXPECT_TRUE(world.query<Transaction>(get, user("ben")));
  EXPECT_TRUE(world.query<Transaction>(get, user_principal(id("s"), {SUPPORT})));
  EXPECT_EQ(world.query<Transaction>(get, user("carl")).error().code, Code::kNotFound);
  EXPECT_EQ(world.query<Transaction>(get, Principal{}).error().code, Code::kNotFound);
}

TEST_F(TransactionService, ListsByAccountInPages) {
  for (const char* payment : {"1", "2", "3"}) {
    pay(payment, 100);
    world.advance(kHour);
  }
  ASSERT_TRUE(world.store().catch_up());
  ListTransactionsRequest list;
  list.set_account_id(id("anna"));
  list.set_page_size(2);
  auto page = world.query<ListTransactionsResponse>(list, user("anna"));
  ASSERT_TRUE(page && page->transactions_size() == 2);
  EXPECT_EQ(page->transactions(0).id(), id("3"));
  list.set_page_token(page->next_page_token());
  page = world.query<ListTransactionsResponse>(list, user("anna"));
  ASSERT_TRUE(page && page->transactions_size() == 1);
  EXPECT_EQ(page->transactions(0).id(), id("1"));

  list.Clear();
  list.set_account_id(id("anna"));
  list.set_order_by("settledAt asc");
  list.set_from(world.find<Transaction>(id("2"))->settled_at());
  list.set_to(world.find<Transaction>(id("3"))->settled_at());
  page = world.query<ListTransactionsResponse>(list, user("anna"));
  ASSERT_TRUE(page && page->transactions_size() == 1);
  EXPECT_EQ(page->transactions(0).id(), id("2"));

  EXPECT_EQ(world.query<ListTransactionsResponse>(list, user("carl")).error().code, Code::kNotFound);
  list.Clear();
  EXPECT_EQ(world.query<ListTransactionsResponse>(list, user("anna")).error().field, "accountId");
  list.set_order_by("amount");
  EXPECT_EQ(world.query<ListTransactionsResponse>(list).error().reason, "invalid_order");
  list.Clear();
  EXPECT_EQ(world.query<ListTransactionsResponse>(list)->transactions_size(), 3);
  list.set_payment_id(id("2"));
  EXPECT_EQ(world.query<ListTransactionsResponse>(list)->transactions_size(), 1);
}

// ---- with a balance service that decides as the test says ----

Service stand_in_balance(const std::shared_ptr<std::map<std::string, std::string>>& refusals) {
  Service service{"balance"};
  service.on([refusals](Context& ctx, const TransactionTransfersRequested& event) -> Result<void> {
    AccountBalanceTransfersDecided decided;
    decided.set_batch_id(event.batch_id());
    *decided.mutable_steps() = event.steps();
    for (TransferStep& step : *decided.mutable_steps()) {
      if (const auto refusal = refusals->find(step.transfer_id()); refusal != refusals->end())
        step.set_rejected(refusal->second);
      else if (const auto any = refusals->find("*"); any != refusals->end() && step.rejected().empty())
        step.set_rejected(any->second);
      if (step.pending_id().empty()) continue;
      step.set_debit_account_id(id("anna"));
      step.set_credit_account_id(id("ben"));
      if (!step.has_amount()) set(*step.mutable_amount(), 80);
    }
    ctx.emit(decided);
    return {};
  });
  return service;
}

class LedgerClient : public testing::Test {
 protected:
  LedgerClient() : world({transaction_service({settings, ""}), stand_in_balance(refusals)}) {}
  NewTransfer& add(std::string_view name, int64_t minor,
                   TransferStep::Action action = TransferStep::POST_NOW) {
    NewTransfer& transfer = *request.add_transfers();
    transfer.set_id(id(name));
    transfer.set_action(action);
    transfer.set_debit_account_id(id("anna"));
    transfer.set_credit_account_id(id("ben"));
    if (minor != 0) set(*transfer.mutable_amount(), minor);
    return transfer;
  }
  NewTransfer& end(std::string_view name, std::string_view pending, TransferStep::Action action,
                   int64_t minor = 0) {
    NewTransfer& transfer = add(name, minor, action);
    transfer.clear_debit_account_id();
    transfer.clear_credit_account_id();
    transfer.set_pending_id(id(pending));
    return transfer;
  }
  TransferBatch send() {
    const auto batch = world.call<TransferBatch>(request);
    EXPECT_TRUE(batch) << batch.error().reason;
    request.Clear();
    return batch.value_or(TransferBatch());
  }
  const Transfer& row(std::string_view name) { return *world.find<Transfer>(id(name)); }

  std::shared_ptr<std::map<std::string, std::string>> refusals =
      std::make_shared<std::map<std::string, std::string>>();
  CreateTransfersRequest request;
  Settings settings;
  World world;
};

TEST_F(LedgerClient, EveryTransferHasItsFinalStatus) {
  (*refusals)[id("2")] = "insufficient_funds";
  add("1", 10);
  add("2", 20);
  add("3", 30, TransferStep::RESERVE).set_timeout_seconds(60);
  const TransferBatch batch = send();
  EXPECT_EQ(batch.status(), TransferBatch::DECIDED);
  ASSERT_EQ(batch.transfers_size(), 3);
  EXPECT_EQ(batch.transfers(0).status(), Transfer::POSTED);
  EXPECT_EQ(batch.transfers(0).posted_minor(), 10);
  EXPECT_EQ(batch.transfers(1).status(), Transfer::REJECTED);
  EXPECT_EQ(batch.transfers(1).reason(), "insufficient_funds");
  EXPECT_EQ(batch.transfers(2).status(), Transfer::PENDING);
  EXPECT_GT(batch.transfers(2).expires_at(), batch.transfers(2).created_at());
  EXPECT_EQ(world.events(),
            (Types{"transaction.transfers_requested", "account.balance.transfers_decided",
                   "transaction.created", "transaction.settled", "transaction.batch_decided"}));
  const TransactionSettled settled = world.all<TransactionSettled>().back();
  EXPECT_EQ(settled.key(), batch.id());
  EXPECT_EQ(settled.reservation_id(), id("1"));
  EXPECT_EQ(settled.transaction_id(), batch.transfers(0).transaction_id());
}

TEST_F(LedgerClient, AnIdIsRememberedForEver) {
  add("1", 10);
  const TransferBatch first = send();
  world.advance(1000 * kDay);
  world.events();
  add("1", 10);
  const TransferBatch again = send();
  EXPECT_NE(again.id(), first.id());
  EXPECT_EQ(again.transfers(0).transaction_id(), first.transfers(0).transaction_id());
  EXPECT_EQ(world.events(), (Types{"transaction.batch_decided"}));
  add("1", 11);
  const TransferBatch other = send();
  EXPECT_EQ(other.transfers(0).reason(), "exists_with_other_fields");
  EXPECT_EQ(row("1").status(), Transfer::POSTED);
  EXPECT_EQ(world.all<TransactionSettled>().size(), 1u);
}

TEST_F(LedgerClient, ARefusalIsRememberedToo) {
  (*refusals)[id("1")] = "insufficient_funds";
  add("1", 10);
  send();
  refusals->clear();
  add("1", 10);
  EXPECT_EQ(send().transfers(0).reason(), "insufficient_funds");
  EXPECT_TRUE(world.all<TransactionSettled>().empty());
}

TEST_F(LedgerClient, PostsAPendingTransferInPart) {
  add("p", 80, TransferStep::RESERVE);
  send();
  end("1", "p", TransferStep::POST_PENDING, 50);
  const TransferBatch batch = send();
  EXPECT_EQ(batch.transfers(0).status(), Transfer::POSTED);
  EXPECT_EQ(batch.transfers(0).debit_account_id(), id("anna"));
  EXPECT_EQ(row("p").status(), Transfer::POSTED);
  EXPECT_EQ(row("p").posted_minor(), 50);
  EXPECT_EQ(row("p").posted_amount().minor(), 50);
  const TransactionSettled settled = world.all<TransactionSettled>().back();
  EXPECT_EQ(settled.reservation_id(), id("p"));
  EXPECT_EQ(settled.postings(1).amount().minor(), 50);
  end("2", "p", TransferStep::POST_PENDING);
  end("3", "p", TransferStep::VOID_PENDING);
  end("4", "none", TransferStep::VOID_PENDING);
  const TransferBatch late = send();
  EXPECT_EQ(late.transfers(0).reason(), "pending_already_posted");
  EXPECT_EQ(late.transfers(1).reason(), "pending_already_posted");
  EXPECT_EQ(late.transfers(2).reason(), "pending_not_found");
}

TEST_F(LedgerClient, VoidsAndExpires) {
  add("p", 80, TransferStep::RESERVE);
  add("q", 80, TransferStep::RESERVE).set_timeout_seconds(5);
  end("1", "p", TransferStep::VOID_PENDING);
  const TransferBatch batch = send();
  EXPECT_EQ(batch.transfers(0).status(), Transfer::VOIDED) << "as it is at the end of the batch";
  EXPECT_EQ(batch.transfers(2).status(), Transfer::VOIDED);
  AccountBalanceReleased released;
  released.set_reservation_id(id("q"));
  released.set_kind("transfer");
  released.set_reason("expired");
  world.given(released);
  EXPECT_EQ(row("q").status(), Transfer::EXPIRED);
  end("2", "q", TransferStep::POST_PENDING);
  end("3", "p", TransferStep::POST_PENDING);
  const TransferBatch late = send();
  EXPECT_EQ(late.transfers(0).reason(), "pending_expired");
  EXPECT_EQ(late.transfers(1).reason(), "pending_already_voided");
  EXPECT_TRUE(world.all<TransactionSettled>().empty());
}

TEST_F(LedgerClient, NobodyMovesHisOwnMoney) {
  AccountCreated event;
  event.set_account_id(id("anna"));
  event.set_user_id(id("user anna"));
  event.set_currency("EUR");
  world.given(event);
  const Principal anna = user_principal(id("user anna"), {ADMIN});
  add("p", 80, TransferStep::RESERVE);
  EXPECT_EQ(world.call<TransferBatch>(request, anna).error().reason, "is_party");
  EXPECT_EQ(world.find<Transfer>(id("p")), nullptr);
  send();
  end("1", "p", TransferStep::POST_PENDING);
  const auto refused = world.call<TransferBatch>(request, anna);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kPermissionDenied);
  EXPECT_EQ(send().transfers(0).status(), Transfer::POSTED) << "somebody else may";
}

TEST_F(LedgerClient, IllFormedBatchesStoreNothing) {
  add("1", 10);
  add("2", 0);
  const auto answer = world.call<TransferBatch>(request);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kInvalidArgument);
  EXPECT_EQ(answer.error().field, "transfers[1].amount");
  EXPECT_EQ(world.find<Transfer>(id("1")), nullptr);
  EXPECT_EQ(world.events(), Types{});
}

}  // namespace
}  // namespace micropay::transaction
