// What may be asked about wallets and top-ups. Who owns what is checked by the runtime from the contract; the
// list of wallets restricts itself.
#include "services/account/handlers.h"
#include "services/account/rules.h"

namespace micropay::account {
namespace {

void filter(ListQuery& query, std::string_view field, const std::string& value) {
  if (!value.empty()) query.filters.push_back({.field = std::string(field), .value = value, .any_of = {}});
}

// Limits of wallets that were opened before there were amounts in them.
Account shown(Account account) {
  fill_amounts(*account.mutable_limits(), account.currency());
  return account;
}

// Another's wallets do not exist for others than staff.
Result<std::string> whose(const Principal& principal, const std::string& user_id) {
  if (principal.staff() || user_id == principal.user_id) return user_id;
  if (user_id.empty()) return principal.user_id;
  return fail(Code::kNotFound, "not_found", "There is no such user.");
}

}  // namespace

Result<Account> get_account(QueryContext& ctx, const GetAccountRequest& request) {
  const Account& account = TRY(ctx.table<Account>().get(request.id()));
  return shown(account);
}

Result<ListAccountsResponse> list_accounts(QueryContext& ctx, const ListAccountsRequest& request) {
  ListQuery query{.order_by = request.order_by(),
                  .page_size = uint32_t(request.page_size()),
                  .page_token = request.page_token()};
  filter(query, "user_id", TRY(whose(ctx.principal(), request.user_id())));
  filter(query, "status", request.status());
  filter(query, "currency", request.currency());
  const List<Account> page = TRY(ctx.table<Account>().list(std::move(query)));
  ListAccountsResponse response;
  for (size_t i = 0; i < page.size(); ++i) *response.add_accounts() = shown(page[i]);
  response.set_next_page_token(page.next_page_token);
  return response;
}

Result<TopUp> get_top_up(QueryContext& ctx, const GetTopUpRequest& request) {
  const TopUp& top_up = TRY(ctx.table<TopUp>().get(request.top_up_id()));
  if (top_up.account_id() != request.account_id())
    return fail(Code::kNotFound, "not_found", "The wallet has no such top-up.");
  return top_up;
}

Result<ListTopUpsResponse> list_top_ups(QueryContext& ctx, const ListTopUpsRequest& request) {
  ListQuery query{.page_size = uint32_t(request.page_size()), .page_token = request.page_token()};
  filter(query, "account_id", request.account_id());
  filter(query, "status", request.status());
  const List<TopUp> page = TRY(ctx.table<TopUp>().list(std::move(query)));
  ListTopUpsResponse response;
  for (size_t i = 0; i < page.size(); ++i) *response.add_top_ups() = page[i];
  response.set_next_page_token(page.next_page_token);
  return response;
}

}  // namespace micropay::account
