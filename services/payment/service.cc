#include "services/payment/service.h"

#include "contracts/fraud.pb.h"
#include "libs/runtime/access.h"
#include "services/payment/handlers.h"
#include "services/payment/rules.h"

namespace micropay {
namespace payment {
namespace {

// ---- payment.initiated ----

// Who is to be paid, or why nobody is: that is told only when the payer has the money.
struct Payee {
  const PayerWallet* wallet = nullptr;
  std::string_view field;  // of the request that named it
  std::string_view refusal;
};

Payee find_payee(Context& ctx, const CreatePaymentRequest& request) {
  if (!request.payee_account_id().empty()) {
    const PayerWallet* wallet = ctx.table<PayerWallet>().find(request.payee_account_id());
    return {wallet, "payeeAccountId", wallet == nullptr ? "payee_not_found" : ""};
  }
  const PayeeUser* user = ctx.table<PayeeUser>().find(request.payee_email());
  if (user == nullptr || !user->proven()) return {nullptr, "payeeEmail", "payee_not_found"};
  const PayeeWallet* route = ctx.table<PayeeWallet>().find(user->user_id(), request.amount().currency());
  if (route == nullptr) return {nullptr, "payeeEmail", "currency_mismatch"};
  const PayerWallet* wallet = ctx.table<PayerWallet>().find(route->account_id());
  return {wallet, "payeeEmail", wallet == nullptr ? "payee_not_found" : ""};
}

struct Parties {
  const PayerWallet& payer;
  const Payee& payee;
};

Payment new_payment(Context& ctx, const CreatePaymentRequest& request, const Parties& parties, Duration ttl) {
  Payment payment;
  payment.set_id(ctx.new_id());
  payment.set_payer_account_id(parties.payer.account_id());
  payment.set_payer_user_id(parties.payer.user_id());
  if (parties.payee.refusal.empty()) {
    payment.set_payee_account_id(parties.payee.wallet->account_id());
    payment.set_payee_user_id(parties.payee.wallet->user_id());
  } else {
    payment.set_payee_refusal(std::string(parties.payee.refusal));
    payment.set_payee_field(std::string(parties.payee.field));
  }
  payment.set_reference(request.reference());
  *payment.mutable_amount() = request.amount();
  payment.set_description(request.description());
  if (request.has_metadata()) *payment.mutable_metadata() = request.metadata();
  payment.set_created_at(ctx.now());
  payment.set_updated_at(ctx.now());
  payment.set_expires_at(ctx.now() + ttl);
  return payment;
}

PaymentInitiated initiated(const Payment& payment, bool refused) {
  PaymentInitiated event;
  event.set_payment_id(payment.id());
  event.set_payer_account_id(payment.payer_account_id());
  event.set_payee_account_id(payment.payee_account_id());
  event.set_payer_user_id(payment.payer_user_id());
  event.set_payee_user_id(payment.payee_user_id());
  *event.mutable_amount() = payment.amount();
  event.set_expires_at(payment.expires_at());
  event.set_refused(refused);
  if (payment.has_metadata()) *event.mutable_metadata() = payment.metadata();
  return event;
}

// It was never more than an attempt: whom it was for is nobody's to read, and no business of his.
Payment& fail_unfunded(Context& ctx, const std::string& payment_id, std::string_view reason) {
  fail_payment(ctx, payment_id, reason);
  Payment& payment = ctx.table<Payment>().edit(payment_id);
  payment.clear_payee_account_id();
  payment.clear_payee_user_id();
  return payment;
}

// The payer has the money, so he is told what is wrong with the payee. A mistake of the request: no list
// shows it, and its reference is free again.
void refuse_payee(Context& ctx, const Payment& asked) {
  const std::string reason = asked.payee_refusal();
  const uint32_t status = reason == "payee_not_found" ? 404 : reason == "currency_mismatch" ? 400 : 402;
  Payment& payment = fail_unfunded(ctx, asked.id(), reason);
  if (status == 402) return;
  payment.set_failure_status(status);
  payment.set_failure_at(payment.payee_field());
  payment.clear_payer_account_id();
  ctx.table<PaymentReference>().erase(payment.reference(), payment.payer_user_id());
}

Result<Payment> create_payment(Context& ctx, const CreatePaymentRequest& request,
                               const PaymentSettings& settings) {
  const PayerWallet& payer = TRY(ctx.table<PayerWallet>().get(request.payer_account_id()));
  TRY(check_payee_named(request));
  Payee payee = find_payee(ctx, request);
  TRY(check_new_payment(payer, payee.wallet, request.amount(), payee.field));
  if (payee.refusal.empty()) payee.refusal = payee_refusal(*payee.wallet, request.amount());
  std::string_view reason = wallet_refusal(payer);
  const bool counts = settings.limits && reason.empty();
  PayerPerson* person = counts ? &TRY(person_of(ctx, payer.user_id())).get() : nullptr;
  if (counts && limit_exceeded(payer, *person, request.amount(), ctx.now())) reason = "limit_exceeded";
  Payment& payment =
      ctx.table<Payment>().insert(new_payment(ctx, request, {payer, payee}, settings.reservation_ttl));
  TRY(keep_reference(ctx, payment));
  ctx.emit(initiated(payment, !reason.empty()));
  if (!reason.empty()) {
    fail_unfunded(ctx, payment.id(), reason);
  } else if (counts) {
    payment.set_counted(true);
    count_spending(*person, request.amount(), ctx.now());
  }
  return payment;
}

// ---- payment.processing, .held, .completed ----

Payment& move_on(Context& ctx, const Payment& payment, Payment::Status status) {
  Payment& edited = ctx.table<Payment>().edit(payment.id());
  if (edited.status() == Payment::IN_REVIEW) ctx.cancel_timer<PaymentExpiry>(edited.id());
  edited.set_status(status);
  edited.set_updated_at(ctx.now());
  return edited;
}

void process(Context& ctx, const Payment& payment) {
  move_on(ctx, payment, Payment::PROCESSING);
  PaymentProcessing event;
  event.set_payment_id(payment.id());
  event.set_payer_account_id(payment.payer_account_id());
  event.set_payee_account_id(payment.payee_account_id());
  *event.mutable_amount() = payment.amount();
  event.set_payer_user_id(payment.payer_user_id());
  ctx.emit(std::move(event));
}

void hold(Context& ctx, const Payment& payment) {
  if (payment.status() == Payment::IN_REVIEW) return;
  move_on(ctx, payment, Payment::IN_REVIEW);
  PaymentExpiry expiry;
  expiry.set_payment_id(payment.id());
  ctx.set_timer(payment.id(), payment.expires_at(), expiry);
  PaymentHeld event;
  event.set_payment_id(payment.id());
  event.set_payer_user_id(payment.payer_user_id());
  ctx.emit(std::move(event));
}

// The wallets may have been frozen or closed since the payment began: an approval does not outrank that.
std::string_view refusal_now(Context& ctx, const Payment& payment) {
  const PayerWallet* payer = ctx.table<PayerWallet>().find(payment.payer_account_id());
  const PayerWallet* payee = ctx.table<PayerWallet>().find(payment.payee_account_id());
  CHECK(payer != nullptr && payee != nullptr);
  return wallet_refusal(*payer, *payee);
}

Result<void> follow_the_decision(Context& ctx, const FraudRiskAssessed& event) {
  const Payment* payment = ctx.table<Payment>().find(event.payment_id());
  if (payment == nullptr || !is_open(*payment)) return {};
  if (event.decision() == DECLINE) {
    fail_payment(ctx, event.payment_id(), "declined");
  } else if (const std::string_view reason = refusal_now(ctx, *payment); !reason.empty()) {
    fail_payment(ctx, event.payment_id(), reason);
  } else if (event.decision() == APPROVE) {
    process(ctx, *payment);
  } else {
    hold(ctx, *payment);
  }
  return {};
}

Result<void> fail_when_not_reserved(Context& ctx, const AccountBalanceReservationFailed& event) {
  if (event.kind() == "refund") return fail_refund(ctx, event.reservation_id(), event.reason());
  if (event.kind() != "payment") return {};
  const Payment* payment = ctx.table<Payment>().find(event.reservation_id());
  if (payment == nullptr || !is_open(*payment)) return {};
  // The balances look at the money first.
  const bool funded = event.reason() == "account_not_found" && !payment->payee_refusal().empty();
  if (funded) refuse_payee(ctx, *payment);
  else fail_unfunded(ctx, payment->id(), event.reason());
  return {};
}

Result<void> complete_payment(Context& ctx, const AccountBalanceUpdated& event) {
  const Payment* found = ctx.table<Payment>().find(event.key());
  if (found == nullptr || found->status() != Payment::PROCESSING) return {};
  Payment& payment = move_on(ctx, *found, Payment::COMPLETED);
  payment.set_transaction_id(event.transaction_id());
  PaymentCompleted completed;
  completed.set_payment_id(payment.id());
  completed.set_payer_account_id(payment.payer_account_id());
  completed.set_payee_account_id(payment.payee_account_id());
  completed.set_payer_user_id(payment.payer_user_id());
  completed.set_payee_user_id(payment.payee_user_id());
  *completed.mutable_amount() = payment.amount();
  completed.set_transaction_id(payment.transaction_id());
  if (payment.has_metadata()) *completed.mutable_metadata() = payment.metadata();
  ctx.emit(std::move(completed));
  return {};
}

Result<void> complete_when_booked(Context& ctx, const AccountBalanceUpdated& event) {
  if (event.kind() == "payment") return complete_payment(ctx, event);
  if (event.kind() == "refund") return complete_refund(ctx, event);
  return {};
}

// ---- payment.cancelled, expiry ----

void give_back_spending(Context& ctx, Payment& payment) {
  if (!payment.counted()) return;
  payment.set_counted(false);
  PayerPerson* person = ctx.table<PayerPerson>().edit_present(payment.payer_user_id());
  if (person != nullptr) give_back(*person, payment.amount(), payment.created_at());
}

Result<Payment> cancel_payment(Context& ctx, const CancelPaymentRequest& request) {
  const Payment& found = TRY(ctx.table<Payment>().get(request.id()));
  const Principal& caller = ctx.principal();
  if (!may_see(caller, found)) return fail(Code::kNotFound, "not_found", "There is no such payment.");
  if (caller.user_id != found.payer_user_id()) {
    if (!may_act(caller))
      return fail(Code::kPermissionDenied, "forbidden", "Only the payer takes a payment back.");
    TRY(check_not_party(caller, {found.payee_user_id()}));
  }
  TRY(check_cancel(found));
  Payment& payment = move_on(ctx, found, Payment::CANCELLED);
  payment.set_failure_detail(request.reason());
  keep_little(payment);
  give_back_spending(ctx, payment);
  PaymentCancelled cancelled;
  cancelled.set_payment_id(payment.id());
  cancelled.set_payer_account_id(payment.payer_account_id());
  cancelled.set_payer_user_id(payment.payer_user_id());
  *cancelled.mutable_amount() = payment.amount();
  ctx.emit(cancelled);
  return payment;
}

Result<void> expire(Context& ctx, const PaymentExpiry& timer) {
  const Payment* payment = ctx.table<Payment>().find(timer.payment_id());
  if (payment != nullptr && is_open(*payment)) fail_payment(ctx, timer.payment_id(), "expired");
  return {};
}

}  // namespace

void fail_payment(Context& ctx, const std::string& payment_id, std::string_view reason) {
  const Payment* found = ctx.table<Payment>().find(payment_id);
  CHECK(found != nullptr && is_open(*found));
  Payment& payment = move_on(ctx, *found, Payment::FAILED);
  payment.set_failure_reason(std::string(reason));
  payment.set_failure_detail(std::string(detail_of(reason)));
  keep_little(payment);
  give_back_spending(ctx, payment);
  PaymentFailed failed;
  failed.set_payment_id(payment.id());
  failed.set_payer_account_id(payment.payer_account_id());
  failed.set_payer_user_id(payment.payer_user_id());
  *failed.mutable_amount() = payment.amount();
  failed.set_reason(payment.failure_reason());
  ctx.emit(failed);
}

}  // namespace payment

PaymentSettings::PaymentSettings(Settings& settings)
    : limits(settings.flag("account.limits", true,
                           "Whether the wallets' limits of a payment, day and month hold")),
      reservation_ttl(settings.duration("payment.reservation_ttl", 15 * kMinute,
                                        "How long money is held for a payment under review")) {}

Service payment_service(const Parts& parts) {
  using namespace payment;
  const PaymentSettings settings(parts.settings);
  Service service{"payment"};
  service.command([settings](Context& ctx, const CreatePaymentRequest& request) {
    return create_payment(ctx, request, settings);
  });
  service.command(cancel_payment);
  service.command(create_refund);
  service.query(get_payment);
  service.query(list_payments);
  service.query(list_payment_events);
  service.query(list_refunds);
  service.on(follow_the_decision);           // fraud.risk.assessed
  service.on(fail_when_not_reserved);        // account.balance.reservation_failed
  service.on(complete_when_booked);          // account.balance.updated
  service.on(process_refund_when_reserved);  // account.balance.reserved
  service.on(decide_reversal);               // transaction.reversal_requested
  service.on(finish_reversal);               // transaction.reversed
  service.on(stay_as_it_is);                 // transaction.reversal_refused
  service.on(know_user);                     // user.email_verified
  service.on(know_wallet);                   // account.created
  service.on(fail_pending_when_frozen);      // account.frozen
  service.on(know_unfrozen);                 // account.unfrozen
  service.on(know_closing);                  // account.close_requested
  service.on(know_close_refused);            // account.close_refused
  service.on(know_closed);                   // account.closed
  service.on(know_limits);                   // account.limits_changed
  service.on(know_holder_limits);            // account.holder_limits_changed
  service.on_timer(expire);
  keep_history(service);
  return service;
}

}  // namespace micropay
