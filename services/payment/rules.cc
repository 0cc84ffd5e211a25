#include "services/payment/rules.h"

#include <algorithm>

#include "libs/base/money.h"

namespace micropay::payment {
namespace {

constexpr size_t kKeptOfFailed = 512;  // bytes of metadata

int64_t add(int64_t a, int64_t b) { return add_minor(a, b).value_or(INT64_MAX); }

// What counts against limits, with the payment that is asked for, in one currency.
struct Spent {
  int64_t payment = 0, day = 0, month = 0;
};

// Of one currency, or of all by their approximate value in it.
Spent spent_in(std::string_view currency, bool of_all, const PayerPerson& person, const Money& amount,
               Time now) {
  Spent spent;
  spent.payment = convert_minor(amount.minor(), amount.currency(), currency);
  for (const Spending& each : person.spent()) {
    if (!of_all && each.currency() != currency) continue;
    const auto sum = [&](int64_t minor) { return convert_minor(minor, each.currency(), currency); };
    if (person.day() == start_of_day(now)) spent.day = add(spent.day, sum(each.day_minor()));
    if (person.month() == start_of_month(now)) spent.month = add(spent.month, sum(each.month_minor()));
  }
  spent.day = add(spent.day, spent.payment);
  spent.month = add(spent.month, spent.payment);
  return spent;
}

// 0 is no limit. A sum that does not fit is over any limit.
bool exceeds(const Spent& spent, const Limits& limits) {
  const auto over = [](int64_t sum, int64_t limit_minor) { return limit_minor != 0 && sum > limit_minor; };
  return over(spent.payment, limits.per_payment_minor()) || over(spent.day, limits.per_day_minor()) ||
         over(spent.month, limits.per_month_minor());
}

Spending& spending_in(PayerPerson& person, const std::string& currency) {
  for (Spending& each : *person.mutable_spent())
    if (each.currency() == currency) return each;
  Spending& added = *person.add_spent();
  added.set_currency(currency);
  return added;
}

void begin_day(PayerPerson& person, Time now) {
  if (person.month() != start_of_month(now)) person.clear_spent();
  if (person.day() != start_of_day(now))
    for (Spending& each : *person.mutable_spent()) each.set_day_minor(0);
  person.set_day(start_of_day(now));
  person.set_month(start_of_month(now));
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

Result<void> check_new_payment(const PayerWallet& payer, const PayerWallet* payee, const Money& amount,
                               std::string_view payee_field) {
  if (payee != nullptr && payer.account_id() == payee->account_id())
    return fail(Code::kInvalidArgument, "same_account", "Payer and payee are the same wallet.",
                std::string(payee_field));
  if (amount.currency() != payer.currency())
    return fail(Code::kInvalidArgument, "currency_mismatch",
                fmt::format("The payer's wallet is in {}.", payer.currency()), "amount.currency");
  return {};
}

std::string_view wallet_refusal(const PayerWallet& wallet) {
  switch (wallet.status()) {
    case Account::ACTIVE: return {};
    case Account::FROZEN: return "account_frozen";
    default: return "account_closed";
  }
}

std::string_view wallet_refusal(const PayerWallet& payer, const PayerWallet& payee) {
  const std::string_view of_payer = wallet_refusal(payer);
  return of_payer.empty() ? wallet_refusal(payee) : of_payer;
}

std::string_view payee_refusal(const PayerWallet& payee, const Money& amount) {
  const std::string_view of_wallet = wallet_refusal(payee);
  if (!of_wallet.empty()) return of_wallet;
  return payee.currency() == amount.currency() ? "" : "currency_mismatch";
}

std::string_view detail_of(std::string_view failure_reason) {
  if (failure_reason == "insufficient_funds") return "There is not enough money in the wallet.";
  if (failure_reason == "payee_not_found") return "There is no such payee.";
  if (failure_reason == "currency_mismatch") return "The payee has no wallet in this currency.";
  if (failure_reason == "declined") return "The payment was declined.";
  if (failure_reason == "account_frozen") return "A wallet of the payment is frozen.";
  if (failure_reason == "account_closed") return "A wallet of the payment is closed.";
  if (failure_reason == "limit_exceeded") return "The amount is over a limit of a payment, a day or a month.";
  if (failure_reason == "expired") return "Nobody decided the payment in time.";
  if (failure_reason == "account_not_found") return "A wallet of the payment is not there yet.";
  if (failure_reason == "balance_limit_exceeded") return "The wallet would hold more than it can.";
  return failure_reason.empty() ? "" : "The balances do not allow it.";
}

bool limit_exceeded(const PayerWallet& payer, const PayerPerson& person, const Money& amount, Time now) {
  if (exceeds(spent_in(amount.currency(), false, person, amount, now), payer.limits())) return true;
  return std::any_of(person.limits().begin(), person.limits().end(), [&](const StaffLimits& set) {
    return exceeds(spent_in(set.currency(), true, person, amount, now), set.limits());
  });
}

void count_spending(PayerPerson& person, const Money& amount, Time now) {
  CHECK(amount.minor() > 0);
  begin_day(person, now);
  Spending& spent = spending_in(person, amount.currency());
  spent.set_day_minor(add(spent.day_minor(), amount.minor()));
  spent.set_month_minor(add(spent.month_minor(), amount.minor()));
}

void give_back(PayerPerson& person, const Money& amount, Time counted_at) {
  CHECK(amount.minor() > 0);
  Spending& spent = spending_in(person, amount.currency());
  if (person.day() == start_of_day(counted_at))
    spent.set_day_minor(std::max<int64_t>(0, spent.day_minor() - amount.minor()));
  if (person.month() == start_of_month(counted_at))
    spent.set_month_minor(std::max<int64_t>(0, spent.month_minor() - amount.minor()));
}

void take_over_spending(PayerPerson& person, const PayerWallet& wallet, Time now) {
  begin_day(person, now);
  Spending& spent = spending_in(person, wallet.currency());
  if (wallet.day() == person.day()) spent.set_day_minor(add(spent.day_minor(), wallet.spent_day_minor()));
  if (wallet.month() == person.month())
    spent.set_month_minor(add(spent.month_minor(), wallet.spent_month_minor()));
}

void set_staff_limits(PayerPerson& person, const std::string& account_id,
                      const std::vector<StaffLimits>& limits) {
  google::protobuf::RepeatedPtrField<StaffLimits> kept;
  for (const StaffLimits& each : person.limits())
    if (each.account_id() != account_id) *kept.Add() = each;
  for (const StaffLimits& each : limits) {
    const Limits& figures = each.limits();
    if (figures.per_payment_minor() == 0 && figures.per_day_minor() == 0 && figures.per_month_minor() == 0)
      continue;
    *kept.Add() = each;
  }
  person.mutable_limits()->Swap(&kept);
}

void keep_little(Payment& payment) {
  if (payment.metadata().ByteSizeLong() > kKeptOfFailed) payment.clear_metadata();
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
  payment.mutable_refunded_amount()->set_currency(payment.amount().currency());
  payment.mutable_refunded_amount()->set_minor(payment.refunded_minor());
  if (payment.refunded_minor() == 0) payment.clear_refunded_amount();
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

bool concerns_payee(Payment::Status status) {
  return status != Payment::PENDING && status != Payment::IN_REVIEW && status != Payment::FAILED &&
         status != Payment::CANCELLED;
}

bool may_see(const Principal& principal, const Payment& payment) {
  return principal.staff() || principal.user_id == payment.payer_user_id() ||
         (principal.user_id == payment.payee_user_id() && concerns_payee(payment.status()));
}

bool may_act(const Principal& principal) { return principal.has(ADMIN) || principal.has(SUPPORT); }

}  // namespace micropay::payment
