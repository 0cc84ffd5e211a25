// Staff takes the entry of a top-up back, because the provider has the money again or never had it. The
// journal asks here first; what is agreed to is remembered (reversal_id) before anything moves.
//   transaction.reversal_requested -> account.top_up.reversal_decided -> (journal, balance)
//     -> transaction.reversed: account.top_up.reversed | transaction.reversal_refused: as before
#include "services/account/handlers.h"
#include "services/account/rules.h"

namespace micropay::account {
namespace {

std::unexpected<Error> later(const std::string& id) { return fail(Code::kUnavailable, "under_way", id); }

}  // namespace

Result<void> decide_reversal(Context& ctx, const TransactionReversalRequested& event) {
  if (event.kind() != "top_up") return {};
  const TopUp* found = ctx.table<TopUp>().find(event.cause_id());
  if (found == nullptr) return fail(Code::kInternal, "unknown_top_up", event.cause_id());
  if (found->reversal_id() == event.reversal_id()) return {};
  // Booked, but we have not heard of the balances yet; or an earlier reversal ended, and we shall hear of it.
  const bool ends = !found->reversal_id().empty() && found->status() != TopUp::REVERSED;
  if (ends || found->status() == TopUp::CAPTURED) return later(event.cause_id());
  AccountTopUpReversalDecided decided;
  decided.set_reversal_id(event.reversal_id());
  decided.set_top_up_id(event.cause_id());
  if (const auto checked = check_reversal(*found); !checked) {
    decided.set_refused(checked.error().reason);
    decided.set_detail(checked.error().detail);
  } else {
    TopUp& top_up = ctx.table<TopUp>().edit(event.cause_id());
    top_up.set_reversal_id(event.reversal_id());
    top_up.set_updated_at(ctx.now());
  }
  ctx.emit(decided);
  return {};
}

// The entry bears the id of its top-up. One that was taken back without asking here, by a journal of the last
// release, is back all the same.
Result<void> finish_reversal(Context& ctx, const TransactionReversed& event) {
  const TopUp* found = ctx.table<TopUp>().find(event.transaction_id());
  if (found == nullptr || found->status() == TopUp::REVERSED) return {};
  if (found->status() != TopUp::COMPLETED) return later(event.transaction_id());
  TopUp& top_up = ctx.table<TopUp>().edit(event.transaction_id());
  top_up.set_status(TopUp::REVERSED);
  top_up.set_reversal_id(event.reversal_id());
  top_up.set_updated_at(ctx.now());
  AccountTopUpReversed reversed;
  reversed.set_top_up_id(top_up.id());
  reversed.set_account_id(top_up.account_id());
  reversed.set_user_id(top_up.user_id());
  *reversed.mutable_amount() = top_up.amount();
  reversed.set_reversal_id(top_up.reversal_id());
  ctx.emit(reversed);
  return {};
}

Result<void> stay_as_it_is(Context& ctx, const TransactionReversalRefused& event) {
  const TopUp* found = ctx.table<TopUp>().find(event.transaction_id());
  if (found == nullptr || found->reversal_id() != event.reversal_id() || found->status() == TopUp::REVERSED)
    return {};
  TopUp& top_up = ctx.table<TopUp>().edit(event.transaction_id());
  top_up.clear_reversal_id();
  top_up.set_updated_at(ctx.now());
  return {};
}

}  // namespace micropay::account
