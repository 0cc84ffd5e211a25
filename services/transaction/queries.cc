// Questions about the journal. An entry is shown to the owners of its accounts and to staff; to others it is
// not there.
#include "services/transaction/handlers.h"

namespace micropay::transaction {
namespace {

bool owns(QueryContext& ctx, const std::string& account_id) {
  const std::string& user_id = ctx.principal().user_id;
  const LedgerAccount* account = ctx.table<LedgerAccount>().find(account_id);
  return account != nullptr && !user_id.empty() && account->user_id() == user_id;
}

bool sees_all(const Principal& principal) {
  return principal.staff() || principal.kind == Principal::Kind::kSystem;
}

void add_between(ListQuery& query, const ListTransactionsRequest& request) {
  using Op = Filter::Op;
  if (request.from() != 0)
    query.filters.push_back(
        {.field = "settledAt", .op = Op::kGreaterEqual, .value = format_time(request.from())});
  if (request.to() != 0)
    query.filters.push_back({.field = "settledAt", .op = Op::kLess, .value = format_time(request.to())});
}

Result<ListTransactionsResponse> list_of_account(QueryContext& ctx, const ListTransactionsRequest& request) {
  ListQuery query{.page_size = uint32_t(request.page_size()), .page_token = request.page_token()};
  query.order_by = TRY(parse_order(request.order_by())) ? "settledAt asc" : "settledAt desc";
  query.filters.push_back({.field = "accountId", .value = request.account_id()});
  add_between(query, request);
  const List<AccountPosting> page = TRY(ctx.table<AccountPosting>().list(std::move(query)));
  ListTransactionsResponse response;
  for (size_t i = 0; i < page.size(); ++i) {
    const Transaction& entry = TRY(ctx.table<Transaction>().get(page[i].transaction_id()));
    *response.add_transactions() = entry;
  }
  response.set_next_page_token(page.next_page_token);
  return response;
}

// The entry that bears the id of its cause, or that a transfer names; and the reversal of it.
Result<ListTransactionsResponse> list_of_cause(QueryContext& ctx, const std::string& cause_id) {
  auto journal = ctx.table<Transaction>();
  const Transaction* entry = journal.find(cause_id);
  if (const Transfer* transfer = ctx.table<Transfer>().find(cause_id);
      !entry && transfer && !transfer->transaction_id().empty())
    entry = journal.find(transfer->transaction_id());
  ListTransactionsResponse response;
  if (entry == nullptr) return response;
  if (!entry->reversed_by_id().empty())
    if (const Transaction* reversal = journal.find(entry->reversed_by_id()))
      *response.add_transactions() = *reversal;
  *response.add_transactions() = *entry;
  return response;
}

Result<ListTransactionsResponse> list_all(QueryContext& ctx, const ListTransactionsRequest& request) {
  ListQuery query{.page_size = uint32_t(request.page_size()), .page_token = request.page_token()};
  query.order_by = TRY(parse_order(request.order_by())) ? "id asc" : "id desc";  // ids sort by time
  add_between(query, request);
  const List<Transaction> page = TRY(ctx.table<Transaction>().list(std::move(query)));
  ListTransactionsResponse response;
  for (size_t i = 0; i < page.size(); ++i) *response.add_transactions() = page[i];
  response.set_next_page_token(page.next_page_token);
  return response;
}

}  // namespace

Result<Transaction> get_transaction(QueryContext& ctx, const GetTransactionRequest& request) {
  const Transaction& entry = TRY(ctx.table<Transaction>().get(request.id()));
  if (sees_all(ctx.principal())) return entry;
  for (const Posting& posting : entry.postings())
    if (owns(ctx, posting.account_id())) return entry;
  return fail(Code::kNotFound, "not_found", "There is no such entry, or account.");
}

Result<ListTransactionsResponse> list_transactions(QueryContext& ctx,
                                                   const ListTransactionsRequest& request) {
  if (!request.account_id().empty()) {
    if (!sees_all(ctx.principal()) && !owns(ctx, request.account_id()))
      return fail(Code::kNotFound, "not_found", "There is no such entry, or account.");
    return list_of_account(ctx, request);
  }
  if (!sees_all(ctx.principal()))
    return fail(Code::kInvalidArgument, "required", "one of your accounts", "accountId");
  if (!request.payment_id().empty()) return list_of_cause(ctx, request.payment_id());
  return list_all(ctx, request);
}

}  // namespace micropay::transaction
