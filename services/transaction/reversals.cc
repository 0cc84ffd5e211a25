// Taking an entry back. What the entry is of has one owner, and only he knows whether it may still be
// taken back: the payment service of payments and refunds, the account service of top-ups, the journal of
// transfers. After him the balance service is asked for the opposite movement like for any transfer, since
// the money may have been spent meanwhile.
//
//   reverse_transaction: reversal CREATED
//     -> [transaction.reversal_requested -> payment.reversal_decided | account.top_up.reversal_decided]
//     -> transaction.transfers_requested -> account.balance.transfers_decided
//     -> SETTLED: transaction.created, .settled, .reversed | FAILED: transaction.reversal_refused
//
// From the first step on the entry names its reversal, and from his decision on the owner does, too: nothing
// else takes the same money back, whatever comes first. .reversed and .reversal_refused tell him the end.
#include "services/transaction/handlers.h"

namespace micropay::transaction {
namespace {

void ask_balance(Context& ctx, const Transaction& reversal) {
  TransactionTransfersRequested requested;
  requested.set_batch_id(reversal.id());
  *requested.add_steps() = reversal_step(reversal);
  ctx.emit(requested);
}

void ask_owner(Context& ctx, const Transaction& entry, const Transaction& reversal) {
  TransactionReversalRequested requested;
  requested.set_transaction_id(entry.id());
  requested.set_reversal_id(reversal.id());
  requested.set_kind(entry.kind());
  requested.set_cause_id(entry.payment_id());
  ctx.emit(requested);
}

// A reversal that is not decided yet, with its entry; neither, when it was decided before.
struct Pair {
  Transaction* reversal = nullptr;
  Transaction* entry = nullptr;
};

Result<Pair> undecided(Context& ctx, const std::string& reversal_id) {
  auto journal = ctx.table<Transaction>();
  const Transaction* reversal = journal.find(reversal_id);
  const Transaction* entry = reversal == nullptr ? nullptr : journal.find(reversal->reverses_id());
  if (entry == nullptr || reversal->kind() != "reversal")
    return fail(Code::kInternal, "unknown_reversal", reversal_id);
  if (reversal->status() != Transaction::CREATED) return Pair{};
  if (entry->reversed_by_id() != reversal_id) return fail(Code::kInternal, "not_its_reversal", reversal_id);
  return Pair{&journal.edit(reversal_id), &journal.edit(entry->id())};
}

template <typename E>
E outcome_of(const Pair& pair) {
  E event;
  event.set_transaction_id(pair.entry->id());
  event.set_reversal_id(pair.reversal->id());
  event.set_kind(pair.entry->kind());
  event.set_cause_id(pair.entry->payment_id());
  return event;
}

void refuse(Context& ctx, const Pair& pair, const std::string& reason, std::string_view detail) {
  pair.reversal->set_status(Transaction::FAILED);
  pair.reversal->set_failure_reason(reason);
  pair.reversal->set_failure_detail(std::string(detail));
  pair.entry->clear_reversed_by_id();
  auto refused = outcome_of<TransactionReversalRefused>(pair);
  refused.set_reason(reason);
  refused.set_detail(pair.reversal->failure_detail());
  ctx.emit(refused);
}

Result<void> go_on(Context& ctx, const std::string& reversal_id, const std::string& refused,
                   const std::string& detail) {
  const Pair pair = TRY(undecided(ctx, reversal_id));
  if (pair.entry == nullptr) return {};
  if (refused.empty()) ask_balance(ctx, *pair.reversal);
  else refuse(ctx, pair, refused, detail);
  return {};
}

// The transfer that was booked, and the pending one that it posted.
void mark_transfers(Context& ctx, const Transaction& entry) {
  auto transfers = ctx.table<Transfer>();
  const Transfer* booked = transfers.find(entry.payment_id());
  if (booked == nullptr) return;
  const std::string pending_id = booked->pending_id();
  transfers.edit(entry.payment_id()).set_status(Transfer::REVERSED);
  if (!pending_id.empty() && transfers.find(pending_id) != nullptr)
    transfers.edit(pending_id).set_status(Transfer::REVERSED);
}

}  // namespace

Result<Transaction> reverse_transaction(Context& ctx, const ReverseTransactionRequest& request) {
  auto journal = ctx.table<Transaction>();
  const Transaction& entry = TRY(journal.get(request.id()));
  for (const Posting& posting : entry.postings()) TRY(check_no_party(ctx, posting.account_id()));
  TRY(check_reversible(entry));
  const Transaction& reversal =
      journal.insert(new_reversal(entry, ctx.new_id(), request.reason(), ctx.now()));
  Transaction& reversed = journal.edit(request.id());
  reversed.set_reversed_by_id(reversal.id());
  if (has_owner(reversed)) ask_owner(ctx, reversed, reversal);
  else ask_balance(ctx, reversal);
  return reversal;
}

Result<void> go_on_as_payment_says(Context& ctx, const PaymentReversalDecided& event) {
  return go_on(ctx, event.reversal_id(), event.refused(), event.detail());
}

Result<void> go_on_as_top_up_says(Context& ctx, const AccountTopUpReversalDecided& event) {
  return go_on(ctx, event.reversal_id(), event.refused(), event.detail());
}

Result<void> finish_reversal(Context& ctx, const std::string& reversal_id, const TransferStep& step) {
  const Pair pair = TRY(undecided(ctx, reversal_id));
  if (pair.entry == nullptr) return {};
  if (!step.rejected().empty()) {
    refuse(ctx, pair, step.rejected(), refusal_detail(step.rejected()));
    return {};
  }
  pair.reversal->set_status(Transaction::SETTLED);
  pair.reversal->set_settled_at(ctx.now());
  pair.entry->set_status(Transaction::REVERSED);
  if (pair.entry->kind() == "transfer") mark_transfers(ctx, *pair.entry);
  ctx.emit(created_event(*pair.reversal, reversal_id));
  ctx.emit(settled_event(*pair.reversal, reversal_id, reversal_id));
  auto reversed = outcome_of<TransactionReversed>(pair);
  reversed.set_key(reversal_id);
  reversed.set_reason(pair.reversal->description());
  ctx.emit(reversed);
  return {};
}

}  // namespace micropay::transaction
