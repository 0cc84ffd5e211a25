// What may be done to a wallet and to a top-up: pure functions over values. Every refusal has a stable
// reason.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "contracts/account.pb.h"
#include "libs/base/error.h"
#include "libs/base/time.h"

namespace micropay::account {

// How long a payer may take for the second step of a top-up.
constexpr Duration kChallengeTtl = 30 * kMinute;

// too_many_accounts
Result<void> check_open(uint32_t open_accounts, uint32_t max_per_user);

// account_frozen, account_closed, account_closing: why a wallet is not ACTIVE.
Result<void> check_active(const Account& account);
Result<void> check_unfreeze(const Account& account);  // account_not_frozen
Result<void> check_close(const Account& account);     // check_active, then top_up_pending
// account_frozen of a wallet that is frozen, unless that is to become a freeze of its holder; then
// check_active.
Result<void> check_freeze(const Account& account, bool holder_frozen, FreezeScope scope);
// user_frozen: the wallet alone cannot be unfrozen while its holder is frozen.
Result<void> check_unfreeze_wallet(const Account& account, FreezeScope scope);
Result<void> check_holder_frozen(const AccountHolder& holder, bool wanted);  // user_frozen, user_not_frozen

// currency_withdrawn: nothing new begins in a currency that is no more.
Result<void> check_currency(std::string_view currency);

// Limits as they are kept: the amounts, and the same in minor units. currency_mismatch when one is not in
// `currency` (empty: that of the first); `field` is what the request calls them.
Result<Limits> complete_limits(const Limits& asked, std::string_view currency, const std::string& field);
// Of limits that are set, a longer period allows at least as much as a shorter one: limits_contradict.
Result<void> check_limits(const Limits& limits, const std::string& field);
// Limits from before there were amounts in them.
void fill_amounts(Limits& limits, const std::string& currency);

// What a limit in minor units of the euro is in another currency: about as much.
int64_t in_currency(int64_t reference_minor, std::string_view currency);
Limits in_currency(const Limits& reference, const std::string& currency);

// "JPY=1000000/2500000/0, IDR=…": the limits of a payment, a day and a month by currency; 0 or nothing: none.
// None when it is no such list.
std::optional<std::map<std::string, Limits, std::less<>>> parse_limits_by_currency(std::string_view text);

// check_active, currency_mismatch, top_up_too_large
Result<void> check_top_up(const Account& account, const Money& amount, int64_t max_minor);
Result<void> check_confirm(const TopUp& top_up);  // no_action_required

// The stable failure_reason for a decline in the provider's words.
std::string_view failure_reason(std::string_view decline_reason);

// For people: why a top-up did not come about, a wallet was not closed.
std::string_view failure_detail(std::string_view failure_reason);
std::string_view close_detail(std::string_view refusal);

// Whether an answer of the provider may still move the top-up: repeats may not.
bool awaits_provider(const TopUp& top_up);
bool takes_money(const Account& account);
// Given up, because the provider could not be reached: staff may have it asked again, and then it may
// succeed.
bool was_given_up(const TopUp& top_up);
// Whether the entry of a top-up may be taken back: not_reversible.
Result<void> check_reversal(const TopUp& top_up);

}  // namespace micropay::account
