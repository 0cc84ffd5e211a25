// The story of a payment: every event that is about it, in the order of the log, in one row. A projection: it
// can be dropped and is rebuilt from the log.
#include <charconv>

#include "contracts/fraud.pb.h"
#include "contracts/transaction.pb.h"
#include "libs/contract/json.h"
#include "services/payment/handlers.h"
#include "services/payment/rules.h"

namespace micropay::payment {
namespace {

Result<void> add(Context& ctx, const std::string& payment_id) {
  PaymentHistory initial;
  initial.set_payment_id(payment_id);
  PaymentEvent& event = *ctx.table<PaymentHistory>().edit_or_insert(initial, payment_id).add_events();
  const Envelope& envelope = ctx.envelope();
  event.set_payment_id(payment_id);
  event.set_position(envelope.position());
  event.set_type(envelope.type());
  event.set_id(envelope.id());
  event.set_time(envelope.time());
  event.set_correlation_id(envelope.correlation_id());
  event.set_causation_id(envelope.causation_id());
  event.set_actor(envelope.actor());
  event.set_data(envelope.data());
  return {};
}

// Events of the balance and the journal know the payment or refund as their key.
Result<void> add_by_kind(Context& ctx, const std::string& kind, const std::string& key) {
  if (kind == "payment") return add(ctx, key);
  if (kind != "refund") return {};
  const RefundLink* link = ctx.table<RefundLink>().find(key);
  return link == nullptr ? Result<void>() : add(ctx, link->payment_id());
}

Result<void> link_refund(Context& ctx, const PaymentRefundRequested& event) {
  RefundLink link;
  link.set_refund_id(event.refund_id());
  link.set_payment_id(event.payment_id());
  ctx.table<RefundLink>().edit_or_insert(link, event.refund_id());
  return add(ctx, event.payment_id());
}

template <typename E>
Result<void> add_own(Context& ctx, const E& event) {
  return add(ctx, event.payment_id());
}

template <typename E>
Result<void> add_reservation(Context& ctx, const E& event) {
  return add_by_kind(ctx, event.kind(), event.reservation_id());
}

template <typename E>
Result<void> add_booking(Context& ctx, const E& event) {
  return add_by_kind(ctx, event.kind(), event.key());
}

template <typename... E>
void project_own(Service& service) {
  (service.project(add_own<E>), ...);
}

// Balances are the business of their owner, and scores of staff; the steps as such are everybody's who sees
// the payment.
bool is_private(std::string_view type) { return type.starts_with("account.") || type.starts_with("fraud."); }

std::string summary_of(const PaymentEvent& event) {
  const contract::Event* type = contract::model().event(event.type());
  if (type == nullptr) return {};  // of a newer version of the platform
  const std::unique_ptr<google::protobuf::Message> message = type->make();
  return message->ParseFromString(event.data()) ? contract::to_json(*message) : std::string();
}

}  // namespace

void keep_history(Service& service) {
  project_own<PaymentInitiated, PaymentHeld, PaymentProcessing, PaymentCompleted, PaymentFailed,
              PaymentCancelled, PaymentRefundProcessing, PaymentRefunded, PaymentRefundFailed,
              FraudRiskAssessed, FraudCaseOpened, FraudCaseDecided>(service);
  service.project(link_refund);
  service.project(add_reservation<AccountBalanceReserved>);
  service.project(add_reservation<AccountBalanceReservationFailed>);
  service.project(add_reservation<AccountBalanceReleased>);
  service.project(add_booking<AccountBalanceUpdated>);
  service.project(add_booking<TransactionCreated>);
  service.project(add_booking<TransactionSettled>);
}

Result<ListPaymentEventsResponse> list_payment_events(QueryContext& ctx,
                                                      const ListPaymentEventsRequest& request) {
  TRY(visible_payment(ctx, request.id()));
  // A list waits for the projection to catch up; reading by key would not.
  const List<PaymentHistory> found =
      TRY(ctx.table<PaymentHistory>().list({.filters = {{.field = "payment_id", .value = request.id()}}}));
  ListPaymentEventsResponse response;
  if (found.empty()) return response;
  const auto& events = found[0].events();
  uint32_t at = 0;
  if (!request.page_token().empty()) {
    std::string_view token = request.page_token();
    if (token.starts_with("offset:")) token.remove_prefix(7);
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), at);
    if (error != std::errc() || end != token.data() + token.size())
      return fail(Code::kInvalidArgument, "invalid_page_token", "The token is not of this list.",
                  "pageToken");
  }
  const uint32_t size = request.page_size() == 0 ? 50 : uint32_t(request.page_size());
  for (; at < uint32_t(events.size()) && uint32_t(response.events_size()) < size; ++at) {
    PaymentEvent& event = *response.add_events() = events[int(at)];
    if (ctx.principal().staff() || !is_private(event.type())) event.set_summary(summary_of(event));
    event.clear_data();
  }
  if (at < uint32_t(events.size())) response.set_next_page_token(std::to_string(at));
  return response;
}

}  // namespace micropay::payment
