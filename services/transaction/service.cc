// The list of handlers, and those that book payments, refunds and top-ups.
// Transfers of ledger clients are in transfers.cc, reversals in reversals.cc, questions in queries.cc.
#include "services/transaction/service.h"

#include "services/transaction/handlers.h"

namespace micropay {
namespace transaction {

Result<void> book(Context& ctx, const Movement& movement, const std::string& key,
                  const std::string& reservation_id) {
  if (!sound(movement)) return fail(Code::kInternal, "invalid_movement", movement.cause_id);
  auto journal = ctx.table<Transaction>();
  if (journal.find(movement.entry_id) != nullptr) return {};
  const Transaction& entry = journal.insert(new_entry(movement, ctx.now()));
  ctx.emit(created_event(entry, key));
  ctx.emit(settled_event(entry, key, reservation_id));
  return {};
}

Result<void> check_no_party(Context& ctx, const std::string& account_id) {
  const LedgerAccount* account = ctx.table<LedgerAccount>().find(account_id);
  if (account == nullptr || account->user_id().empty() || account->user_id() != ctx.principal().user_id)
    return {};
  return fail(Code::kPermissionDenied, "is_party",
              "One of the wallets is your own: somebody else has to decide it.");
}

namespace {

Result<void> book_payment(Context& ctx, const PaymentProcessing& event) {
  const Movement movement{.entry_id = event.payment_id(),
                          .kind = "payment",
                          .cause_id = event.payment_id(),
                          .from = {event.payer_account_id()},
                          .to = {event.payee_account_id()},
                          .amount = event.amount()};
  return book(ctx, movement, event.payment_id(), event.payment_id());
}

Result<void> book_refund(Context& ctx, const PaymentRefundProcessing& event) {
  const Movement movement{.entry_id = event.refund_id(),
                          .kind = "refund",
                          .cause_id = event.refund_id(),
                          .from = {event.from_account_id()},
                          .to = {event.to_account_id()},
                          .amount = event.amount()};
  return book(ctx, movement, event.refund_id(), event.refund_id());
}

// The provider owes us what it captured: its settlement account goes down by what the wallet gains.
Result<void> book_top_up(Context& ctx, const AccountTopUpCaptured& event) {
  const Movement movement{
      .entry_id = event.top_up_id(),
      .kind = "top_up",
      .cause_id = event.top_up_id(),
      .from = system_side("provider_settlement:" + event.provider(), event.amount().currency()),
      .to = {event.account_id()},
      .amount = event.amount()};
  return book(ctx, movement, event.top_up_id(), {});
}

Result<void> know_account(Context& ctx, const AccountCreated& event) {
  auto accounts = ctx.table<LedgerAccount>();
  if (accounts.find(event.account_id()) != nullptr) return {};
  LedgerAccount account;
  account.set_account_id(event.account_id());
  account.set_user_id(event.user_id());
  account.set_currency(event.currency());
  account.set_name(event.name());
  accounts.insert(account);
  return {};
}

Result<void> list_by_account(Context& ctx, const TransactionSettled& event) {
  for (const Posting& posting : event.postings()) {
    AccountPosting row;
    row.set_account_id(posting.account_id());
    row.set_transaction_id(event.transaction_id());
    *row.mutable_amount() = posting.amount();
    row.set_kind(event.kind());
    row.set_settled_at(ctx.envelope().time());
    ctx.table<AccountPosting>().put(std::move(row));
  }
  return {};
}

}  // namespace
}  // namespace transaction

Service transaction_service(const Parts&) {
  using namespace transaction;
  Service service{"transaction"};
  service.on(know_account);           // account.created
  service.on(book_payment);           // payment.processing
  service.on(book_refund);            // payment.refund_processing
  service.on(book_top_up);            // account.top_up.captured
  service.on(finish_decided_batch);   // account.balance.transfers_decided
  service.on(expire_transfer);        // account.balance.released
  service.on(go_on_as_payment_says);  // payment.reversal_decided
  service.on(go_on_as_top_up_says);   // account.top_up.reversal_decided
  service.project(list_by_account);   // transaction.settled
  service.command(create_transfers);
  service.command(reverse_transaction);
  service.query(get_transaction);
  service.query(list_transactions);
  service.query(get_transfer);
  return service;
}

}  // namespace micropay
