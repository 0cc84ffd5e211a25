#include "services/account/rules.h"

#include <algorithm>
#include <array>

namespace micropay::account {
namespace {

// No limit is the largest limit.
int64_t ceiling(int64_t limit_minor) { return limit_minor == 0 ? INT64_MAX : limit_minor; }

}  // namespace

Result<void> check_open(uint32_t open_accounts, uint32_t max_per_user) {
  if (open_accounts < max_per_user) return {};
  return fail(Code::kFailedPrecondition, "too_many_accounts",
              fmt::format("A user has at most {} open wallets.", max_per_user));
}

Result<void> check_active(const Account& account) {
  switch (account.status()) {
    case Account::ACTIVE: return {};
    case Account::FROZEN: return fail(Code::kFailedPrecondition, "account_frozen", "The wallet is frozen.");
    case Account::CLOSING:
      return fail(Code::kFailedPrecondition, "account_closing", "The wallet is being closed.");
    default: return fail(Code::kFailedPrecondition, "account_closed", "The wallet is closed.");
  }
}

Result<void> check_unfreeze(const Account& account) {
  if (account.status() == Account::FROZEN) return {};
  return fail(Code::kFailedPrecondition, "account_not_frozen", "The wallet is not frozen.");
}

Result<void> check_close(const Account& account) {
  TRY(check_active(account));
  if (account.pending_top_ups() == 0) return {};
  return fail(Code::kFailedPrecondition, "top_up_pending", "A top-up of the wallet is still under way.");
}

Result<void> check_limits(const Limits& limits) {
  if (ceiling(limits.per_day_minor()) < limits.per_payment_minor())
    return fail(Code::kInvalidArgument, "limits_contradict", "The limit of a day is below that of a payment.",
                "limits.perDayMinor");
  if (ceiling(limits.per_month_minor()) < std::max(limits.per_day_minor(), limits.per_payment_minor()))
    return fail(Code::kInvalidArgument, "limits_contradict",
                "The limit of a month is below that of a day or a payment.", "limits.perMonthMinor");
  return {};
}

Result<void> check_top_up(const Account& account, const Money& amount, int64_t max_minor) {
  TRY(check_active(account));
  if (amount.currency() != account.currency())
    return fail(Code::kInvalidArgument, "currency_mismatch",
                fmt::format("The wallet is in {}.", account.currency()), "amount.currency");
  if (amount.minor() > max_minor)
    return fail(Code::kInvalidArgument, "top_up_too_large", "The amount is more than one top-up may load.",
                "amount.value");
  return {};
}

Result<void> check_confirm(const TopUp& top_up) {
  if (top_up.status() == TopUp::ACTION_REQUIRED) return {};
  return fail(Code::kFailedPrecondition, "no_action_required", "The top-up does not wait for a second step.");
}

std::string_view failure_reason(std::string_view decline_reason) {
  static constexpr std::array<std::string_view, 2> kKnown = {"challenge_failed",
                                                             "unsupported_payment_method"};
  const auto known = std::find(kKnown.begin(), kKnown.end(), decline_reason);
  return known == kKnown.end() ? "declined" : *known;
}

std::string_view failure_detail(std::string_view failure_reason) {
  if (failure_reason == "declined") return "The payment provider declined it.";
  if (failure_reason == "challenge_failed") return "The second step at the payment provider failed.";
  if (failure_reason == "challenge_expired") return "The second step at the payment provider came too late.";
  if (failure_reason == "unsupported_payment_method")
    return "The payment provider does not take this payment method.";
  if (failure_reason == "provider_unavailable") return "The payment provider could not be reached.";
  if (failure_reason == "account_closed") return "The wallet is closed; the money goes back.";
  return "The top-up did not come about.";
}

std::string_view close_detail(std::string_view refusal) {
  if (refusal == "incoming_pending") return "Money is on its way to the wallet: wait until that is decided.";
  if (refusal == "balance_not_zero") return "There is money in the wallet, or held of it: move it out first.";
  return "The wallet's balance is not known.";
}

bool awaits_provider(const TopUp& top_up) { return top_up.status() == TopUp::PENDING; }

bool takes_money(const Account& account) {
  return account.status() != Account::CLOSED && account.status() != Account::CLOSING;
}

bool was_given_up(const TopUp& top_up) {
  return top_up.status() == TopUp::FAILED && top_up.failure_reason() == "provider_unavailable";
}

Result<void> check_reversal(const TopUp& top_up) {
  if (top_up.status() == TopUp::COMPLETED) return {};
  return fail(Code::kFailedPrecondition, "not_reversible",
              fmt::format("The top-up is {}.", TopUp::Status_Name(top_up.status())));
}

}  // namespace micropay::account
