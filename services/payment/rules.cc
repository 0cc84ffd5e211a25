#include "services/payment/rules.h"

#include <algorithm>

#include "libs/base/money.h"

namespace micropay::payment {
namespace {

std::string_view wallet_refusal(const PayerWallet& wallet) {
  switch (wallet.status()) {
    case Account::ACTIVE: return {};
    case Account::FROZEN: return "account_frozen";
    default: return "account_closed";
  }
}

// 0 is no limit. A sum that does not fit is over any limit.
bool exceeds(int64_t limit_minor, int64_t spent_minor, int64_t amount_minor) {
  return limit_minor != 0 && add_minor(spent_minor, amount_minor).value_or(INT64_MAX) > limit_minor;
}

int64_t spent_on_day(const PayerWallet& wallet, Time now) {
  return wallet.day() == start_of_day(now) ? wallet.spent_day_minor() : 0;
}

int64_t spent_in_month(const PayerWallet& wallet, Time now) {
  return wallet.month() == start_of_month(now) ? wallet.spent_month_minor() : 0;
}

bool limit_exceeded(const PayerWallet& payer, int64_t amount_minor, Time now) {
  const Limits& limits = payer.limits();
  return exceeds(limits.per_payment_minor(), 0, amount_minor) ||
         exceeds(limits.per_day_minor(), spent_on_day(payer, now), amount_minor) ||
         exceeds(limits.per_month_minor(), spent_in_month(payer, now), amount_minor);
}

}  // namespace

Result<void> check_payee_named(const CreatePaymentRequest& request) {
  if (request.payee_account_id().empty() && request.payee_email().empty())
    return fail(Code::kInvalidArgument, "payee_required", "Give payeeAccountId or payeeEmail.",
                "payeeAccountId");
  if (!request.payee_account_id().empty() && !request.payee_email().empty())
    return fail(Code::kInvalidArgument, "payee_ambiguous", "Give payeeAccountId or payeeEmail, not both.",
                "payeeEmail");
  return {};
}

Result<void> check_new_payment(const PayerWallet& payer, const PayerWallet& payee, const Money& amount,
                               std::string_view payee_field) {
  if (payer.account_id() == payee.account_id())
    return fail(Code::kInvalidArgument, "same_account", "Payer and payee are the same wallet.",
                std::string(payee_field));
  if (amount.currency() != payer.currency())
    return fail(Code::kInvalidArgument, "currency_mismatch",
                fmt::format("The payer's wallet is in {}.", payer.currency()), "amount.currency");
  if (amount.currency() != payee.currency())
    return fail(Code::kInvalidArgument, "currency_mismatch", "The payee's wallet is in another currency.",
                std::string(payee_field));
  return {};
}

std::string_view wallet_refusal(const PayerWallet& payer, const PayerWallet& payee) {
  const std::string_view of_payer = wallet_refusal(payer);
  return of_payer.empty() ? wallet_refusal(payee) : of_payer;
}

std::string_view refusal(const PayerWallet& payer, const PayerWallet& payee, int64_t amount_minor, Time now,
                         bool limits) {
  const std::string_view of_wallet = wallet_refusal(payer, payee);
  if (!of_wallet.empty()) return of_wallet;
  return limits && limit_exceeded(payer, amount_minor, now) ? "limit_exceeded" : "";
}

std::string_view detail_of(std::string_view failure_reason) {
  if (failure_reason == "insufficient_funds") return "There is not enough money in the wallet.";
  if (failure_reason == "declined") return "The payment was declined.";
  if (failure_reason == "account_frozen") return "A wallet of the payment is frozen.";
  if (failure_reason == "account_closed") return "A wallet of the payment is closed.";
  if (failure_reason == "limit_exceeded")
    return "The amount is over the wallet's limit of a payment, a day or a month.";
  if (failure_reason == "expired") return "Nobody decided the payment in time.";
  if (failure_reason == "account_not_found") return "A wallet of the payment is not there yet.";
  if (failure_reason == "balance_limit_exceeded") return "The wallet would hold more than it can.";
  return failure_reason.empty() ? "" : "The balances do not allow it.";
}

bool has_period_limit(const PayerWallet& wallet) {
  return wallet.limits().per_day_minor() != 0 || wallet.limits().per_month_minor() != 0;
}

void count_spending(PayerWallet& wallet, int64_t amount_minor, Time now) {
  CHECK(amount_minor > 0);
  wallet.set_spent_day_minor(add_minor(spent_on_day(wallet, now), amount_minor).value_or(INT64_MAX));
  wallet.set_spent_month_minor(add_minor(spent_in_month(wallet, now), amount_minor).value_or(INT64_MAX));
  wallet.set_day(start_of_day(now));
  wallet.set_month(start_of_month(now));
}

void give_back(PayerWallet& wallet, int64_t amount_minor, Time counted_at) {
  CHECK(amount_minor > 0);
  if (wallet.day() == start_of_day(counted_at))
    wallet.set_spent_day_minor(std::max<int64_t>(0, wallet.spent_day_minor() - amount_minor));
  if (wallet.month() == start_of_month(counted_at))
    wallet.set_spent_month_minor(std::max<int64_t>(0, wallet.spent_month_minor() - amount_minor));
}

Result<void> check_cancel(const Payment& payment) {
  if (is_open(payment)) return {};
  return fail(Code::kFailedPrecondition, "payment_not_cancellable",
              fmt::format("The payment is {}.", Payment::Status_Name(payment.status())));
}

Result<Money> refund_amount(const Payment& payment, const CreateRefundRequest& request) {
  const bool has_money_moved = payment.status() == Payment::COMPLETED ||
                               payment.status() == Payment::REFUNDED ||
                               payment.status() == Payment::PARTIALLY_REFUNDED;
  if (!payment.reversal_id().empty())
    return fail(Code::kFailedPrecondition, "payment_not_refundable",
                payment.status() == Payment::REVERSED ? "The payment was taken back already."
                                                      : "The payment is being taken back.");
  if (!has_money_moved)
    return fail(Code::kFailedPrecondition, "payment_not_refundable",
                "Only a completed payment can be refunded.");
  if (request.has_amount() && request.amount().currency() != payment.amount().currency())
    return fail(Code::kInvalidArgument, "currency_mismatch",
                fmt::format("The payment is in {}.", payment.amount().currency()), "amount.currency");
  const int64_t left = payment.amount().minor() - payment.refunded_minor() - payment.refunding_minor();
  CHECK(left >= 0);
  Money amount = payment.amount();
  amount.set_minor(request.has_amount() ? request.amount().minor() : left);
  if (left == 0 || amount.minor() > left)
    return fail(Code::kFailedPrecondition, "refund_exceeds_payment", "Not so much of the payment is left.",
                "amount");
  if (payment.refunds() >= kMaxRefunds)
    return fail(Code::kFailedPrecondition, "too_many_refunds",
                fmt::format("A payment has at most {} refunds.", kMaxRefunds));
  return amount;
}

std::string_view refund_detail_of(std::string_view failure_reason) {
  if (failure_reason == "insufficient_funds") return "The payee's wallet has not enough money.";
  return detail_of(failure_reason);
}

void count_refunded(Payment& payment, int64_t minor) {
  payment.set_refunded_minor(payment.refunded_minor() + minor);
  CHECK(payment.refunded_minor() >= 0 &&
        payment.refunded_minor() + payment.refunding_minor() <= payment.amount().minor());
  payment.set_status(payment.refunded_minor() == 0                          ? Payment::COMPLETED
                     : payment.refunded_minor() == payment.amount().minor() ? Payment::REFUNDED
                                                                            : Payment::PARTIALLY_REFUNDED);
}

Result<void> check_reversal(const Payment& payment) {
  if (payment.refunding_minor() != 0)
    return fail(Code::kFailedPrecondition, "already_refunded", "The payment is being refunded.");
  if (payment.refunded_minor() == payment.amount().minor())
    return fail(Code::kFailedPrecondition, "already_refunded", "The payment was refunded.");
  if (payment.refunded_minor() != 0)
    return fail(Code::kFailedPrecondition, "already_refunded",
                fmt::format("{} {} of the payment were refunded: refund what is left.",
                            format_minor(payment.refunded_minor(), payment.amount().currency()),
                            payment.amount().currency()));
  if (payment.status() != Payment::COMPLETED)
    return fail(Code::kFailedPrecondition, "not_reversible",
                fmt::format("The payment is {}.", Payment::Status_Name(payment.status())));
  return {};
}

Result<void> check_reversal(const Refund& refund) {
  if (refund.status() == Refund::COMPLETED) return {};
  return fail(Code::kFailedPrecondition, "not_reversible",
              fmt::format("The refund is {}.", Refund::Status_Name(refund.status())));
}

bool may_see(const Principal& principal, const Payment& payment) {
  return principal.staff() || principal.user_id == payment.payer_user_id() ||
         principal.user_id == payment.payee_user_id();
}

bool may_act(const Principal& principal) { return principal.has(ADMIN) || principal.has(SUPPORT); }

}  // namespace micropay::payment
