#include "services/account/rules.h"

#include <algorithm>
#include <array>

#include "libs/base/money.h"

namespace micropay::account {
namespace {

// No limit is the largest limit.
int64_t ceiling(int64_t limit_minor) { return limit_minor == 0 ? INT64_MAX : limit_minor; }

Money money(int64_t minor, const std::string& currency) {
  Money money;
  money.set_currency(currency);
  money.set_minor(minor);
  return money;
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// The text up to the separator, which is taken off with it.
std::string_view next_part(std::string_view& text, char separator) {
  const size_t end = text.find(separator);
  const std::string_view part = trimmed(text.substr(0, end));
  text.remove_prefix(end == text.npos ? text.size() : end + 1);
  return part;
}

std::optional<Limits> parse_limits(std::string_view text, const std::string& currency) {
  const auto exponent = currency_exponent(currency);
  if (!exponent) return {};
  int64_t figures[3] = {};
  for (int64_t& figure : figures) {
    const std::string_view part = next_part(text, '/');
    if (part.empty()) continue;
    const auto minor = parse_minor(part, *exponent);
    if (!minor || *minor < 0 || *minor > kMaxMinor) return {};
    figure = *minor;
  }
  if (!text.empty()) return {};
  Limits limits;
  limits.set_per_payment_minor(figures[0]);
  limits.set_per_day_minor(figures[1]);
  limits.set_per_month_minor(figures[2]);
  fill_amounts(limits, currency);
  return limits;
}

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

Result<void> check_freeze(const Account& account, bool holder_frozen, FreezeScope scope) {
  if (account.status() == Account::FROZEN && scope == HOLDER && !holder_frozen) return {};
  return check_active(account);
}

Result<void> check_unfreeze_wallet(const Account& account, FreezeScope scope) {
  TRY(check_unfreeze(account));
  if (scope != WALLET || !account.frozen_with_holder()) return {};
  return fail(Code::kFailedPrecondition, "user_frozen",
              "The holder of the wallet is frozen, with all wallets.");
}

Result<void> check_holder_frozen(const AccountHolder& holder, bool wanted) {
  if (holder.frozen() == wanted) return {};
  return wanted ? fail(Code::kFailedPrecondition, "user_not_frozen", "The user is not frozen.")
                : fail(Code::kFailedPrecondition, "user_frozen", "The user is frozen.");
}

Result<void> check_currency(std::string_view currency) {
  const WithdrawnCurrency* withdrawn = withdrawn_currency(currency);
  if (withdrawn == nullptr) return {};
  return fail(Code::kInvalidArgument, "currency_withdrawn",
              fmt::format("ISO 4217 has withdrawn {}; {} came in its place.", currency, withdrawn->successor),
              "currency");
}

Result<Limits> complete_limits(const Limits& asked, std::string_view currency, const std::string& field) {
  Limits limits;
  // Of a request from an instance that knows no amounts yet there are the minor units alone.
  const auto take = [&](bool given, const Money& amount, int64_t before,
                        std::string_view name) -> Result<int64_t> {
    if (!given) return before;
    if (currency.empty()) currency = amount.currency();
    if (amount.currency() == currency) return amount.minor();
    return fail(Code::kInvalidArgument, "currency_mismatch", fmt::format("These limits are in {}.", currency),
                fmt::format("{}.{}.currency", field, name));
  };
  limits.set_per_payment_minor(
      TRY(take(asked.has_per_payment(), asked.per_payment(), asked.per_payment_minor(), "perPayment")));
  limits.set_per_day_minor(TRY(take(asked.has_per_day(), asked.per_day(), asked.per_day_minor(), "perDay")));
  limits.set_per_month_minor(
      TRY(take(asked.has_per_month(), asked.per_month(), asked.per_month_minor(), "perMonth")));
  fill_amounts(limits, std::string(currency));
  return limits;
}

Result<void> check_limits(const Limits& limits, const std::string& field) {
  if (ceiling(limits.per_day_minor()) < limits.per_payment_minor())
    return fail(Code::kInvalidArgument, "limits_contradict", "The limit of a day is below that of a payment.",
                field + ".perDay");
  if (ceiling(limits.per_month_minor()) < std::max(limits.per_day_minor(), limits.per_payment_minor()))
    return fail(Code::kInvalidArgument, "limits_contradict",
                "The limit of a month is below that of a day or a payment.", field + ".perMonth");
  return {};
}

void fill_amounts(Limits& limits, const std::string& currency) {
  if (limits.per_payment_minor() != 0)
    *limits.mutable_per_payment() = money(limits.per_payment_minor(), currency);
  if (limits.per_day_minor() != 0) *limits.mutable_per_day() = money(limits.per_day_minor(), currency);
  if (limits.per_month_minor() != 0) *limits.mutable_per_month() = money(limits.per_month_minor(), currency);
}

int64_t in_currency(int64_t reference_minor, std::string_view currency) {
  return std::min(convert_minor(reference_minor, kReferenceCurrency, currency), kMaxMinor);
}

Limits in_currency(const Limits& reference, const std::string& currency) {
  Limits limits;
  limits.set_per_payment_minor(in_currency(reference.per_payment_minor(), currency));
  limits.set_per_day_minor(in_currency(reference.per_day_minor(), currency));
  limits.set_per_month_minor(in_currency(reference.per_month_minor(), currency));
  fill_amounts(limits, currency);
  return limits;
}

std::optional<std::map<std::string, Limits, std::less<>>> parse_limits_by_currency(std::string_view text) {
  std::map<std::string, Limits, std::less<>> table;
  while (!text.empty()) {
    std::string_view figures = next_part(text, ',');
    if (figures.find('=') == figures.npos) return {};
    const std::string currency(next_part(figures, '='));
    auto limits = parse_limits(figures, currency);
    if (!limits) return {};
    table[currency] = *std::move(limits);
  }
  return table;
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
