// What may be asked about payments and refunds. Another's payment does not exist for others than staff.
// A list is merged from the payments of each wallet, as payer and as payee; ids are UUIDv7, so the order of
// ids is the order of time, and the last id of a page is where the next one begins.
#include <algorithm>
#include <charconv>

#include "libs/base/ids.h"
#include "services/payment/handlers.h"
#include "services/payment/rules.h"

namespace micropay::payment {
namespace {

using Op = Filter::Op;
constexpr uint32_t kMaxPage = 500;

Filter where(std::string field, Op op, std::string value) {
  return {.field = std::move(field), .op = op, .value = std::move(value), .any_of = {}};
}

// The smallest id that can be made at or after this time.
std::string first_id_at(Time time) {
  const uint64_t ms = uint64_t((std::max<Time>(0, time) + kMillisecond - 1) / kMillisecond);
  Uuid uuid{};
  for (size_t i = 0; i < 6; ++i) uuid[i] = uint8_t(ms >> (40 - 8 * i));
  return format_uuid(uuid);
}

std::string id_after(std::string_view id) {
  Uuid uuid = parse_uuid(id).value_or(Uuid{});
  for (size_t i = uuid.size(); i-- > 0;)
    if (++uuid[i] != 0) break;
  return format_uuid(uuid);
}

// One page: what all sources have in common.
struct Listing {
  bool descending = true;
  uint32_t size = 50;
  uint32_t skip = 0;
  std::vector<Filter> filters;
  std::string entry;  // of metadata, that all of them have
};

Result<bool> descending(const std::string& order_by) {
  if (order_by.empty() || order_by == "createdAt desc" || order_by == "created_at desc") return true;
  for (const char* ascending : {"createdAt", "createdAt asc", "created_at", "created_at asc"})
    if (order_by == ascending) return false;
  return fail(Code::kInvalidArgument, "invalid_order",
              "Payments are ordered by createdAt asc or createdAt desc.", "orderBy");
}

Result<void> begin_at(Listing& listing, std::string_view token) {
  if (token.empty()) return {};
  if (is_uuid(token)) {
    listing.filters.push_back(listing.descending ? where("id", Op::kLess, std::string(token))
                                                 : where("id", Op::kGreaterEqual, id_after(token)));
    return {};
  }
  constexpr std::string_view kOffset = "offset:";
  const std::string_view digits = token.starts_with(kOffset) ? token.substr(kOffset.size()) : "";
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), listing.skip);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size())
    return fail(Code::kInvalidArgument, "invalid_page_token", "The token is not of this list.", "pageToken");
  if (listing.skip >= kMaxPage)
    return fail(Code::kInvalidArgument, "invalid_page_token", "An offset is below 500: go on with pageToken.",
                "offset");
  return {};
}

Result<Listing> listing_of(const ListPaymentsRequest& request) {
  Listing listing{.descending = TRY(descending(request.order_by()))};
  if (request.page_size() != 0) listing.size = uint32_t(request.page_size());
  if (!request.status().empty()) {
    Payment::Status status;
    if (!Payment::Status_Parse(request.status(), &status))
      return fail(Code::kInvalidArgument, "invalid_filter", "There is no such status.", "status");
    listing.filters.push_back(where("status", Op::kEqual, request.status()));
  }
  if (request.metadata().values_size() > 0) {
    if (!request.status().empty())
      return fail(Code::kInvalidArgument, "invalid_filter", "Ask for metadata or for a status.", "status");
    listing.entry = entry_of(request.metadata());
  }
  // The id bounds the range of the index; the time itself decides within the millisecond.
  if (request.from() != 0) {
    listing.filters.push_back(where("id", Op::kGreaterEqual, first_id_at(request.from() - kMillisecond)));
    listing.filters.push_back(where("created_at", Op::kGreaterEqual, format_time(request.from())));
  }
  if (request.to() != 0) {
    listing.filters.push_back(where("id", Op::kLess, first_id_at(request.to() + kMillisecond)));
    listing.filters.push_back(where("created_at", Op::kLess, format_time(request.to())));
  }
  TRY(begin_at(listing, request.page_token()));
  return listing;
}

// Payments that concern their payee.
Filter of_payee() {
  Filter filter{.field = "status", .op = Op::kIn, .value = {}, .any_of = {}};
  for (int status = Payment::Status_MIN; status <= Payment::Status_MAX; ++status)
    if (Payment::Status_IsValid(status) && concerns_payee(Payment::Status(status)))
      filter.any_of.push_back(Payment::Status_Name(Payment::Status(status)));
  return filter;
}

// Refunds that concern the payer: those that were refused are between the payee and his wallet.
Filter of_payer() {
  Filter filter{.field = "status", .op = Op::kIn, .value = {}, .any_of = {}};
  for (int status = Refund::Status_MIN; status <= Refund::Status_MAX; ++status)
    if (Refund::Status_IsValid(status) && concerns_payer(Refund::Status(status)))
      filter.any_of.push_back(Refund::Status_Name(Refund::Status(status)));
  return filter;
}

// Whose payments: a condition each; an empty one is all payments.
Result<std::vector<std::vector<Filter>>> sources_of(QueryContext& ctx, const std::string& account_id,
                                                    const Listing& listing) {
  std::vector<std::vector<Filter>> sources;
  const Principal& caller = ctx.principal();
  const auto add = [&](const std::string& id) {
    sources.push_back({where("payer_account_id", Op::kEqual, id)});
    if (!listing.entry.empty()) return;
    sources.push_back({where("payee_account_id", Op::kEqual, id)});
    if (!caller.staff()) sources.back().push_back(of_payee());
  };
  if (!account_id.empty()) {
    const PayerWallet* wallet = ctx.table<PayerWallet>().find(account_id);
    if (wallet == nullptr || (wallet->user_id() != caller.user_id && !caller.staff()))
      return fail(Code::kNotFound, "not_found", "There is no such wallet.", "accountId");
    add(account_id);
  } else if (caller.staff() && !listing.entry.empty()) {
    return fail(Code::kInvalidArgument, "required", "Metadata is looked for in a wallet.", "accountId");
  } else if (caller.staff()) {
    sources.emplace_back();
  } else {
    const List<PayerWallet> wallets = TRY(ctx.table<PayerWallet>().list(
        {.filters = {where("user_id", Op::kEqual, caller.user_id)}, .page_size = kMaxPage}));
    for (size_t i = 0; i < wallets.size(); ++i) add(wallets[i].account_id());
  }
  return sources;
}

// As the payments of a source, but those with an entry of metadata: the tags are in the order of the ids.
Result<std::vector<Row>> tagged(QueryContext& ctx, const std::vector<Filter>& source, const Listing& listing,
                                uint32_t count, bool& more) {
  ListQuery query{.filters = {where("account_id", Op::kEqual, source.front().value),
                              where("entry", Op::kEqual, listing.entry)},
                  .order_by = listing.descending ? "payment_id desc" : "payment_id asc",
                  .page_size = count};
  for (const Filter& filter : listing.filters)
    if (filter.field == "id") query.filters.push_back(where("payment_id", filter.op, filter.value));
  const List<PaymentTag> page = TRY(ctx.table<PaymentTag>().list(std::move(query)));
  more |= !page.next_page_token.empty();
  std::vector<Row> rows;
  for (size_t i = 0; i < page.size(); ++i)
    if (const Payment* payment = ctx.table<Payment>().find(page[i].payment_id()))
      rows.push_back(std::make_shared<const Payment>(*payment));
  return rows;
}

// The first `count` payments of all sources together, each once; `more` when there are others behind them.
Result<std::vector<Row>> merge(QueryContext& ctx, const std::vector<std::vector<Filter>>& sources,
                               const Listing& listing, size_t count, bool& more) {
  std::vector<Row> rows;
  for (const std::vector<Filter>& source : sources) {
    if (!listing.entry.empty()) {
      auto page = TRY(tagged(ctx, source, listing, uint32_t(std::min<size_t>(count, kMaxPage)), more));
      std::move(page.begin(), page.end(), std::back_inserter(rows));
      continue;
    }
    ListQuery query{.filters = source,
                    .order_by = listing.descending ? "id desc" : "id asc",
                    .page_size = uint32_t(std::min<size_t>(count, kMaxPage))};
    query.filters.insert(query.filters.end(), listing.filters.begin(), listing.filters.end());
    List<Payment> page = TRY(ctx.table<Payment>().list(std::move(query)));
    more |= !page.next_page_token.empty();
    std::move(page.rows.begin(), page.rows.end(), std::back_inserter(rows));
  }
  const auto id = [](const Row& row) -> const std::string& { return static_cast<const Payment&>(*row).id(); };
  std::sort(rows.begin(), rows.end(),
            [&](const Row& a, const Row& b) { return listing.descending ? id(a) > id(b) : id(a) < id(b); });
  // A payment between two wallets of one user comes twice.
  rows.erase(
      std::unique(rows.begin(), rows.end(), [&](const Row& a, const Row& b) { return id(a) == id(b); }),
      rows.end());
  if (rows.size() > count) more = true, rows.resize(count);
  return rows;
}

}  // namespace

Result<Payment> visible_payment(QueryContext& ctx, const std::string& id) {
  const Payment& payment = TRY(ctx.table<Payment>().get(id));
  if (!may_see(ctx.principal(), payment))
    return fail(Code::kNotFound, "not_found", "There is no such payment.");
  return payment;
}

Result<Payment> get_payment(QueryContext& ctx, const GetPaymentRequest& request) {
  return visible_payment(ctx, request.id());
}

Result<ListPaymentsResponse> list_payments(QueryContext& ctx, const ListPaymentsRequest& request) {
  if (!request.reference().empty()) return list_by_reference(ctx, request);
  const Listing listing = TRY(listing_of(request));
  const size_t count = std::min<size_t>(listing.skip + listing.size, kMaxPage);
  bool more = false;
  const auto rows =
      TRY(merge(ctx, TRY(sources_of(ctx, request.account_id(), listing)), listing, count, more));
  ListPaymentsResponse response;
  for (size_t i = listing.skip; i < rows.size(); ++i)
    *response.add_payments() = static_cast<const Payment&>(*rows[i]);
  if (more && response.payments_size() > 0)
    response.set_next_page_token(response.payments(response.payments_size() - 1).id());
  return response;
}

Result<ListRefundsResponse> list_refunds(QueryContext& ctx, const ListRefundsRequest& request) {
  const Payment payment = TRY(visible_payment(ctx, request.payment_id()));
  ListQuery query{.filters = {where("payment_id", Op::kEqual, request.payment_id())},
                  .page_size = uint32_t(request.page_size()),
                  .page_token = request.page_token()};
  const Principal& caller = ctx.principal();
  if (!caller.staff() && caller.user_id != payment.payee_user_id()) query.filters.push_back(of_payer());
  const List<Refund> page = TRY(ctx.table<Refund>().list(std::move(query)));
  ListRefundsResponse response;
  for (size_t i = 0; i < page.size(); ++i) *response.add_refunds() = page[i];
  response.set_next_page_token(page.next_page_token);
  return response;
}

}  // namespace micropay::payment
