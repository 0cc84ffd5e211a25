// Transfers of ledger clients. The journal remembers every id for ever; the balance service decides what may
// move.
//
//   create_transfers: batch REQUESTED -> transaction.transfers_requested -> account.balance.transfers_decided
//     -> entries (transaction.created, .settled) in the order asked, batch DECIDED, transaction.batch_decided
#include <unordered_map>

#include "services/transaction/handlers.h"
#include "services/transaction/transfer_rules.h"

namespace micropay::transaction {
namespace {

void emit_decided(Context& ctx, const std::string& batch_id) {
  TransactionBatchDecided decided;
  decided.set_batch_id(batch_id);
  ctx.emit(decided);
}

// Books what a step of kind POST_NOW or POST_PENDING moves; its events are keyed by the batch, so that
// balances see the entries of a batch in its order.
Result<std::string> book_step(Context& ctx, const TransferStep& step, const Transfer& names,
                              const std::string& batch_id, const std::string& reservation_id) {
  const Movement movement{.entry_id = ctx.new_id(),
                          .kind = "transfer",
                          .cause_id = step.transfer_id(),
                          .from = {step.debit_account_id(), names.debit_system_account()},
                          .to = {step.credit_account_id(), names.credit_system_account()},
                          .amount = step.amount()};
  TRY(book(ctx, movement, batch_id, reservation_id));
  return movement.entry_id;
}

void mark_posted(Transfer& transfer, const Money& amount, const std::string& entry_id) {
  transfer.set_status(Transfer::POSTED);
  transfer.set_posted_minor(amount.minor());
  *transfer.mutable_posted_amount() = amount;
  transfer.set_transaction_id(entry_id);
}

Result<void> end_pending(Context& ctx, const TransferStep& step, const std::string& batch_id,
                         Transfer& transfer) {
  auto transfers = ctx.table<Transfer>();
  if (transfers.find(step.pending_id()) == nullptr)
    return fail(Code::kInternal, "pending_not_found", step.pending_id());
  if (step.pending_id() == step.transfer_id() ||
      transfers.find(step.pending_id())->action() != TransferStep::RESERVE)
    return fail(Code::kInternal, "never_pending", step.pending_id());
  Transfer& pending = transfers.edit(step.pending_id());
  transfer.set_debit_account_id(step.debit_account_id());
  transfer.set_credit_account_id(step.credit_account_id());
  *transfer.mutable_amount() = step.amount();
  if (step.action() == TransferStep::VOID_PENDING) {
    transfer.set_status(Transfer::VOIDED);
    pending.set_status(Transfer::VOIDED);
    return {};
  }
  const std::string entry_id = TRY(book_step(ctx, step, pending, batch_id, pending.id()));
  for (Transfer* posted : {&transfer, &pending}) mark_posted(*posted, step.amount(), entry_id);
  return {};
}

Result<void> finish_step(Context& ctx, const TransferStep& step, const std::string& batch_id) {
  auto transfers = ctx.table<Transfer>();
  const Transfer* found = transfers.find(step.transfer_id());
  // Refused repeats name a transfer of another batch: it stays as it is.
  if (found == nullptr || found->batch_id() != batch_id || found->status() != Transfer::REQUESTED) return {};
  Transfer& transfer = transfers.edit(step.transfer_id());
  if (!step.rejected().empty()) {
    transfer.set_status(Transfer::REJECTED);
    transfer.set_reason(step.rejected());
    return {};
  }
  switch (step.action()) {
    case TransferStep::RESERVE: transfer.set_status(Transfer::PENDING); return {};
    case TransferStep::POST_NOW:
      mark_posted(transfer, step.amount(), TRY(book_step(ctx, step, transfer, batch_id, transfer.id())));
      return {};
    default: return end_pending(ctx, step, batch_id, transfer);
  }
}

// Nobody moves money from or to a wallet of his own, nor ends a transfer that does.
Result<void> check_no_party(Context& ctx, const Asked& asked) {
  for (const std::string* id : {&asked.transfer->debit_account_id(), &asked.transfer->credit_account_id()})
    TRY(transaction::check_no_party(ctx, *id));
  if (asked.pending == nullptr) return {};
  for (const std::string* id : {&asked.pending->debit_account_id(), &asked.pending->credit_account_id()})
    TRY(transaction::check_no_party(ctx, *id));
  return {};
}

}  // namespace

Result<TransferBatch> create_transfers(Context& ctx, const CreateTransfersRequest& request) {
  TRY(check_transfers(request));
  auto transfers = ctx.table<Transfer>();
  std::vector<Asked> asked;
  asked.reserve(size_t(request.transfers_size()));
  for (const NewTransfer& transfer : request.transfers()) {
    asked.push_back({&transfer, transfers.find(transfer.id()),
                     transfer.pending_id().empty() ? nullptr : transfers.find(transfer.pending_id())});
    TRY(check_no_party(ctx, asked.back()));
  }

  TransferBatch batch;
  batch.set_id(ctx.new_id());
  batch.set_created_at(ctx.now());
  const BatchPlan plan = TRY(plan_batch(asked, batch.id(), ctx.now()));
  for (const size_t fresh : plan.fresh) transfers.insert(plan.transfers[fresh]);
  for (const Transfer& transfer : plan.transfers) *batch.add_transfers() = transfer;
  if (plan.steps.empty()) {  // a repeat of what stands
    batch.set_status(TransferBatch::DECIDED);
    emit_decided(ctx, batch.id());
  } else {
    TransactionTransfersRequested requested;
    requested.set_batch_id(batch.id());
    requested.mutable_steps()->Add(plan.steps.begin(), plan.steps.end());
    ctx.emit(requested);
  }
  return ctx.table<TransferBatch>().insert(batch);
}

Result<void> finish_decided_batch(Context& ctx, const AccountBalanceTransfersDecided& event) {
  const TransferBatch* found = ctx.table<TransferBatch>().find(event.batch_id());
  if (found == nullptr) {
    if (ctx.table<Transaction>().find(event.batch_id()) == nullptr || event.steps_size() != 1)
      return fail(Code::kInternal, "unknown_batch", event.batch_id());
    return finish_reversal(ctx, event.batch_id(), event.steps(0));
  }
  if (found->status() == TransferBatch::DECIDED) return {};
  for (const TransferStep& step : event.steps()) TRY(finish_step(ctx, step, event.batch_id()));
  TransferBatch& batch = ctx.table<TransferBatch>().edit(event.batch_id());
  batch.set_status(TransferBatch::DECIDED);
  for (Transfer& transfer : *batch.mutable_transfers())
    if (transfer.status() != Transfer::REJECTED) transfer = TRY(ctx.table<Transfer>().get(transfer.id()));
  emit_decided(ctx, event.batch_id());
  return {};
}

Result<void> expire_transfer(Context& ctx, const AccountBalanceReleased& event) {
  if (event.kind() != "transfer" || event.reason() != "expired") return {};
  auto transfers = ctx.table<Transfer>();
  const Transfer* found = transfers.find(event.reservation_id());
  if (found == nullptr || found->status() != Transfer::PENDING) return {};
  transfers.edit(event.reservation_id()).set_status(Transfer::EXPIRED);
  return {};
}

Result<Transfer> get_transfer(QueryContext& ctx, const GetTransferRequest& request) {
  const Transfer& transfer = TRY(ctx.table<Transfer>().get(request.id()));
  return transfer;
}

}  // namespace micropay::transaction
