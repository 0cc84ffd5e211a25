// Questions about balances. GetTrialBalance runs between ticks, so its sums are of one instant.
#include <algorithm>
#include <map>

#include "services/balance/handlers.h"
#include "services/balance/rules.h"
#include "services/balance/trial_balance.h"

namespace micropay::balance {

Result<BalanceView> get_balance(QueryContext& ctx, const GetBalanceRequest& request) {
  const Balance& balance = TRY(ctx.table<Balance>().get(request.account_id()));
  if (!request.has_as_of() || request.as_of() >= ctx.now()) return view_of(balance, ctx.now());
  BalanceView view;
  view.set_account_id(balance.account_id());
  view.set_currency(balance.currency());
  view.mutable_posted()->set_currency(balance.currency());
  view.set_as_of(request.as_of());
  const auto account =
      Filter{.field = "accountId", .op = Filter::Op::kEqual, .value = request.account_id(), .any_of = {}};
  const auto until = Filter{.field = "at",
                            .op = Filter::Op::kLess,
                            .value = format_time(std::max<Time>(0, request.as_of()) + 1),
                            .any_of = {}};
  const List<BalanceHistory> last = TRY(
      ctx.table<BalanceHistory>().list({.filters = {account, until}, .order_by = "at desc", .page_size = 1}));
  if (last.empty()) return view;  // before its first entry
  view.mutable_posted()->set_minor(last[0].posted_minor());
  view.set_version(last[0].version());
  return view;
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
