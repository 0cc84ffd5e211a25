// Taking an entry back: the opposite movement is asked of the balance service like any transfer, since the
// money may have been spent meanwhile.
//
//   reverse_transaction: reversal CREATED -> transaction.transfers_requested ->
//   account.balance.transfers_decided
//     -> SETTLED: transaction.created, transaction.settled, transaction.reversed | FAILED:
//     transaction.reversal_refused
#include "services/transaction/handlers.h"

namespace micropay::transaction {

Result<Transaction> reverse_transaction(Context& ctx, const ReverseTransactionRequest& request) {
  auto journal = ctx.table<Transaction>();
  const Transaction& entry = TRY(journal.get(request.id()));
  TRY(check_reversible(entry));
  const Transaction& reversal =
      journal.insert(new_reversal(entry, ctx.new_id(), request.reason(), ctx.now()));
  journal.edit(request.id()).set_reversed_by_id(reversal.id());

  TransactionTransfersRequested requested;
  requested.set_batch_id(reversal.id());
  *requested.add_steps() = reversal_step(reversal);
  ctx.emit(requested);
  return reversal;
}

Result<void> finish_reversal(Context& ctx, const std::string& reversal_id, const TransferStep& step) {
  auto journal = ctx.table<Transaction>();
  if (journal.find(reversal_id)->status() != Transaction::CREATED) return {};
  Transaction& reversal = journal.edit(reversal_id);
  Transaction& entry = journal.edit(reversal.reverses_id());
  CHECK(reversal.kind() == "reversal" && entry.reversed_by_id() == reversal_id);
  if (!step.rejected().empty()) {
    reversal.set_status(Transaction::FAILED);
    reversal.set_failure_reason(step.rejected());
    entry.clear_reversed_by_id();
    TransactionReversalRefused refused;
    refused.set_transaction_id(entry.id());
    refused.set_reversal_id(reversal_id);
    refused.set_reason(step.rejected());
    ctx.emit(refused);
    return {};
  }
  reversal.set_status(Transaction::SETTLED);
  reversal.set_settled_at(ctx.now());
  entry.set_status(Transaction::REVERSED);
  ctx.emit(created_event(reversal, reversal_id));
  ctx.emit(settled_event(reversal, reversal_id, reversal_id));
  TransactionReversed reversed;
  reversed.set_transaction_id(entry.id());
  reversed.set_reversal_id(reversal_id);
  reversed.set_key(reversal_id);
  reversed.set_reason(reversal.description());
  ctx.emit(reversed);
  return {};
}

}  // namespace micropay::transaction
