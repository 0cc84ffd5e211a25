// Linked chains: the first step that fails keeps its reason, all others of the chain get linked_failed, and
// the rows are put back as they were before the chain. A chain that the batch does not close fails with
// linked_chain_open.
#include "services/balance/transfer_book.h"

#include "libs/base/check.h"

namespace micropay::balance {

void TransferBook::add(Balance balance) {
  std::string id = balance.account_id();
  accounts_.try_emplace(std::move(id), Account{std::move(balance)});
}

void TransferBook::add(Reservation reservation) {
  Hold hold;
  hold.state = reservation.taken() ? Hold::State::kTaken : Hold::State::kLive;
  std::string id = reservation.id();
  hold.row = std::move(reservation);
  holds_.try_emplace(std::move(id), std::move(hold));
}

std::vector<TransferBook::Effect> TransferBook::decide(Steps& steps) {
  std::vector<Effect> effects{size_t(steps.size())};
  int chain_start = -1;
  bool chain_broken = false;
  for (int i = 0; i < steps.size(); ++i) {
    TransferStep& step = steps[i];
    if (step.linked() && chain_start < 0) {
      chain_start = i;
      in_chain_ = true;
    }
    const bool open_end = step.linked() && i + 1 == steps.size();
    if (open_end) step.set_rejected("linked_chain_open");
    else if (chain_broken) step.set_rejected("linked_failed");
    else if (step.rejected().empty()) step.set_rejected(std::string(decide_step(step, effects[size_t(i)])));

    if (!step.rejected().empty() && chain_start >= 0 && !chain_broken) {
      chain_broken = true;
      roll_back();
      for (int member = chain_start; member < i; ++member) {
        steps[member].set_rejected("linked_failed");
        effects[size_t(member)] = {};
      }
    }
    if (step.linked() && !open_end) continue;
    chain_start = -1;
    chain_broken = in_chain_ = false;
    accounts_before_.clear();
    holds_before_.clear();
  }
  return effects;
}

Refusal TransferBook::decide_step(TransferStep& step, Effect& effect) {
  switch (step.action()) {
    case TransferStep::POST_NOW:
    case TransferStep::RESERVE: return hold_new(step);
    case TransferStep::POST_PENDING:
    case TransferStep::VOID_PENDING: return end_pending(step, effect);
    default: return "unknown_action";
  }
}

// POST_NOW holds, too: the journal posts what is held, so that nothing else can spend it in between.
Refusal TransferBook::hold_new(const TransferStep& step) {
  Account* from = account(step.debit_account_id());
  Account* to = account(step.credit_account_id());
  const Refusal refusal = refuse(from ? &from->balance : nullptr, to ? &to->balance : nullptr, step.amount(),
                                 from ? from->incoming_minor : 0);
  if (!refusal.empty()) return refusal;
  if (holds_.contains(step.transfer_id())) return "id_in_use";  // of a live payment or refund

  remember(step.debit_account_id(), from);
  remember(step.credit_account_id(), to);
  remember(step.transfer_id(), static_cast<const Hold*>(nullptr));
  hold(from->balance, to->balance, step.amount().minor());
  from->changed = to->changed = true;

  Hold fresh{.fresh = true, .changed = true};
  fresh.row.set_id(step.transfer_id());
  fresh.row.set_account_id(step.debit_account_id());
  fresh.row.set_counter_account_id(step.credit_account_id());
  *fresh.row.mutable_amount() = step.amount();
  fresh.row.set_created_at(now_);
  fresh.row.set_kind("transfer");
  if (step.action() == TransferStep::POST_NOW) {
    fresh.state = Hold::State::kTaken;
    fresh.row.set_taken(true);
    to->incoming_minor += step.amount().minor();
  } else {
    fresh.row.set_expires_at(step.expires_at());
  }
  holds_[step.transfer_id()] = std::move(fresh);
  return {};
}

Refusal TransferBook::end_pending(TransferStep& step, Effect& effect) {
  const auto found = holds_.find(step.pending_id());
  if (found == holds_.end() || found->second.row.kind() != "transfer") return "pending_not_found";
  Hold& pending = found->second;
  if (pending.state == Hold::State::kTaken) return "pending_already_posted";
  if (pending.state == Hold::State::kReleased) return "pending_already_voided";
  if (pending.row.expires_at() != 0 && pending.row.expires_at() <= now_) return "pending_expired";
  const auto differs = [](const std::string& asked, const std::string& is) {
    return !asked.empty() && asked != is;
  };
  if (differs(step.debit_account_id(), pending.row.account_id()) ||
      differs(step.credit_account_id(), pending.row.counter_account_id()))
    return "pending_has_other_accounts";
  const bool voided = step.action() == TransferStep::VOID_PENDING;
  const int64_t held = pending.row.amount().minor();
  const int64_t posted = voided ? 0 : step.has_amount() ? step.amount().minor() : held;
  if (step.has_amount() && step.amount().currency() != pending.row.amount().currency())
    return "currency_mismatch";
  if (posted > held) return "exceeds_pending";
  if (!voided && posted <= 0) return "invalid_amount";

  Account* from = account(pending.row.account_id());
  Account* to = account(pending.row.counter_account_id());
  CHECK(from != nullptr &&
        to != nullptr);  // balances are never erased, and the caller adds those of every hold
  remember(pending.row.account_id(), from);
  remember(pending.row.counter_account_id(), to);
  remember(step.pending_id(), &pending);
  if (held > posted) release(from->balance, to->balance, held - posted);
  to->incoming_minor += posted;
  from->changed = to->changed = pending.changed = true;
  pending.state = voided ? Hold::State::kReleased : Hold::State::kTaken;
  if (!voided) pending.row.mutable_amount()->set_minor(posted);
  pending.row.set_taken(!voided);
  effect.released_minor = held - posted;

  step.set_debit_account_id(pending.row.account_id());
  step.set_credit_account_id(pending.row.counter_account_id());
  step.mutable_amount()->set_currency(pending.row.amount().currency());
  step.mutable_amount()->set_minor(voided ? held : posted);
  return {};
}

TransferBook::Account* TransferBook::account(const std::string& id) {
  const auto found = accounts_.find(id);
  return found == accounts_.end() ? nullptr : &found->second;
}

void TransferBook::remember(const std::string& id, const Account* account) {
  if (in_chain_) accounts_before_.emplace_back(id, *account);
}

void TransferBook::remember(const std::string& id, const Hold* hold) {
  if (in_chain_) holds_before_.emplace_back(id, hold ? std::optional(*hold) : std::nullopt);
}

// Newest first, so that a row changed twice ends as it was at first.
void TransferBook::roll_back() {
  for (auto row = accounts_before_.rbegin(); row != accounts_before_.rend(); ++row)
    accounts_.at(row->first) = std::move(row->second);
  for (auto row = holds_before_.rbegin(); row != holds_before_.rend(); ++row) {
    if (row->second) holds_.at(row->first) = *std::move(row->second);
    else holds_.erase(row->first);
  }
  accounts_before_.clear();
  holds_before_.clear();
}

}  // namespace micropay::balance
