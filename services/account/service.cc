#include "services/account/service.h"

#include "contracts/balance.pb.h"
#include "contracts/user.pb.h"
#include "libs/base/log.h"
#include "libs/base/money.h"
#include "services/account/handlers.h"
#include "services/account/rules.h"

namespace micropay {
namespace account {
namespace {

// The wallet, in a message of the same three fields: frozen, unfrozen, closed, ...
template <typename E>
E about(const Account& account, const std::string& reason) {
  E event;
  event.set_account_id(account.id());
  event.set_user_id(account.user_id());
  event.set_reason(reason);
  return event;
}

struct NewWallet {
  std::string user_id, currency, name;
  bool first = false;
};

const Account& open_wallet(Context& ctx, const NewWallet& wallet, const AccountSettings& settings) {
  Account row;
  row.set_id(ctx.new_id());
  row.set_user_id(wallet.user_id);
  row.set_currency(wallet.currency);
  row.set_name(wallet.name);
  *row.mutable_limits() = settings.limits_in(wallet.currency);
  row.set_created_at(ctx.now());
  row.set_updated_at(ctx.now());
  const Account& account = ctx.table<Account>().insert(row);
  AccountCreated created;
  created.set_account_id(account.id());
  created.set_user_id(account.user_id());
  created.set_currency(account.currency());
  created.set_name(account.name());
  *created.mutable_limits() = account.limits();
  created.set_first(wallet.first);
  ctx.emit(created);
  return account;
}

Result<void> open_first_wallet(Context& ctx, const UserCreated& event, const AccountSettings& settings) {
  auto holders = ctx.table<AccountHolder>();
  if (holders.find(event.user_id()) != nullptr) return {};
  AccountHolder holder;
  holder.set_user_id(event.user_id());
  holder.set_open_accounts(1);
  holder.set_default_currency(event.default_currency().empty() ? settings.default_currency
                                                               : event.default_currency());
  if (const WithdrawnCurrency* withdrawn = withdrawn_currency(holder.default_currency()))
    holder.set_default_currency(std::string(withdrawn->successor));
  holders.insert(holder);
  open_wallet(ctx, {event.user_id(), holder.default_currency(), "Main", true}, settings);
  return {};
}

Result<Account> create_account(Context& ctx, const CreateAccountRequest& request,
                               const AccountSettings& settings) {
  const std::string& user_id = ctx.principal().user_id;
  if (user_id.empty()) return fail(Code::kPermissionDenied, "user_required", "A wallet belongs to a user.");
  TRY(check_currency(request.currency()));
  AccountHolder initial;
  initial.set_user_id(user_id);
  initial.set_default_currency(request.currency());
  AccountHolder& holder = ctx.table<AccountHolder>().edit_or_insert(initial, user_id);
  TRY(check_holder_frozen(holder, false));
  TRY(check_open(holder.open_accounts(), settings.max_per_user));
  holder.set_open_accounts(holder.open_accounts() + 1);
  return open_wallet(ctx, {user_id, request.currency(), request.name(), false}, settings);
}

// The balance service knows whether the wallet is empty: account.balance.closed or .close_refused follows.
Result<Account> close_account(Context& ctx, const CloseAccountRequest& request) {
  TRY(check_close(TRY(ctx.table<Account>().get(request.id()))));
  Account& account = change(ctx, request.id(), Account::CLOSING, request.reason());
  account.clear_close_refusal();
  account.clear_close_refusal_detail();
  ctx.emit(about<AccountCloseRequested>(account, request.reason()));
  return account;
}

Result<void> close_when_empty(Context& ctx, const AccountBalanceClosed& event) {
  const Account* found = ctx.table<Account>().find(event.account_id());
  if (found == nullptr || found->status() != Account::CLOSING) return {};
  const Account& account = change(ctx, found->id(), Account::CLOSED, found->status_reason());
  AccountHolder& holder = ctx.table<AccountHolder>().edit(account.user_id());
  CHECK(holder.open_accounts() > 0);
  holder.set_open_accounts(holder.open_accounts() - 1);
  ctx.emit(about<AccountClosed>(account, account.status_reason()));
  return {};
}

Result<void> stay_open(Context& ctx, const AccountBalanceCloseRefused& event) {
  const Account* found = ctx.table<Account>().find(event.account_id());
  if (found == nullptr || found->status() != Account::CLOSING) return {};
  Account& account = change(ctx, found->id(), Account::ACTIVE, {});
  account.set_close_refusal(event.reason());
  account.set_close_refusal_detail(std::string(close_detail(event.reason())));
  ctx.emit(about<AccountCloseRefused>(account, event.reason()));
  freeze_with_holder(ctx, account.id());
  return {};
}

// Limits of currencies that are not about as much as those in euros.
std::map<std::string, Limits, std::less<>> limits_by_currency(const std::string& text) {
  auto table = parse_limits_by_currency(text);
  if (!table)
    log_warn("account.limits_by_currency", "No list of limits by currency, so it is left out",
             {{"value", text}});
  return table ? *std::move(table) : std::map<std::string, Limits, std::less<>>();
}

}  // namespace

Account& change(Context& ctx, const std::string& id, Account::Status status, const std::string& reason) {
  Account& account = ctx.table<Account>().edit(id);
  account.set_status(status);
  account.set_status_reason(reason);
  account.set_updated_at(ctx.now());
  return account;
}

}  // namespace account

AccountSettings::AccountSettings(Settings& settings)
    : default_currency(
          settings.text("account.default_currency", "EUR", "Currency of a new user's first wallet")),
      max_per_user(
          uint32_t(settings.integer("account.max_per_user", 20, 1, 1000, "Open wallets of one user"))),
      max_top_up_minor(settings.integer("account.max_top_up_minor", 10'000'000, 1, kMaxMinor,
                                        "Most that one top-up loads, in minor units of the euro; in other "
                                        "currencies about as much")) {
  limits.set_per_payment_minor(
      settings.integer("account.limit_per_payment", 1'000'000, 0, kMaxMinor,
                       "A new wallet's limit of one payment, in minor units of the euro; in other currencies "
                       "about as much; 0: none"));
  limits.set_per_day_minor(
      settings.integer("account.limit_per_day", 2'500'000, 0, kMaxMinor, "The same of a day"));
  limits.set_per_month_minor(
      settings.integer("account.limit_per_month", 10'000'000, 0, kMaxMinor, "The same of a month"));
  by_currency = account::limits_by_currency(settings.text(
      "account.limits_by_currency", "",
      "In place of the same value, limits of a payment/day/month in a currency: JPY=1000000/2500000/0, …"));
}

Limits AccountSettings::limits_in(const std::string& currency) const {
  const auto own = by_currency.find(currency);
  return own == by_currency.end() ? account::in_currency(limits, currency) : own->second;
}

Service account_service(const Parts& parts) {
  using namespace account;
  const AccountSettings settings(parts.settings);
  const std::shared_ptr<ProviderRouter> providers = make_providers();
  Service service{"account"};
  service.command([settings](Context& ctx, const CreateAccountRequest& request) {
    return create_account(ctx, request, settings);
  });
  service.command(freeze_account);
  service.command(unfreeze_account);
  service.command(close_account);
  service.command(set_limits);
  service.command(freeze_holder);
  service.command(unfreeze_holder);
  service.command(set_holder_limits);
  service.command([settings, providers](Context& ctx, const CreateTopUpRequest& request) {
    return create_top_up(ctx, request, settings, *providers);
  });
  service.command(confirm_top_up);
  service.query(get_account);
  service.query(get_holder);
  service.query(list_accounts);
  service.query(get_top_up);
  service.query(list_top_ups);
  service.on(
      [settings](Context& ctx, const UserCreated& event) { return open_first_wallet(ctx, event, settings); });
  service.on(close_when_empty);  // account.balance.closed
  service.on(stay_open);         // account.balance.close_refused
  service.on(complete_top_up);   // account.balance.updated
  service.on(decide_reversal);   // transaction.reversal_requested
  service.on(finish_reversal);   // transaction.reversed
  service.on(stay_as_it_is);     // transaction.reversal_refused
  service.on_timer(expire_top_up);
  service.effect<ProviderCall, ProviderOutcome>(providers, take_outcome);
  return service;
}

}  // namespace micropay
