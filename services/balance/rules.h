// What a balance allows and how money moves on it: pure functions over the records, no context, no I/O.
//
//   available = posted - reserved;  hold: reserved and the receiver's pending_in grow;  release: both shrink
//   again; post: posted changes. Moving money CHECKs what it relies on; ask refuse() or can_post() first.
#pragma once

#include <google/protobuf/repeated_field.h>

#include <string_view>

#include "contracts/balance.pb.h"
#include "libs/base/time.h"

namespace micropay::balance {

// No sum of one account goes beyond it, either sign, so that the sum of any three fits an int64.
constexpr int64_t kMaxBalanceMinor = int64_t(1) << 60;
constexpr uint64_t kSnapshotEvery = 1'000;  // entries of an account

// Empty: allowed. Else a stable reason of the contract.
using Refusal = std::string_view;

inline int64_t available_minor(const Balance& balance) {
  return balance.posted_minor() - balance.reserved_minor();
}

// Id of the system account of this name and currency, as every service derives it.
std::string system_account_id(std::string_view name, std::string_view currency);
// Its first row: it may go negative.
Balance new_system_account(std::string_view name, std::string_view currency);

// Whether `amount` may be held on `from` for `to`; null: no such account. `incoming_minor` is money that is
// certain to arrive on `from` before this is posted (earlier transfers of the same batch). The first that
// applies of: invalid_amount, account_not_found, accounts_must_differ, account_closed, currency_mismatch,
// insufficient_funds, balance_limit_exceeded.
Refusal refuse(const Balance* from, const Balance* to, const Money& amount, int64_t incoming_minor = 0);

// The same of a receiver who is not there, account_not_found last: who has not the money does not find out.
Refusal refuse_nobody(const Balance* from, const Money& amount);

void hold(Balance& from, Balance& to, int64_t minor);
void release(Balance& from, Balance& to, int64_t minor);

// Whether the posting keeps the balance within bounds, together with what is on its way to it.
// `covered_minor` of a debit was held for it, and released just now.
bool can_post(const Balance& balance, int64_t delta_minor, int64_t covered_minor);
void post(Balance& balance, int64_t delta_minor);
// Counts an entry that changed the balance; true for the first one of a day (UTC).
bool count_entry(Balance& balance, Time now);

// Postings that may take effect: at least two, none zero, at most kMaxMinor each, summing to zero per
// currency.
bool balanced(const google::protobuf::RepeatedPtrField<Posting>& postings);

// Why a balance cannot be closed now; empty: it can.
Refusal refuse_close(const Balance* balance);

BalanceView view_of(const Balance& balance, Time now);

}  // namespace micropay::balance
