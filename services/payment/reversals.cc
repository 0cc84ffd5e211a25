// Staff takes the entry of a payment or refund back. The journal asks here first, because only the payment
// knows what of it was given back already; what is agreed to is remembered (reversal_id) before anything
// moves, so that a refund that comes meanwhile, or later, finds it. The other way round, a refund under way
// keeps the reversal out.
//   transaction.reversal_requested -> payment.reversal_decided -> (journal, balance)
//     -> transaction.reversed: payment.reversed | payment.refund_reversed
//     -> transaction.reversal_refused: as before
#include "services/payment/handlers.h"
#include "services/payment/rules.h"

namespace micropay::payment {
namespace {

// What is asked for is one at a time, but events of two reversals may overtake each other: the earlier one
// has ended, and we shall hear of it.
std::unexpected<Error> later(const std::string& id) { return fail(Code::kUnavailable, "under_way", id); }

void tell(Context& ctx, const TransactionReversalRequested& asked, const std::string& payment_id,
          const Result<void>& checked) {
  PaymentReversalDecided decided;
  decided.set_reversal_id(asked.reversal_id());
  decided.set_payment_id(payment_id);
  if (asked.kind() == "refund") decided.set_refund_id(asked.cause_id());
  if (!checked) {
    decided.set_refused(checked.error().reason);
    decided.set_detail(checked.error().detail);
  }
  ctx.emit(decided);
}

Result<void> decide_for_payment(Context& ctx, const TransactionReversalRequested& event) {
  const Payment* payment = ctx.table<Payment>().find(event.cause_id());
  if (payment == nullptr) return fail(Code::kInternal, "unknown_payment", event.cause_id());
  if (payment->reversal_id() == event.reversal_id()) return {};
  // Booked, but we have not heard of the balances yet.
  if (payment->status() == Payment::PROCESSING) return later(payment->id());
  if (!payment->reversal_id().empty() && payment->status() != Payment::REVERSED) return later(payment->id());
  const Result<void> checked = check_reversal(*payment);
  if (checked) {
    Payment& edited = ctx.table<Payment>().edit(event.cause_id());
    edited.set_reversal_id(event.reversal_id());
    edited.set_updated_at(ctx.now());
  }
  tell(ctx, event, event.cause_id(), checked);
  return {};
}

Result<void> decide_for_refund(Context& ctx, const TransactionReversalRequested& event) {
  const Refund* refund = ctx.table<Refund>().find(event.cause_id());
  if (refund == nullptr) return fail(Code::kInternal, "unknown_refund", event.cause_id());
  if (refund->reversal_id() == event.reversal_id()) return {};
  if (refund->status() == Refund::PROCESSING) return later(refund->id());
  if (!refund->reversal_id().empty() && refund->status() != Refund::REVERSED) return later(refund->id());
  const std::string payment_id = refund->payment_id();
  const Result<void> checked = check_reversal(*refund);
  if (checked) {
    Refund& edited = ctx.table<Refund>().edit(event.cause_id());
    edited.set_reversal_id(event.reversal_id());
    edited.set_updated_at(ctx.now());
  }
  tell(ctx, event, payment_id, checked);
  return {};
}

// The reversal is over, and the record stands as if it had never been asked for.
template <typename T>
void forget(Context& ctx, const std::string& id, const std::string& reversal_id, int reversed) {
  const T* found = ctx.table<T>().find(id);
  if (found == nullptr || found->reversal_id() != reversal_id || int(found->status()) == reversed) return;
  T& record = ctx.table<T>().edit(id);
  record.clear_reversal_id();
  record.set_updated_at(ctx.now());
}

template <typename T>
T& note(Context& ctx, const std::string& id, const std::string& reversal_id) {
  T& record = ctx.table<T>().edit(id);
  record.set_reversal_id(reversal_id);
  record.set_updated_at(ctx.now());
  return record;
}

void finish_payment(Context& ctx, Payment& payment) {
  payment.set_status(Payment::REVERSED);
  PaymentReversed reversed;
  reversed.set_payment_id(payment.id());
  reversed.set_reversal_id(payment.reversal_id());
  *reversed.mutable_amount() = payment.amount();
  reversed.set_payer_account_id(payment.payer_account_id());
  reversed.set_payee_account_id(payment.payee_account_id());
  reversed.set_payer_user_id(payment.payer_user_id());
  reversed.set_payee_user_id(payment.payee_user_id());
  ctx.emit(reversed);
}

// What it gave back may be given back again.
void finish_refund(Context& ctx, Refund& refund) {
  refund.set_status(Refund::REVERSED);
  Payment& payment = ctx.table<Payment>().edit(refund.payment_id());
  count_refunded(payment, -refund.amount().minor());
  payment.set_updated_at(ctx.now());
  PaymentRefundReversed reversed;
  reversed.set_refund_id(refund.id());
  reversed.set_payment_id(payment.id());
  reversed.set_reversal_id(refund.reversal_id());
  *reversed.mutable_amount() = refund.amount();
  reversed.set_payer_user_id(payment.payer_user_id());
  reversed.set_payee_user_id(payment.payee_user_id());
  ctx.emit(reversed);
}

}  // namespace

Result<void> decide_reversal(Context& ctx, const TransactionReversalRequested& event) {
  if (event.kind() == "payment") return decide_for_payment(ctx, event);
  if (event.kind() == "refund") return decide_for_refund(ctx, event);
  return {};
}

// The entry bears the id of its payment or refund. One that was taken back without asking here, by a journal
// of the last release, is back all the same.
Result<void> finish_reversal(Context& ctx, const TransactionReversed& event) {
  const std::string& id = event.transaction_id();
  if (const Payment* payment = ctx.table<Payment>().find(id)) {
    if (payment->status() == Payment::PROCESSING) return later(id);
    if (payment->status() != Payment::REVERSED)
      finish_payment(ctx, note<Payment>(ctx, id, event.reversal_id()));
  } else if (const Refund* refund = ctx.table<Refund>().find(id)) {
    if (refund->status() == Refund::PROCESSING) return later(id);
    if (refund->status() == Refund::COMPLETED) finish_refund(ctx, note<Refund>(ctx, id, event.reversal_id()));
  }
  return {};
}

Result<void> stay_as_it_is(Context& ctx, const TransactionReversalRefused& event) {
  forget<Payment>(ctx, event.transaction_id(), event.reversal_id(), Payment::REVERSED);
  forget<Refund>(ctx, event.transaction_id(), event.reversal_id(), Refund::REVERSED);
  return {};
}

}  // namespace micropay::payment
