#include "app/simulator/faults.h"

#include <algorithm>

#include "contracts/balance.pb.h"
#include "contracts/payment.pb.h"
#include "contracts/runtime.pb.h"
#include "contracts/transaction.pb.h"

namespace micropay::app {
namespace {

using Handle = std::function<Result<void>(Context&, const EventRecord&)>;

// Replaces what a service does with an event.
template <typename E, typename F>
void wrap_reaction(std::vector<Service>& services, std::string_view name, F wrapped) {
  for (Service& service : services)
    for (auto& reaction : service.reactions)
      if (service.name == name && reaction.event == contract::model().event_of<E>())
        reaction.handle = [inner = std::move(reaction.handle), wrapped](
                              Context& ctx, const EventRecord& event) { return wrapped(inner, ctx, event); };
}

Result<void> book_a_cent_less(const Handle& inner, Context& ctx, const EventRecord& event) {
  auto message = std::make_shared<PaymentProcessing>(static_cast<const PaymentProcessing&>(*event.message));
  const int64_t minor = message->amount().minor();
  if (minor % 2 == 1 && minor > 1'000) message->mutable_amount()->set_minor(minor - 1);
  EventRecord changed = event;
  changed.message = std::move(message);
  return inner(ctx, changed);
}

Result<void> reserve_what_is_held(const Handle& inner, Context& ctx, const EventRecord& event) {
  const auto& initiated = static_cast<const PaymentInitiated&>(*event.message);
  const Balance* balance = ctx.table<Balance>().find(initiated.payer_account_id());
  if (balance == nullptr) return inner(ctx, event);
  const int64_t reserved = balance->reserved_minor();
  ctx.table<Balance>().edit(initiated.payer_account_id()).set_reserved_minor(0);
  const auto result = inner(ctx, event);
  Balance& after = ctx.table<Balance>().edit(initiated.payer_account_id());
  after.set_reserved_minor(after.reserved_minor() + reserved);
  return result;
}

// Agrees to the reversal, and keeps no note of it.
Result<void> agree_and_forget(const Handle& inner, Context& ctx, const EventRecord& event) {
  const auto result = inner(ctx, event);
  const auto& asked = static_cast<const TransactionReversalRequested&>(*event.message);
  if (Payment* payment = ctx.table<Payment>().edit_present(asked.cause_id())) payment->clear_reversal_id();
  return result;
}

Result<void> do_not_hear_of_payments(const Handle& inner, Context& ctx, const EventRecord& event) {
  const bool of_payment = static_cast<const TransactionReversed&>(*event.message).kind() == "payment";
  return of_payment ? Result<void>() : inner(ctx, event);
}

}  // namespace

const std::vector<FaultInfo>& all_faults() {
  static const std::vector<FaultInfo> kFaults = {
      {Fault::kActsOnDuplicate, "acts-on-duplicate", true},
      {Fault::kReleasesTwice, "releases-twice", false},
      {Fault::kLosesOutboxRow, "loses-outbox-row", true},
      {Fault::kRoundsACent, "rounds-a-cent", false},
      {Fault::kKeepsStaleCache, "keeps-stale-cache", true},
      {Fault::kDropsTimer, "drops-timer", false},
      {Fault::kRemembersTooLate, "remembers-too-late", false},
      {Fault::kSkipsAuditEntry, "skips-audit-entry", false},
      {Fault::kPublishesBeforeCommit, "publishes-before-commit", true},
      {Fault::kIgnoresReserved, "ignores-reserved", false},
      {Fault::kPaysBackTwice, "pays-back-twice", false},
      {Fault::kSkipsFirstEvent, "skips-first-event", false},
  };
  return kFaults;
}

std::optional<Fault> fault_named(std::string_view name) {
  for (const FaultInfo& info : all_faults())
    if (name == info.name) return info.fault;
  return std::nullopt;
}

void plant(Fault fault, std::vector<Service>& services) {
  if (fault == Fault::kRoundsACent)
    wrap_reaction<PaymentProcessing>(services, "transaction", book_a_cent_less);
  if (fault == Fault::kIgnoresReserved)
    wrap_reaction<PaymentInitiated>(services, "balance", reserve_what_is_held);
  if (fault == Fault::kPaysBackTwice) {
    wrap_reaction<TransactionReversalRequested>(services, "payment", agree_and_forget);
    wrap_reaction<TransactionReversed>(services, "payment", do_not_hear_of_payments);
  }
  for (Service& service : services) {
    if (fault == Fault::kDropsTimer)
      for (auto& timer : service.timers)
        if (timer.type == ReservationExpiry::descriptor() || timer.type == PaymentExpiry::descriptor())
          timer.handle = [](Context&, const Service::Message&) { return Result<void>(); };
    if (fault == Fault::kSkipsAuditEntry && service.name == "audit")
      for (auto& projection : service.projections)
        projection.handle = [inner = std::move(projection.handle)](Context& ctx, const EventRecord& event) {
          return event.envelope.position() % 97 == 50 ? Result<void>() : inner(ctx, event);
        };
  }
}

void Tampering::operator()(Tick& tick) {
  if (fault_ == Fault::kActsOnDuplicate)
    std::erase_if(tick.changes, [](const RowChange& change) {
      return change.row != nullptr && change.table->descriptor == ConsumerRecord::descriptor() &&
             static_cast<const ConsumerRecord&>(*change.row).service().starts_with("source:");
    });
  if (fault_ == Fault::kSkipsFirstEvent)
    std::erase_if(tick.changes, [](const RowChange& change) {
      if (change.row == nullptr || change.table->descriptor != ConsumerRecord::descriptor()) return false;
      const auto& record = static_cast<const ConsumerRecord&>(*change.row);
      return record.follows() != 0 && record.followed() == 0;
    });
  if (fault_ == Fault::kReleasesTwice) release_again(tick);
  if (fault_ == Fault::kRemembersTooLate) {
    std::vector<RowChange> now = std::exchange(kept_back_, {});
    for (RowChange& change : tick.changes)
      (change.table->descriptor == IdempotencyRecord::descriptor() ? kept_back_ : now)
          .push_back(std::move(change));
    tick.changes = std::move(now);
  }
}

void Tampering::release_again(Tick& tick) const {
  for (const auto& event : tick.events) {
    if (event->type->descriptor != AccountBalanceReleased::descriptor()) continue;
    const auto& released = static_cast<const AccountBalanceReleased&>(*event->message);
    for (RowChange& change : tick.changes) {
      if (change.table->descriptor != Balance::descriptor() || change.row == nullptr) continue;
      auto balance = std::make_shared<Balance>(static_cast<const Balance&>(*change.row));
      if (balance->account_id() != released.account_id()) continue;
      balance->set_reserved_minor(balance->reserved_minor() - released.amount().minor());
      change.row = std::move(balance);
    }
  }
}

}  // namespace micropay::app
