// The story of a payment: every event that is about it, in the order of the log. The row keeps their
// positions; what they say is read from the log. A projection: it can be dropped and is rebuilt from the log.
#include <charconv>
#include <numeric>

#include "contracts/fraud.pb.h"
#include "contracts/transaction.pb.h"
#include "libs/contract/event_readers.h"
#include "libs/contract/json.h"
#include "services/payment/handlers.h"
#include "services/payment/rules.h"

namespace micropay::payment {
namespace {

uint64_t last_position(const PaymentHistory& history) {
  return std::accumulate(history.steps().begin(), history.steps().end(), uint64_t(0));
}

Result<void> add(Context& ctx, const std::string& payment_id) {
  auto histories = ctx.table<PaymentHistory>();
  PaymentHistory* history = histories.edit_present(payment_id);
  if (history == nullptr) {
    PaymentHistory first;
    first.set_payment_id(payment_id);
    history = &histories.insert(std::move(first));
  }
  history->add_steps(ctx.envelope().position() - last_position(*history));
  return {};
}

// Of a refund or reversal; others than those of payments have no link.
Result<void> add_linked(Context& ctx, const std::string& id) {
  RefundLink* link = ctx.table<RefundLink>().edit_present(id);
  if (link == nullptr) return {};
  link->add_positions(ctx.envelope().position());
  return add(ctx, link->payment_id());
}

Result<void> add_link(Context& ctx, const std::string& id, const std::string& payment_id) {
  RefundLink link;
  link.set_refund_id(id);
  link.set_payment_id(payment_id);
  ctx.table<RefundLink>().edit_or_insert(link, id);
  return add_linked(ctx, id);
}

// Events of the balance and the journal know the payment, refund or reversal as their key.
Result<void> add_by_kind(Context& ctx, const std::string& kind, const std::string& key) {
  if (kind == "payment") return add(ctx, key);
  return kind == "refund" || kind == "reversal" ? add_linked(ctx, key) : Result<void>();
}

Result<void> link_refund(Context& ctx, const PaymentRefundRequested& event) {
  return add_link(ctx, event.refund_id(), event.payment_id());
}

Result<void> link_reversal(Context& ctx, const TransactionReversalRequested& event) {
  if (event.kind() == "payment") return add_link(ctx, event.reversal_id(), event.cause_id());
  if (event.kind() != "refund") return {};
  const RefundLink* refund = ctx.table<RefundLink>().find(event.cause_id());
  return refund == nullptr ? Result<void>() : add_link(ctx, event.reversal_id(), refund->payment_id());
}

template <typename E>
Result<void> add_reversal(Context& ctx, const E& event) {
  return add_linked(ctx, event.reversal_id());
}

void take_out(PaymentHistory& history, const RefundLink& link) {
  google::protobuf::RepeatedField<uint64_t> kept;
  uint64_t position = 0, last = 0;
  for (const uint64_t step : history.steps()) {
    position += step;
    if (std::ranges::find(link.positions(), position) != link.positions().end()) continue;
    kept.Add(position - last);
    last = position;
  }
  history.mutable_steps()->Swap(&kept);
}

// A refund without funds can be tried for ever, and the row has to stay small: beyond so many that failed,
// further ones leave nothing.
Result<void> add_failed_refund(Context& ctx, const PaymentRefundFailed& event) {
  PaymentHistory* history = ctx.table<PaymentHistory>().edit_present(event.payment_id());
  if (history == nullptr || history->failed_refunds() < kMaxRefunds) {
    TRY(add(ctx, event.payment_id()));
    history = ctx.table<PaymentHistory>().edit_present(event.payment_id());
    history->set_failed_refunds(history->failed_refunds() + 1);
    return {};
  }
  auto links = ctx.table<RefundLink>();
  const RefundLink* link = links.find(event.refund_id());
  if (link == nullptr) return {};
  take_out(*history, *link);
  links.erase(event.refund_id());
  return {};
}

template <typename E>
Result<void> add_own(Context& ctx, const E& event) {
  return add(ctx, event.payment_id());
}

template <typename E>
Result<void> add_tagged(Context& ctx, const E& event) {
  tag(ctx, event);
  return add_own(ctx, event);
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

// What a door shows of an event is what the live stream lets the same caller hear of it: staff by its roles,
// a key within its scopes. Whose payment it is sees its steps, but for others' balances and scores.
bool may_see_inside(const Principal& caller, const EventRecord& record) {
  static const contract::EventAccess access(contract::model());
  if (caller.kind == Principal::Kind::kSystem) return true;
  if (record.type == nullptr) return false;
  const contract::EventReaders& readers = access.of(*record.type);
  if (caller.staff() && (readers.role_bits & caller.role_bits) != 0) return true;
  if (is_private(record.envelope.type())) return false;
  return caller.kind != Principal::Kind::kApiKey || readers.in_scope(caller.scopes);
}

// The refund that an event is of which a refused one has, too.
template <typename E>
const E* as(const EventRecord& record) {
  const bool same = record.message != nullptr && record.message->GetDescriptor() == E::descriptor();
  return same ? static_cast<const E*>(record.message.get()) : nullptr;
}
std::string refund_of(const EventRecord& record) {
  if (const auto* requested = as<PaymentRefundRequested>(record)) return requested->refund_id();
  if (const auto* failed = as<PaymentRefundFailed>(record)) return failed->refund_id();
  if (const auto* none = as<AccountBalanceReservationFailed>(record))
    return none->kind() == "refund" ? none->reservation_id() : "";
  return {};
}

// That a payment was looked at is between its payer and staff; a refund that was refused between its payee
// and staff.
bool may_see_step(QueryContext& ctx, const Payment& payment, const EventRecord& record) {
  const Principal& caller = ctx.principal();
  const std::string_view type = record.envelope.type();
  if (caller.staff()) return true;
  if (caller.user_id != payment.payer_user_id() && (type == "payment.held" || type.starts_with("fraud.")))
    return false;
  if (caller.user_id == payment.payee_user_id()) return true;
  const std::string refund_id = refund_of(record);
  const Refund* refund = refund_id.empty() ? nullptr : ctx.table<Refund>().find(refund_id);
  return refund == nullptr || concerns_payer(refund->status());
}

PaymentEvent shown(const std::string& payment_id, const EventRecord& record, bool with_summary) {
  const Envelope& envelope = record.envelope;
  PaymentEvent event;
  event.set_payment_id(payment_id);
  event.set_position(envelope.position());
  event.set_type(envelope.type());
  event.set_id(std::string(envelope.id()));
  event.set_time(envelope.time());
  event.set_correlation_id(std::string(envelope.correlation_id()));
  event.set_causation_id(std::string(envelope.causation_id()));
  event.set_actor(std::string(envelope.actor()));
  // Without a message it is of a newer version of the platform.
  if (with_summary && record.message != nullptr) event.set_summary(contract::to_json(*record.message));
  return event;
}

}  // namespace

void keep_history(Service& service) {
  service.project(add_tagged<PaymentInitiated>);
  service.project(add_tagged<PaymentCompleted>);
  project_own<PaymentHeld, PaymentProcessing, PaymentFailed, PaymentCancelled, PaymentRefundProcessing,
              PaymentRefunded, PaymentReversed, PaymentRefundReversed, FraudRiskAssessed, FraudCaseOpened,
              FraudCaseDecided>(service);
  service.project(link_refund);
  service.project(add_failed_refund);
  service.project(link_reversal);
  service.project(add_reversal<PaymentReversalDecided>);
  service.project(add_reversal<TransactionReversed>);
  service.project(add_reversal<TransactionReversalRefused>);
  service.project(add_reservation<AccountBalanceReserved>);
  service.project(add_reservation<AccountBalanceReservationFailed>);
  service.project(add_reservation<AccountBalanceReleased>);
  service.project(add_booking<AccountBalanceUpdated>);
  service.project(add_booking<TransactionCreated>);
  service.project(add_booking<TransactionSettled>);
  service.projection_version = 4;
}

Result<ListPaymentEventsResponse> list_payment_events(QueryContext& ctx,
                                                      const ListPaymentEventsRequest& request) {
  const Payment payment = TRY(visible_payment(ctx, request.id()));
  // A list waits for the projection to catch up; reading by key would not.
  const List<PaymentHistory> found =
      TRY(ctx.table<PaymentHistory>().list({.filters = {{.field = "payment_id", .value = request.id()}}}));
  ListPaymentEventsResponse response;
  if (found.empty()) return response;
  const auto& steps = found[0].steps();
  uint32_t at = 0;
  if (!request.page_token().empty()) {
    std::string_view token = request.page_token();
    if (token.starts_with("offset:")) token.remove_prefix(7);
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), at);
    if (error != std::errc() || end != token.data() + token.size())
      return fail(Code::kInvalidArgument, "invalid_page_token", "The token is not of this list.",
                  "pageToken");
  }
  const int size = request.page_size() == 0 ? 50 : request.page_size();
  EventWindow log = ctx.events(64);
  uint64_t position = 0;
  for (int place = 0; place < steps.size(); ++place) {
    position += steps[place];
    if (uint32_t(place) < at) continue;
    if (response.events_size() == size) {
      response.set_next_page_token(std::to_string(place));
      break;
    }
    const auto events = TRY(log.get(position, 1));
    if (events.empty()) return fail(Code::kInternal, "log_too_short", std::to_string(position));
    if (!may_see_step(ctx, payment, *events[0])) continue;
    const bool open = may_see_inside(ctx.principal(), *events[0]);
    *response.add_events() = shown(request.id(), *events[0], open);
  }
  return response;
}

}  // namespace micropay::payment
