// Checks and planning of transfer batches; see transfer_rules.h.
#include "services/transaction/transfer_rules.h"

#include <unordered_set>

#include "services/transaction/rules.h"

namespace micropay::transaction {
namespace {

bool is_new(TransferStep::Action action) {
  return action == TransferStep::POST_NOW || action == TransferStep::RESERVE;
}

// The field that is missing or must not be there; empty: none.
struct Wrong {
  const char* field = "";
  const char* reason = "";
};

std::string_view sentence(std::string_view reason) {
  if (reason == "required") return "It is missing.";
  if (reason == "duplicate_id") return "Two transfers of the batch have this id.";
  return "It does not go with this action.";
}

Wrong check_new(const NewTransfer& transfer) {
  if (transfer.debit_account_id().empty() && transfer.debit_system_account().empty())
    return {"debitAccountId", "required"};
  if (transfer.credit_account_id().empty() && transfer.credit_system_account().empty())
    return {"creditAccountId", "required"};
  if (!transfer.debit_account_id().empty() && !transfer.debit_system_account().empty())
    return {"debitSystemAccount", "not_applicable"};
  if (!transfer.credit_account_id().empty() && !transfer.credit_system_account().empty())
    return {"creditSystemAccount", "not_applicable"};
  if (!transfer.has_amount()) return {"amount", "required"};
  if (!transfer.pending_id().empty()) return {"pendingId", "not_applicable"};
  if (transfer.timeout_seconds() != 0 && transfer.action() != TransferStep::RESERVE)
    return {"timeoutSeconds", "not_applicable"};
  return {};
}

Wrong check_ending(const NewTransfer& transfer) {
  if (transfer.pending_id().empty()) return {"pendingId", "required"};
  if (!transfer.debit_system_account().empty()) return {"debitSystemAccount", "not_applicable"};
  if (!transfer.credit_system_account().empty()) return {"creditSystemAccount", "not_applicable"};
  if (transfer.has_amount() && transfer.action() == TransferStep::VOID_PENDING)
    return {"amount", "not_applicable"};
  if (transfer.timeout_seconds() != 0) return {"timeoutSeconds", "not_applicable"};
  return {};
}

std::string side_id(const std::string& account_id, const std::string& system_account,
                    const std::string& currency) {
  return system_account.empty() ? account_id : system_side(system_account, currency).account_id;
}

Transfer new_transfer(const NewTransfer& asked, const std::string& batch_id, Time now) {
  Transfer transfer;
  transfer.set_id(asked.id());
  transfer.set_batch_id(batch_id);
  const std::string& currency = asked.amount().currency();
  transfer.set_debit_account_id(side_id(asked.debit_account_id(), asked.debit_system_account(), currency));
  transfer.set_credit_account_id(side_id(asked.credit_account_id(), asked.credit_system_account(), currency));
  transfer.set_debit_system_account(asked.debit_system_account());
  transfer.set_credit_system_account(asked.credit_system_account());
  if (asked.has_amount()) *transfer.mutable_amount() = asked.amount();
  transfer.set_whole(!asked.has_amount());
  transfer.set_status(Transfer::REQUESTED);
  transfer.set_pending_id(asked.pending_id());
  if (asked.timeout_seconds() != 0) transfer.set_expires_at(now + asked.timeout_seconds() * kSecond);
  transfer.set_created_at(now);
  transfer.set_action(asked.action());
  transfer.set_linked(asked.linked());
  transfer.set_timeout_seconds(asked.timeout_seconds());
  return transfer;
}

TransferStep new_step(const Transfer& transfer) {
  TransferStep step;
  step.set_transfer_id(transfer.id());
  step.set_action(transfer.action());
  step.set_debit_account_id(transfer.debit_account_id());
  step.set_credit_account_id(transfer.credit_account_id());
  step.set_debit_system_account(transfer.debit_system_account());
  step.set_credit_system_account(transfer.credit_system_account());
  if (transfer.has_amount()) *step.mutable_amount() = transfer.amount();
  step.set_pending_id(transfer.pending_id());
  step.set_linked(transfer.linked());
  step.set_rejected(transfer.reason());
  step.set_expires_at(transfer.expires_at());
  return step;
}

// The steps of a chain that go to the balance service keep together; the last one closes the chain as the
// asked one did.
void close_chain(std::vector<TransferStep>& steps, size_t chain_start, bool linked) {
  if (steps.size() > chain_start) steps.back().set_linked(linked);
}

}  // namespace

Result<void> check_transfers(const CreateTransfersRequest& request) {
  std::unordered_set<std::string_view> ids;
  for (int i = 0; i < request.transfers_size(); ++i) {
    const NewTransfer& transfer = request.transfers(i);
    Wrong wrong = is_new(transfer.action()) ? check_new(transfer) : check_ending(transfer);
    if (!ids.insert(transfer.id()).second) wrong = {"id", "duplicate_id"};
    if (*wrong.field != 0)
      return fail(Code::kInvalidArgument, wrong.reason, std::string(sentence(wrong.reason)),
                  fmt::format("transfers[{}].{}", i, wrong.field));
  }
  return {};
}

bool same_fields(const Transfer& existing, const NewTransfer& asked) {
  const bool ends = !is_new(asked.action());
  const auto same_side = [ends](const std::string& id, const std::string& name, const std::string& asked_id,
                                const std::string& asked_name) {
    if (!asked_name.empty() || !name.empty()) return name == asked_name;
    return id == asked_id || (ends && asked_id.empty());  // filled in from the pending transfer
  };
  const bool same_amount = asked.has_amount()
                               ? !existing.whole() && existing.amount().minor() == asked.amount().minor() &&
                                     existing.amount().currency() == asked.amount().currency()
                               : existing.whole();
  return existing.action() == asked.action() && existing.linked() == asked.linked() && same_amount &&
         existing.pending_id() == asked.pending_id() &&
         existing.timeout_seconds() == asked.timeout_seconds() &&
         same_side(existing.debit_account_id(), existing.debit_system_account(), asked.debit_account_id(),
                   asked.debit_system_account()) &&
         same_side(existing.credit_account_id(), existing.credit_system_account(), asked.credit_account_id(),
                   asked.credit_system_account());
}

std::string_view pending_refusal(const Transfer* pending) {
  if (pending == nullptr || pending->action() != TransferStep::RESERVE) return "pending_not_found";
  switch (pending->status()) {
    case Transfer::POSTED:
    case Transfer::REVERSED: return "pending_already_posted";
    case Transfer::VOIDED: return "pending_already_voided";
    case Transfer::EXPIRED: return "pending_expired";
    case Transfer::REJECTED: return "pending_not_found";
    default: return {};
  }
}

Result<BatchPlan> plan_batch(std::span<const Asked> asked, const std::string& batch_id, Time now) {
  BatchPlan plan;
  plan.transfers.reserve(asked.size());
  std::unordered_set<std::string_view> earlier;
  size_t chain_start = 0;
  for (const Asked& one : asked) {
    bool stands = false;
    if (one.existing != nullptr && same_fields(*one.existing, *one.transfer)) {
      if (one.existing->status() == Transfer::REQUESTED)
        return fail(Code::kAborted, "transfer_in_progress",
                    fmt::format("Transfer {} is not decided yet: ask again.", one.transfer->id()));
      plan.transfers.push_back(*one.existing);
      stands = one.existing->status() != Transfer::REJECTED;
    } else {
      Transfer& transfer = plan.transfers.emplace_back(new_transfer(*one.transfer, batch_id, now));
      if (one.existing != nullptr) transfer.set_reason("exists_with_other_fields");
      else plan.fresh.push_back(plan.transfers.size() - 1);
      // A pending transfer that this batch asks for earlier is not known yet: the balance service decides.
      if (!is_new(one.transfer->action()) && transfer.reason().empty() &&
          !earlier.contains(one.transfer->pending_id()))
        transfer.set_reason(std::string(pending_refusal(one.pending)));
      if (!transfer.reason().empty()) transfer.set_status(Transfer::REJECTED);
    }
    if (!stands) {
      plan.steps.push_back(new_step(plan.transfers.back()));
      plan.steps.back().set_linked(true);
    }
    earlier.insert(one.transfer->id());
    if (one.transfer->linked() && &one != &asked.back()) continue;
    close_chain(plan.steps, chain_start, one.transfer->linked());
    chain_start = plan.steps.size();
  }
  return plan;
}

}  // namespace micropay::transaction
