// Decisions and movements of single balances; see rules.h.
#include "services/balance/rules.h"

#include "libs/base/check.h"
#include "libs/base/ids.h"
#include "libs/base/money.h"

namespace micropay::balance {
namespace {

// The invariants of one row, CHECKed after every movement.
void check_sound(const Balance& balance) {
  CHECK(balance.reserved_minor() >= 0 && balance.pending_in_minor() >= 0);
  CHECK(balance.posted_minor() <= kMaxBalanceMinor && balance.posted_minor() >= -kMaxBalanceMinor);
  CHECK(balance.reserved_minor() <= kMaxBalanceMinor && balance.pending_in_minor() <= kMaxBalanceMinor);
}

}  // namespace

std::string system_account_id(std::string_view name, std::string_view currency) {
  return derived_uuid(fmt::format("system:{}:{}", name, currency));
}

Balance new_system_account(std::string_view name, std::string_view currency) {
  CHECK(!name.empty() && !currency.empty());
  Balance balance;
  balance.set_account_id(system_account_id(name, currency));
  balance.set_currency(std::string(currency));
  balance.set_name(std::string(name));
  balance.set_may_go_negative(true);
  return balance;
}

Refusal refuse(const Balance* from, const Balance* to, const Money& amount, int64_t incoming_minor) {
  CHECK(incoming_minor >= 0);
  const int64_t minor = amount.minor();
  if (minor <= 0 || minor > kMaxMinor) return "invalid_amount";
  if (from == nullptr || to == nullptr) return "account_not_found";
  if (from->account_id() == to->account_id()) return "accounts_must_differ";
  if (from->closed() || to->closed()) return "account_closed";
  if (from->currency() != amount.currency() || to->currency() != amount.currency())
    return "currency_mismatch";
  if (!from->may_go_negative() && available_minor(*from) + incoming_minor < minor)
    return "insufficient_funds";
  // What is promised must be able to arrive: nothing held for the receiver may ever push it beyond its limit.
  if (to->posted_minor() + to->pending_in_minor() > kMaxBalanceMinor - minor) return "balance_limit_exceeded";
  if (available_minor(*from) < -kMaxBalanceMinor + minor) return "balance_limit_exceeded";
  // A system account with much on it may hold more than an account can, before it runs out.
  if (from->reserved_minor() > kMaxBalanceMinor - minor) return "balance_limit_exceeded";
  return {};
}

Refusal refuse_nobody(const Balance* from, const Money& amount) {
  Balance nobody;
  nobody.set_currency(amount.currency());
  const Refusal refusal = refuse(from, &nobody, amount);
  return refusal.empty() ? "account_not_found" : refusal;
}

void hold(Balance& from, Balance& to, int64_t minor) {
  CHECK(minor > 0 && minor <= kMaxMinor && &from != &to);
  from.set_reserved_minor(from.reserved_minor() + minor);
  to.set_pending_in_minor(to.pending_in_minor() + minor);
  check_sound(from);
  check_sound(to);
}

void release(Balance& from, Balance& to, int64_t minor) {
  CHECK(minor > 0 && &from != &to);
  CHECK(from.reserved_minor() >= minor && to.pending_in_minor() >= minor);
  from.set_reserved_minor(from.reserved_minor() - minor);
  to.set_pending_in_minor(to.pending_in_minor() - minor);
  check_sound(from);
  check_sound(to);
}

bool can_post(const Balance& balance, int64_t delta_minor, int64_t covered_minor) {
  CHECK(covered_minor >= 0);
  const int64_t after = balance.posted_minor() + delta_minor;  // both far below the limits of an int64
  if (after > kMaxBalanceMinor || after < -kMaxBalanceMinor) return false;
  if (delta_minor > 0 && after > kMaxBalanceMinor - balance.pending_in_minor()) return false;
  const int64_t uncovered = -delta_minor - covered_minor;
  if (delta_minor > 0 || uncovered <= 0 || balance.may_go_negative()) return true;
  return available_minor(balance) - covered_minor >= uncovered;
}

void post(Balance& balance, int64_t delta_minor) {
  CHECK(delta_minor != 0 && delta_minor <= kMaxMinor && delta_minor >= -kMaxMinor);
  const int64_t before = balance.posted_minor();
  balance.set_posted_minor(before + delta_minor);
  CHECK((balance.posted_minor() > before) == (delta_minor > 0));
  check_sound(balance);
}

bool count_entry(Balance& balance, Time now) {
  const bool first = balance.version() == 0 || start_of_day(balance.updated_at()) != start_of_day(now);
  balance.set_version(balance.version() + 1);
  balance.set_updated_at(now);
  return first;
}

bool balanced(const google::protobuf::RepeatedPtrField<Posting>& postings) {
  if (postings.size() < 2) return false;
  for (const Posting& posting : postings)
    if (posting.amount().minor() == 0 || posting.amount().minor() > kMaxMinor ||
        posting.amount().minor() < -kMaxMinor)
      return false;
  for (const Posting& one : postings) {  // entries have a handful of postings: no map
    __int128 sum = 0;
    for (const Posting& other : postings)
      if (other.amount().currency() == one.amount().currency()) sum += other.amount().minor();
    if (sum != 0) return false;
  }
  return true;
}

Refusal refuse_close(const Balance* balance) {
  if (balance == nullptr) return "account_not_found";
  if (balance->posted_minor() != 0 || balance->reserved_minor() != 0) return "balance_not_zero";
  if (balance->pending_in_minor() != 0) return "incoming_pending";
  return {};
}

BalanceView view_of(const Balance& balance, Time now) {
  BalanceView view;
  view.set_account_id(balance.account_id());
  view.set_currency(balance.currency());
  const auto money = [&](Money& amount, int64_t minor) {
    amount.set_currency(balance.currency());
    amount.set_minor(minor);
  };
  money(*view.mutable_available(), available_minor(balance));
  money(*view.mutable_reserved(), balance.reserved_minor());
  money(*view.mutable_posted(), balance.posted_minor());
  money(*view.mutable_pending_in(), balance.pending_in_minor());
  view.set_version(balance.version());
  view.set_as_of(now);
  return view;
}

}  // namespace micropay::balance
