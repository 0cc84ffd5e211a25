// What staff restricts. A freeze is of a holder unless it is said to be of one wallet: with another wallet he
// would go on. The holder's row is what opening a wallet and freezing its holder both write, so that of two
// at once one sees the other.
#include "services/account/handlers.h"
#include "services/account/rules.h"

namespace micropay::account {
namespace {

template <typename E>
E about(const Account& account, const std::string& reason) {
  E event;
  event.set_account_id(account.id());
  event.set_user_id(account.user_id());
  event.set_reason(reason);
  return event;
}

AccountHolder& holder_of(Context& ctx, const std::string& user_id) {
  AccountHolder initial;
  initial.set_user_id(user_id);
  AccountHolder& holder = ctx.table<AccountHolder>().edit_or_insert(initial, user_id);
  holder.set_updated_at(ctx.now());
  return holder;
}

// Ids, because what is changed must not be walked over meanwhile.
Result<std::vector<std::string>> wallets_of(Context& ctx, const std::string& user_id,
                                            Account::Status status) {
  std::vector<std::string> ids;
  ListQuery query{.filters = {{.field = "user_id", .value = user_id},
                              {.field = "status", .value = Account::Status_Name(status)}},
                  .page_size = 500};
  do {
    const List<Account> page = TRY(ctx.table<Account>().list(query));
    for (size_t i = 0; i < page.size(); ++i) ids.push_back(page[i].id());
    query.page_token = page.next_page_token;
  } while (!query.page_token.empty());
  return ids;
}

struct Freeze {
  bool with_holder = false;
  bool named = false;
};

void freeze_wallet(Context& ctx, const std::string& id, const std::string& reason, const Freeze& freeze) {
  Account& account = change(ctx, id, Account::FROZEN, reason);
  account.set_frozen_with_holder(freeze.with_holder);
  auto frozen = about<AccountFrozen>(account, reason);
  frozen.set_with_holder(freeze.with_holder && !freeze.named);
  ctx.emit(frozen);
}

void unfreeze_wallet(Context& ctx, const std::string& id, const std::string& reason) {
  Account& account = change(ctx, id, Account::ACTIVE, reason);
  account.set_frozen_with_holder(false);
  ctx.emit(about<AccountUnfrozen>(account, reason));
}

// Wallets that are frozen already stay frozen by themselves; one that is being closed is seen to when it
// stays open. `named`: the wallet that staff spoke of, or empty; its owner is told of it.
Result<void> freeze(Context& ctx, AccountHolder& holder, const std::string& reason,
                    const std::string& named) {
  holder.set_frozen(true);
  holder.set_frozen_reason(reason);
  AccountHolderFrozen frozen;
  frozen.set_user_id(holder.user_id());
  frozen.set_reason(reason);
  ctx.emit(frozen);
  for (const std::string& id : TRY(wallets_of(ctx, holder.user_id(), Account::ACTIVE)))
    freeze_wallet(ctx, id, reason, {.with_holder = true, .named = id == named});
  return {};
}

Result<void> unfreeze(Context& ctx, AccountHolder& holder, const std::string& reason) {
  holder.set_frozen(false);
  holder.clear_frozen_reason();
  AccountHolderUnfrozen unfrozen;
  unfrozen.set_user_id(holder.user_id());
  unfrozen.set_reason(reason);
  ctx.emit(unfrozen);
  for (const std::string& id : TRY(wallets_of(ctx, holder.user_id(), Account::FROZEN)))
    if (ctx.table<Account>().find(id)->frozen_with_holder()) unfreeze_wallet(ctx, id, reason);
  return {};
}

}  // namespace

Result<Account> freeze_account(Context& ctx, const FreezeAccountRequest& request) {
  const Account& found = TRY(ctx.table<Account>().get(request.id()));
  AccountHolder& holder = holder_of(ctx, found.user_id());
  TRY(check_freeze(found, holder.frozen(), request.scope()));
  if (request.scope() == WALLET) freeze_wallet(ctx, request.id(), request.reason(), {});
  else TRY(freeze(ctx, holder, request.reason(), request.id()));
  return *ctx.table<Account>().find(request.id());
}

Result<Account> unfreeze_account(Context& ctx, const UnfreezeAccountRequest& request) {
  const Account& found = TRY(ctx.table<Account>().get(request.id()));
  TRY(check_unfreeze_wallet(found, request.scope()));
  AccountHolder& holder = holder_of(ctx, found.user_id());
  const bool alone = !found.frozen_with_holder();
  if (holder.frozen() && request.scope() != WALLET) TRY(unfreeze(ctx, holder, request.reason()));
  if (alone && holder.frozen()) ctx.table<Account>().edit(request.id()).set_frozen_with_holder(true);
  else if (alone) unfreeze_wallet(ctx, request.id(), request.reason());
  return *ctx.table<Account>().find(request.id());
}

void freeze_with_holder(Context& ctx, const std::string& account_id) {
  const Account* account = ctx.table<Account>().find(account_id);
  const AccountHolder* holder = ctx.table<AccountHolder>().find(account->user_id());
  if (holder != nullptr && holder->frozen())
    freeze_wallet(ctx, account_id, holder->frozen_reason(), {.with_holder = true});
}

Result<AccountHolder> freeze_holder(Context& ctx, const FreezeHolderRequest& request) {
  TRY(check_holder_frozen(TRY(ctx.table<AccountHolder>().get(request.user_id())), false));
  AccountHolder& holder = holder_of(ctx, request.user_id());
  TRY(freeze(ctx, holder, request.reason(), {}));
  return holder;
}

Result<AccountHolder> unfreeze_holder(Context& ctx, const UnfreezeHolderRequest& request) {
  TRY(check_holder_frozen(TRY(ctx.table<AccountHolder>().get(request.user_id())), true));
  AccountHolder& holder = holder_of(ctx, request.user_id());
  TRY(unfreeze(ctx, holder, request.reason()));
  return holder;
}

Result<Account> set_limits(Context& ctx, const SetLimitsRequest& request) {
  const Account& found = TRY(ctx.table<Account>().get(request.id()));
  const Limits limits = TRY(complete_limits(request.limits(), found.currency(), "limits"));
  TRY(check_limits(limits, "limits"));
  Account& account = ctx.table<Account>().edit(request.id());
  *account.mutable_limits() = limits;
  account.set_updated_at(ctx.now());
  AccountLimitsChanged changed;
  changed.set_account_id(account.id());
  changed.set_user_id(account.user_id());
  *changed.mutable_limits() = account.limits();
  ctx.emit(changed);
  return account;
}

Result<AccountHolder> set_holder_limits(Context& ctx, const SetHolderLimitsRequest& request) {
  TRY(ctx.table<AccountHolder>().get(request.user_id()));
  AccountHolder& holder = holder_of(ctx, request.user_id());
  holder.clear_limits();
  for (int i = 0; i < request.limits_size(); ++i) {
    const std::string field = fmt::format("limits[{}]", i);
    const Limits limits = TRY(complete_limits(request.limits(i), {}, field));
    TRY(check_limits(limits, field));
    *holder.add_limits() = limits;
  }
  AccountHolderLimitsChanged changed;
  changed.set_user_id(holder.user_id());
  *changed.mutable_limits() = holder.limits();
  ctx.emit(changed);
  return holder;
}

Result<AccountHolder> get_holder(QueryContext& ctx, const GetHolderRequest& request) {
  return TRY(ctx.table<AccountHolder>().get(request.user_id()));
}

}  // namespace micropay::account
