// What an entry of the journal is made of and when one may be taken back: pure functions over the records.
#pragma once

#include <google/protobuf/repeated_field.h>

#include <string>

#include "contracts/transaction.pb.h"
#include "libs/base/error.h"
#include "libs/base/time.h"

namespace micropay::transaction {

// An account as a posting names it; `system_account` is the name when it is one.
struct Side {
  std::string account_id;
  std::string system_account = {};
};
Side system_side(std::string_view name, std::string_view currency);

// Money that goes from one account to another: what every entry of ours is.
struct Movement {
  std::string entry_id;
  const char* kind;
  std::string cause_id;  // payment, refund, top-up or transfer
  Side from, to;
  Money amount;
  std::string description = {};
};

// An amount that an entry can carry, and two different accounts.
bool sound(const Movement& movement);
// The entry, settled; the movement must be sound. CHECKs that its postings sum to zero per currency.
Transaction new_entry(const Movement& movement, Time now);
// The opposite of an entry, not settled yet.
Transaction new_reversal(const Transaction& entry, std::string id, std::string_view reason, Time now);
// already_reversed, not_reversible (a reversal, an entry that is not settled or of a kind that nobody stands
// for): kFailedPrecondition -> 409.
Result<void> check_reversible(const Transaction& entry);
// Whether another service decides: of a payment, refund or top-up. Transfers are the journal's own.
bool has_owner(const Transaction& entry);
// For people: why a reversal that could be tried did not come about.
std::string_view refusal_detail(std::string_view reason);
// The reversal as a transfer that the balance service decides.
TransferStep reversal_step(const Transaction& reversal);

// Sum per currency is zero; at least two postings, none zero.
bool balanced(const google::protobuf::RepeatedPtrField<Posting>& postings);

TransactionCreated created_event(const Transaction& entry, const std::string& key);
TransactionSettled settled_event(const Transaction& entry, const std::string& key,
                                 const std::string& reservation_id);

// "settledAt", "settledAt asc", "settledAt desc", "" (newest first); createdAt is understood as well.
// Ascending?
Result<bool> parse_order(std::string_view order_by);

}  // namespace micropay::transaction
