// Payments by what their payer wrote on them: an entry of the metadata, his own reference. Both are found by
// key, however many payments there are.
#include "libs/base/ids.h"
#include "services/payment/handlers.h"
#include "services/payment/rules.h"

namespace micropay::payment {
namespace {

// A key is one line, so no two entries make the same text.
std::string digest_of(const std::string& key, const std::string& value) {
  return derived_uuid(fmt::format("{}\n{}", key, value));
}

void put_tags(Context& ctx, const Metadata& metadata, const std::string& account_id,
              const std::string& payment_id) {
  for (const auto& [key, value] : metadata.values()) {
    PaymentTag row;
    row.set_account_id(account_id);
    row.set_entry(digest_of(key, value));
    row.set_payment_id(payment_id);
    ctx.table<PaymentTag>().put(std::move(row));
  }
}

}  // namespace

void tag(Context& ctx, const PaymentInitiated& event) {
  put_tags(ctx, event.metadata(), event.payer_account_id(), event.payment_id());
}

void tag(Context& ctx, const PaymentCompleted& event) {
  put_tags(ctx, event.metadata(), event.payee_account_id(), event.payment_id());
}

std::string entry_of(const Metadata& metadata) {
  const auto& [key, value] = *metadata.values().begin();
  return digest_of(key, value);
}

Result<void> keep_reference(Context& ctx, const Payment& payment) {
  if (payment.reference().empty()) return {};
  auto references = ctx.table<PaymentReference>();
  if (const auto* taken = references.find(payment.reference(), payment.payer_user_id())) {
    Error error{.code = Code::kAlreadyExists,
                .reason = "reference_taken",
                .detail = "There is a payment with this reference: paymentId names it.",
                .field = "reference"};
    error.extensions.emplace_back("paymentId", taken->payment_id());
    return std::unexpected(std::move(error));
  }
  PaymentReference row;
  row.set_reference(payment.reference());
  row.set_user_id(payment.payer_user_id());
  row.set_payment_id(payment.id());
  references.insert(std::move(row));
  return {};
}

Result<ListPaymentsResponse> list_by_reference(QueryContext& ctx, const ListPaymentsRequest& request) {
  if (!request.status().empty() || request.from() != 0 || request.to() != 0 || request.has_metadata() ||
      !request.page_token().empty())
    return fail(Code::kInvalidArgument, "invalid_filter", "A reference goes with accountId at most.",
                "reference");
  const Principal& caller = ctx.principal();
  ListQuery query{.filters = {{.field = "reference", .value = request.reference(), .any_of = {}}},
                  .page_size = kMostOfReference};
  if (!caller.staff()) query.filters.push_back({.field = "user_id", .value = caller.user_id, .any_of = {}});
  const List<PaymentReference> found = TRY(ctx.table<PaymentReference>().list(std::move(query)));
  ListPaymentsResponse response;
  for (size_t i = 0; i < found.size(); ++i) {
    const Payment* payment = ctx.table<Payment>().find(found[i].payment_id());
    const std::string& account = request.account_id();
    if (payment != nullptr &&
        (account.empty() || payment->payer_account_id() == account || payment->payee_account_id() == account))
      *response.add_payments() = *payment;
  }
  return response;
}

}  // namespace micropay::payment
