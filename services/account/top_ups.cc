// Top-ups: the provider is asked outside the tick; its answer moves the top-up on, the ledger and the balance
// book it.
//   account.top_up.requested -> provider -> account.top_up.captured -> (journal, balance) ->
//   account.top_up.completed
#include "services/account/handlers.h"
#include "services/account/rules.h"

namespace micropay::account {
namespace {

TopUp new_top_up(Context& ctx, const Account& account, const CreateTopUpRequest& request) {
  TopUp row;
  row.set_id(ctx.new_id());
  row.set_account_id(account.id());
  row.set_user_id(account.user_id());
  *row.mutable_amount() = request.amount();
  row.set_provider(request.provider().empty() ? "sandbox" : request.provider());
  row.set_payment_method(request.payment_method());
  row.set_created_at(ctx.now());
  row.set_updated_at(ctx.now());
  return row;
}

ProviderCall call_for(const TopUp& top_up, ProviderCall::Operation operation) {
  ProviderCall call;
  call.set_operation(operation);
  call.set_provider(top_up.provider());
  call.set_reference_id(top_up.id());
  call.set_provider_reference(top_up.provider_reference());
  *call.mutable_amount() = top_up.amount();
  call.set_payment_method(top_up.payment_method());
  return call;
}

void count_pending(Context& ctx, const TopUp& top_up, int change) {
  Account& account = ctx.table<Account>().edit(top_up.account_id());
  CHECK(change > 0 || account.pending_top_ups() > 0);
  account.set_pending_top_ups(account.pending_top_ups() + uint32_t(change));
}

template <typename E>
E about(const TopUp& top_up) {
  E event;
  event.set_top_up_id(top_up.id());
  event.set_user_id(top_up.user_id());
  return event;
}

void fail_top_up(Context& ctx, TopUp& top_up, std::string_view reason) {
  top_up.set_status(TopUp::FAILED);
  top_up.set_failure_reason(std::string(reason));
  top_up.set_failure_detail(std::string(failure_detail(reason)));
  count_pending(ctx, top_up, -1);
  auto failed = about<AccountTopUpFailed>(top_up);
  failed.set_account_id(top_up.account_id());
  failed.set_reason(top_up.failure_reason());
  ctx.emit(failed);
}

void capture(Context& ctx, TopUp& top_up) {
  top_up.set_status(TopUp::CAPTURED);
  auto captured = about<AccountTopUpCaptured>(top_up);
  captured.set_account_id(top_up.account_id());
  *captured.mutable_amount() = top_up.amount();
  captured.set_provider(top_up.provider());
  captured.set_provider_reference(top_up.provider_reference());
  ctx.emit(captured);
}

void ask_for_action(Context& ctx, TopUp& top_up, const std::string& url) {
  top_up.set_status(TopUp::ACTION_REQUIRED);
  top_up.set_next_action_url(url);
  TopUpExpiry expiry;
  expiry.set_top_up_id(top_up.id());
  ctx.set_timer(top_up.id(), ctx.now() + kChallengeTtl, expiry);
  auto required = about<AccountTopUpActionRequired>(top_up);
  required.set_next_action_url(url);
  ctx.emit(required);
}

void take_answer(Context& ctx, TopUp& top_up, const ProviderOutcome& answer) {
  top_up.set_outcome_unknown(false);
  top_up.set_provider_reference(answer.provider_reference());
  switch (answer.status()) {
    case ProviderOutcome::SUCCEEDED: return capture(ctx, top_up);
    case ProviderOutcome::ACTION_REQUIRED: return ask_for_action(ctx, top_up, answer.next_action_url());
    default: return fail_top_up(ctx, top_up, failure_reason(answer.decline_reason()));
  }
}

// The dead letter of the call was driven again.
void reopen(Context& ctx, TopUp& top_up) {
  top_up.set_status(TopUp::PENDING);
  top_up.clear_failure_reason();
  top_up.clear_failure_detail();
  count_pending(ctx, top_up, +1);
}

void wait_until_known(Context& ctx, TopUp& top_up) {
  if (top_up.outcome_unknown()) return;
  top_up.set_outcome_unknown(true);
  ctx.emit(about<AccountTopUpUnknown>(top_up));
}

// A top-up was given up, its wallet closed, and then its dead letter was driven again: the money that the
// provider took goes back. What the provider says to that changes nothing here; should it refuse, the dead
// letter tells staff.
void give_back(Context& ctx, const TopUp& found, const ProviderOutcome& answer) {
  if (answer.status() == ProviderOutcome::DECLINED) return;
  TopUp& top_up = ctx.table<TopUp>().edit(found.id());
  top_up.set_provider_reference(answer.provider_reference());
  top_up.set_failure_reason("account_closed");
  top_up.set_failure_detail(std::string(failure_detail("account_closed")));
  top_up.set_updated_at(ctx.now());
  ctx.perform(call_for(top_up, ProviderCall::VOID), {.target = top_up.provider()});
}

}  // namespace

Result<TopUp> create_top_up(Context& ctx, const CreateTopUpRequest& request, const AccountSettings& settings,
                            const ProviderRouter& providers) {
  const Account& account = TRY(ctx.table<Account>().get(request.account_id()));
  TRY(check_top_up(account, request.amount(), in_currency(settings.max_top_up_minor, account.currency())));
  const TopUp& top_up = ctx.table<TopUp>().insert(new_top_up(ctx, account, request));
  if (!providers.knows(top_up.provider()))
    return fail(Code::kInvalidArgument, "unknown_provider", "There is no such payment provider.", "provider");
  count_pending(ctx, top_up, +1);
  auto requested = about<AccountTopUpRequested>(top_up);
  requested.set_account_id(top_up.account_id());
  *requested.mutable_amount() = top_up.amount();
  requested.set_provider(top_up.provider());
  ctx.emit(requested);
  ctx.perform(call_for(top_up, ProviderCall::AUTHORISE_AND_CAPTURE), {.target = top_up.provider()});
  return top_up;
}

Result<TopUp> confirm_top_up(Context& ctx, const ConfirmTopUpRequest& request) {
  const TopUp& found = TRY(ctx.table<TopUp>().get(request.top_up_id()));
  if (found.account_id() != request.account_id())
    return fail(Code::kNotFound, "not_found", "The wallet has no such top-up.");
  TRY(check_confirm(found));
  TopUp& top_up = ctx.table<TopUp>().edit(found.id());
  top_up.set_status(TopUp::PENDING);
  top_up.clear_next_action_url();
  top_up.set_updated_at(ctx.now());
  ctx.cancel_timer<TopUpExpiry>(top_up.id());
  ProviderCall call = call_for(top_up, ProviderCall::CONFIRM);
  call.set_challenge_code(request.challenge_code());
  ctx.perform(call, {.target = top_up.provider()});
  return top_up;
}

Result<void> take_outcome(Context& ctx, const ProviderCall& call, const Outcome<ProviderOutcome>& outcome) {
  using Kind = Outcome<ProviderOutcome>::Kind;
  if (call.operation() == ProviderCall::VOID) return {};
  const TopUp* found = ctx.table<TopUp>().find(call.reference_id());
  if (found == nullptr) return {};
  const bool again = was_given_up(*found) && outcome.kind == Kind::kDone;
  if (!again && !awaits_provider(*found)) return {};
  if (again && !takes_money(TRY(ctx.table<Account>().get(found->account_id())))) {
    give_back(ctx, *found, outcome.response);
    return {};
  }
  TopUp& top_up = ctx.table<TopUp>().edit(found->id());
  if (again) reopen(ctx, top_up);
  top_up.set_updated_at(ctx.now());
  switch (outcome.kind) {
    case Kind::kDone: take_answer(ctx, top_up, outcome.response); break;
    case Kind::kUnknown: wait_until_known(ctx, top_up); break;
    default: fail_top_up(ctx, top_up, "provider_unavailable"); break;
  }
  return {};
}

Result<void> complete_top_up(Context& ctx, const AccountBalanceUpdated& event) {
  if (event.kind() != "top_up") return {};
  const TopUp* found = ctx.table<TopUp>().find(event.key());
  if (found == nullptr || found->status() != TopUp::CAPTURED) return {};
  TopUp& top_up = ctx.table<TopUp>().edit(found->id());
  top_up.set_status(TopUp::COMPLETED);
  top_up.set_transaction_id(event.transaction_id());
  top_up.set_updated_at(ctx.now());
  count_pending(ctx, top_up, -1);
  auto completed = about<AccountTopUpCompleted>(top_up);
  completed.set_account_id(top_up.account_id());
  *completed.mutable_amount() = top_up.amount();
  completed.set_transaction_id(top_up.transaction_id());
  ctx.emit(completed);
  return {};
}

Result<void> expire_top_up(Context& ctx, const TopUpExpiry& timer) {
  const TopUp* found = ctx.table<TopUp>().find(timer.top_up_id());
  if (found == nullptr || found->status() != TopUp::ACTION_REQUIRED) return {};
  TopUp& top_up = ctx.table<TopUp>().edit(found->id());
  top_up.set_updated_at(ctx.now());
  fail_top_up(ctx, top_up, "challenge_expired");
  return {};
}

}  // namespace micropay::account
