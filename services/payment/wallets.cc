// What this service knows of users and wallets, kept from other services' events, so that a payment asks
// nobody.
#include "services/payment/handlers.h"
#include "services/payment/rules.h"

namespace micropay::payment {
namespace {

// Null for a wallet that we do not know: another's account.created comes first, always.
PayerWallet* wallet_of(Context& ctx, const std::string& account_id) {
  auto wallets = ctx.table<PayerWallet>();
  return wallets.find(account_id) == nullptr ? nullptr : &wallets.edit(account_id);
}

// Payments are decided by minor units: the amounts that say the same to people need not be copied.
Limits figures(const Limits& limits) {
  Limits kept = limits;
  kept.clear_per_payment();
  kept.clear_per_day();
  kept.clear_per_month();
  return kept;
}

const std::string& currency_of(const Limits& limits) {
  return limits.has_per_payment() ? limits.per_payment().currency()
         : limits.has_per_day()   ? limits.per_day().currency()
                                  : limits.per_month().currency();
}

// Money for the user's e-mail address goes to the oldest open wallet of the currency.
void reroute(Context& ctx, const PayerWallet& closed) {
  auto routes = ctx.table<PayeeWallet>();
  const PayeeWallet* route = routes.find(closed.user_id(), closed.currency());
  if (route == nullptr || route->account_id() != closed.account_id()) return;
  routes.erase(closed.user_id(), closed.currency());
  const auto page =
      ctx.table<PayerWallet>().list({.filters = {{.field = "user_id", .value = closed.user_id()},
                                                 {.field = "currency", .value = closed.currency()}},
                                     .page_size = 500});
  if (!page) return;
  const PayerWallet* oldest = nullptr;
  for (size_t i = 0; i < page->size(); ++i) {
    const PayerWallet& wallet = (*page)[i];
    const bool open = wallet.status() != Account::CLOSED && wallet.account_id() != closed.account_id();
    if (open && (oldest == nullptr || wallet.account_id() < oldest->account_id())) oldest = &wallet;
  }
  if (oldest == nullptr) return;
  PayeeWallet row;
  row.set_user_id(closed.user_id());
  row.set_currency(closed.currency());
  row.set_account_id(oldest->account_id());
  routes.insert(row);
}

// Payments that wait: few, since a payment under review expires and others are final within their tick. The
// index of the status finds them; an index of the wallet would find all its history.
Result<std::vector<std::string>> open_payments_of(Context& ctx, const std::string& account_id) {
  std::vector<std::string> ids;
  for (const char* status : {"PENDING", "IN_REVIEW"}) {
    ListQuery query{.filters = {{.field = "status", .value = status}}, .page_size = 500};
    do {
      const List<Payment> page = TRY(ctx.table<Payment>().list(query));
      for (size_t i = 0; i < page.size(); ++i)
        if (page[i].payer_account_id() == account_id || page[i].payee_account_id() == account_id)
          ids.push_back(page[i].id());
      query.page_token = page.next_page_token;
    } while (!query.page_token.empty());
  }
  return ids;
}

}  // namespace

// Money finds nobody by an address that he only claims.
Result<void> know_user(Context& ctx, const UserEmailVerified& event) {
  PayeeUser row;
  row.set_proven(true);
  row.set_email(event.email());
  row.set_user_id(event.user_id());
  ctx.table<PayeeUser>().edit_or_insert(row, event.email()) = row;
  return {};
}

Result<void> know_wallet(Context& ctx, const AccountCreated& event) {
  auto wallets = ctx.table<PayerWallet>();
  if (wallets.find(event.account_id()) != nullptr) return {};
  PayerWallet wallet;
  wallet.set_account_id(event.account_id());
  wallet.set_user_id(event.user_id());
  wallet.set_currency(event.currency());
  *wallet.mutable_limits() = figures(event.limits());
  wallets.insert(wallet);
  TRY(person_of(ctx, event.user_id()));
  PayeeWallet route;
  route.set_user_id(event.user_id());
  route.set_currency(event.currency());
  route.set_account_id(event.account_id());
  ctx.table<PayeeWallet>().edit_or_insert(route, event.user_id(), event.currency());
  return {};
}

Result<void> fail_pending_when_frozen(Context& ctx, const AccountFrozen& event) {
  PayerWallet* wallet = wallet_of(ctx, event.account_id());
  if (wallet == nullptr) return {};
  wallet->set_status(Account::FROZEN);
  for (const std::string& id : TRY(open_payments_of(ctx, event.account_id()))) {
    const Payment* payment = ctx.table<Payment>().find(id);
    if (payment != nullptr && is_open(*payment)) fail_payment(ctx, id, "account_frozen");
  }
  return {};
}

Result<void> know_unfrozen(Context& ctx, const AccountUnfrozen& event) {
  PayerWallet* wallet = wallet_of(ctx, event.account_id());
  if (wallet != nullptr && wallet->status() == Account::FROZEN) wallet->set_status(Account::ACTIVE);
  return {};
}

// From here on the wallet takes and gives nothing, so that the balance decides about a figure that stands
// still.
Result<void> know_closing(Context& ctx, const AccountCloseRequested& event) {
  if (PayerWallet* wallet = wallet_of(ctx, event.account_id())) wallet->set_status(Account::CLOSING);
  return {};
}

Result<void> know_close_refused(Context& ctx, const AccountCloseRefused& event) {
  PayerWallet* wallet = wallet_of(ctx, event.account_id());
  if (wallet != nullptr && wallet->status() == Account::CLOSING) wallet->set_status(Account::ACTIVE);
  return {};
}

Result<void> know_closed(Context& ctx, const AccountClosed& event) {
  PayerWallet* wallet = wallet_of(ctx, event.account_id());
  if (wallet == nullptr) return {};
  wallet->set_status(Account::CLOSED);
  reroute(ctx, *wallet);
  return {};
}

Result<void> know_limits(Context& ctx, const AccountLimitsChanged& event) {
  PayerWallet* wallet = wallet_of(ctx, event.account_id());
  if (wallet == nullptr) return {};
  *wallet->mutable_limits() = figures(event.limits());
  StaffLimits set;
  set.set_account_id(wallet->account_id());
  set.set_currency(wallet->currency());
  *set.mutable_limits() = wallet->limits();
  set_staff_limits(TRY(person_of(ctx, wallet->user_id())), wallet->account_id(), {set});
  return {};
}

Result<void> know_holder_limits(Context& ctx, const AccountHolderLimitsChanged& event) {
  std::vector<StaffLimits> all;
  for (const Limits& limits : event.limits()) {
    StaffLimits& set = all.emplace_back();
    set.set_currency(currency_of(limits));
    *set.mutable_limits() = figures(limits);
  }
  set_staff_limits(TRY(person_of(ctx, event.user_id())), {}, all);
  return {};
}

// What versions before counted in each wallet is taken over once, so that an upgrade renews no limit.
Result<std::reference_wrapper<PayerPerson>> person_of(Context& ctx, const std::string& user_id) {
  PayerPerson* present = ctx.table<PayerPerson>().edit_present(user_id);
  if (present != nullptr) return std::ref(*present);
  PayerPerson person;
  person.set_user_id(user_id);
  ListQuery query{.filters = {{.field = "user_id", .value = user_id}}, .page_size = 500};
  do {
    const List<PayerWallet> page = TRY(ctx.table<PayerWallet>().list(query));
    for (size_t i = 0; i < page.size(); ++i)
      if (page[i].spent_month_minor() != 0) take_over_spending(person, page[i], ctx.now());
    query.page_token = page.next_page_token;
  } while (!query.page_token.empty());
  return std::ref(ctx.table<PayerPerson>().insert(person));
}

}  // namespace micropay::payment
