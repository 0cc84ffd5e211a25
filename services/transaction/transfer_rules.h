// What a client of the ledger may ask, and how a batch becomes steps for the balance service: pure functions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "contracts/transaction.pb.h"
#include "libs/base/error.h"
#include "libs/base/time.h"

namespace micropay::transaction {

// The request is well formed: required fields for each action, no id twice. kInvalidArgument with the field's
// path.
Result<void> check_transfers(const CreateTransfersRequest& request);

// One asked transfer with what the journal knows; null: nothing.
struct Asked {
  const NewTransfer* transfer;
  const Transfer* existing;  // with the same id
  const Transfer* pending;   // that it posts or voids
};

struct BatchPlan {
  std::vector<Transfer> transfers;  // the answer so far, in the order asked: new, existing or refused ones
  std::vector<size_t> fresh;        // which of them are rows to insert
  std::vector<TransferStep> steps;  // what the balance service has to decide
};

// A repeat with the same fields stands as it was; one with others is refused (exists_with_other_fields).
// Members of a chain that stand already leave it; a refused one makes the rest of its chain fail.
// transfer_in_progress (kAborted) when a repeat meets its first that is not decided yet.
Result<BatchPlan> plan_batch(std::span<const Asked> asked, const std::string& batch_id, Time now);

// Whether a repeat asks for the same.
bool same_fields(const Transfer& existing, const NewTransfer& asked);
// pending_not_found, pending_already_posted, pending_already_voided, pending_expired; empty: the balance
// decides.
std::string_view pending_refusal(const Transfer* pending);

}  // namespace micropay::transaction
