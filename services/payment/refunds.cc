// Refunds: the payee gives money of a completed payment back, in whole or in parts.
//   payment.refund_requested -> (balance reserves) -> payment.refund_processing -> (journal, balance) ->
//   payment.refunded
// Payment.refunding_minor guards refunds that run at the same time: together they never exceed the payment.
#include "services/payment/handlers.h"
#include "services/payment/rules.h"

namespace micropay::payment {
namespace {

Refund new_refund(Context& ctx, const Payment& payment, const CreateRefundRequest& request,
                  const Money& amount) {
  Refund refund;
  refund.set_id(ctx.new_id());
  refund.set_payment_id(payment.id());
  *refund.mutable_amount() = amount;
  refund.set_reason(request.reason());
  refund.set_created_at(ctx.now());
  refund.set_updated_at(ctx.now());
  return refund;
}

// The legs of the refund: those of the payment, turned around.
template <typename E>
E legs(const Refund& refund, const Payment& payment) {
  E event;
  event.set_refund_id(refund.id());
  event.set_payment_id(payment.id());
  event.set_from_account_id(payment.payee_account_id());
  event.set_to_account_id(payment.payer_account_id());
  *event.mutable_amount() = refund.amount();
  return event;
}

Refund& move_on(Context& ctx, const std::string& refund_id, Refund::Status status) {
  Refund& refund = ctx.table<Refund>().edit(refund_id);
  refund.set_status(status);
  refund.set_updated_at(ctx.now());
  return refund;
}

// The part of the payment that the refund held is free again, or refunded for good.
Payment& end_refunding(Context& ctx, const Refund& refund) {
  Payment& payment = ctx.table<Payment>().edit(refund.payment_id());
  payment.set_refunding_minor(payment.refunding_minor() - refund.amount().minor());
  CHECK(payment.refunding_minor() >= 0);
  payment.set_updated_at(ctx.now());
  return payment;
}

std::string_view refusal_now(Context& ctx, const Payment& payment) {
  const PayerWallet* from = ctx.table<PayerWallet>().find(payment.payee_account_id());
  const PayerWallet* to = ctx.table<PayerWallet>().find(payment.payer_account_id());
  CHECK(from != nullptr && to != nullptr);
  return wallet_refusal(*from, *to);
}

Result<void> check_may_refund(const Principal& caller, const Payment& payment) {
  if (!may_see(caller, payment)) return fail(Code::kNotFound, "not_found", "There is no such payment.");
  if (caller.user_id == payment.payee_user_id()) return {};
  if (may_act(caller) && caller.user_id == payment.payer_user_id())
    return fail(Code::kPermissionDenied, "is_party", "It is your own payment: somebody else has to decide.");
  if (may_act(caller)) return {};
  return fail(Code::kPermissionDenied, "forbidden", "Only the payee gives a payment back.");
}

}  // namespace

Result<Refund> create_refund(Context& ctx, const CreateRefundRequest& request) {
  const Payment& found = TRY(ctx.table<Payment>().get(request.payment_id()));
  TRY(check_may_refund(ctx.principal(), found));
  const Money amount = TRY(refund_amount(found, request));
  Payment& payment = ctx.table<Payment>().edit(found.id());
  const Refund& refund = ctx.table<Refund>().insert(new_refund(ctx, payment, request, amount));
  payment.set_refunding_minor(payment.refunding_minor() + amount.minor());
  payment.set_refunds(payment.refunds() + 1);
  payment.set_updated_at(ctx.now());
  if (const std::string_view reason = refusal_now(ctx, payment); !reason.empty()) {
    TRY(fail_refund(ctx, refund.id(), reason));
    return refund;
  }
  auto requested = legs<PaymentRefundRequested>(refund, payment);
  requested.set_user_id(payment.payee_user_id());
  ctx.emit(requested);
  return refund;
}

Result<void> process_refund_when_reserved(Context& ctx, const AccountBalanceReserved& event) {
  if (event.kind() != "refund") return {};
  const Refund* found = ctx.table<Refund>().find(event.reservation_id());
  if (found == nullptr || found->status() != Refund::PENDING) return {};
  const Payment* payment = ctx.table<Payment>().find(found->payment_id());
  CHECK(payment != nullptr);
  ctx.emit(legs<PaymentRefundProcessing>(move_on(ctx, found->id(), Refund::PROCESSING), *payment));
  return {};
}

Result<void> complete_refund(Context& ctx, const AccountBalanceUpdated& event) {
  const Refund* found = ctx.table<Refund>().find(event.key());
  if (found == nullptr || found->status() != Refund::PROCESSING) return {};
  Refund& refund = move_on(ctx, found->id(), Refund::COMPLETED);
  refund.set_transaction_id(event.transaction_id());
  Payment& payment = end_refunding(ctx, refund);
  count_refunded(payment, refund.amount().minor());
  PaymentRefunded refunded;
  refunded.set_refund_id(refund.id());
  refunded.set_payment_id(payment.id());
  *refunded.mutable_amount() = refund.amount();
  refunded.set_whole(payment.status() == Payment::REFUNDED);
  refunded.set_payer_user_id(payment.payer_user_id());
  refunded.set_payee_user_id(payment.payee_user_id());
  ctx.emit(refunded);
  return {};
}

Result<void> fail_refund(Context& ctx, const std::string& refund_id, std::string_view reason) {
  const Refund* found = ctx.table<Refund>().find(refund_id);
  if (found == nullptr || found->status() != Refund::PENDING) return {};
  Refund& refund = move_on(ctx, found->id(), Refund::FAILED);
  refund.set_failure_reason(std::string(reason));
  refund.set_failure_detail(std::string(refund_detail_of(reason)));
  Payment& payment = end_refunding(ctx, refund);
  if (payment.refunds() > 0) payment.set_refunds(payment.refunds() - 1);  // it may be tried again and again
  PaymentRefundFailed failed;
  failed.set_refund_id(refund.id());
  failed.set_payment_id(refund.payment_id());
  failed.set_reason(refund.failure_reason());
  failed.set_user_id(payment.payee_user_id());
  ctx.emit(failed);
  return {};
}

}  // namespace micropay::payment
