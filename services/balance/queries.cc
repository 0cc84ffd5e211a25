// Questions about balances. GetTrialBalance runs between ticks, so its sums are of one instant.
#include <algorithm>
#include <map>

#include "services/balance/handlers.h"
#include "services/balance/rules.h"
#include "services/balance/trial_balance.h"

namespace micropay::balance {

Result<BalanceView> get_balance(QueryContext& ctx, const GetBalanceRequest& request) {
  const Balance& balance = TRY(ctx.table<Balance>().get(request.account_id()));
  return view_of(balance, ctx.now());
}

Result<ListReservationsResponse> list_reservations(QueryContext& ctx,
                                                   const ListReservationsRequest& request) {
  ListQuery query{.page_size = uint32_t(request.page_size()), .page_token = request.page_token()};
  query.filters.push_back({.field = "accountId", .value = request.account_id()});
  const List<Reservation> page = TRY(ctx.table<Reservation>().list(std::move(query)));
  ListReservationsResponse response;
  for (size_t i = 0; i < page.size(); ++i) *response.add_reservations() = page[i];
  response.set_next_page_token(page.next_page_token);
  return response;
}

Result<TrialBalance> get_trial_balance(QueryContext& ctx, const GetTrialBalanceRequest&) {
  TrialBalanceSums sums;
  std::string token;
  do {
    const List<Balance> page = TRY(ctx.table<Balance>().list({.page_size = 500, .page_token = token}));
    for (size_t i = 0; i < page.size(); ++i) sums.add(page[i]);
    token = page.next_page_token;
  } while (!token.empty());
  return sums.finish(ctx.now());
}

}  // namespace micropay::balance
