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

uint32_t place_of(const PaymentHistory& history, std::string_view event_id) {
  for (int i = history.events_size(); i > 0; --i)
    if (history.events(i - 1).id() == event_id) return uint32_t(i);
  return 0;
}

Result<void> add(Context& ctx, const std::string& payment_id) {
  PaymentHistory initial;
  initial.set_payment_id(payment_id);
  PaymentHistory& history = ctx.table<PaymentHistory>().edit_or_insert(initial, payment_id);
  const Envelope& envelope = ctx.envelope();
  const uint32_t cause = place_of(history, envelope.causation_id());
  PaymentEvent& event = *history.add_events();
  const PaymentEvent& first = history.events(0);
  const bool is_first = history.events_size() == 1;
  event.set_position(envelope.position());
  event.set_type(envelope.type());
  event.set_id(envelope.id());
  event.set_time(envelope.time());
  if (is_first || envelope.correlation_id() != first.correlation_id())
    event.set_correlation_id(envelope.correlation_id());
  if (is_first || envelope.actor() != first.actor()) event.set_actor(envelope.actor());
  event.set_cause(cause);
  if (cause == 0) event.set_causation_id(envelope.causation_id());
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

// The event with what its row told once.
PaymentEvent whole(const PaymentHistory& history, const PaymentEvent& kept) {
  PaymentEvent event = kept;
  event.set_payment_id(history.payment_id());
  if (event.correlation_id().empty()) event.set_correlation_id(history.events(0).correlation_id());
  if (event.actor().empty()) event.set_actor(history.events(0).actor());
  if (event.cause() != 0) event.set_causation_id(history.events(int(event.cause()) - 1).id());
  event.clear_cause();
  return event;
}

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
    PaymentEvent& event = *response.add_events() = whole(found[0], events[int(at)]);
    if (ctx.principal().staff() || !is_private(event.type())) event.set_summary(summary_of(event));
    event.clear_data();
  }
  if (at < uint32_t(events.size())) response.set_next_page_token(std::to_string(at));
  return response;
}

}  // namespace micropay::payment
