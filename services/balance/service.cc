// The list of handlers, and those on the way of every payment: hold, release, apply what is settled.
// Batches of transfers are in transfers.cc, questions in queries.cc.
#include "services/balance/service.h"

#include "contracts/account.pb.h"
#include "contracts/payment.pb.h"
#include "services/balance/handlers.h"
#include "services/balance/rules.h"

namespace micropay {
namespace balance {
namespace {

Result<void> open_balance(Context& ctx, const AccountCreated& event) {
  auto balances = ctx.table<Balance>();
  if (balances.find(event.account_id()) != nullptr) return {};
  Balance balance;
  balance.set_account_id(event.account_id());
  balance.set_user_id(event.user_id());
  balance.set_currency(event.currency());
  balance.set_updated_at(ctx.now());
  balances.insert(balance);
  return {};
}

// ---- holding ----

struct HoldRequest {
  const std::string& id;
  const std::string& from;
  const std::string& to;
  const Money& amount;
  const char* kind;
};

void emit_hold_failed(Context& ctx, const HoldRequest& request, const Balance* from, Refusal reason) {
  AccountBalanceReservationFailed failed;
  failed.set_reservation_id(request.id);
  failed.set_account_id(request.from);
  if (from != nullptr) failed.set_user_id(from->user_id());
  *failed.mutable_amount() = request.amount;
  failed.set_reason(std::string(reason));
  failed.set_kind(request.kind);
  ctx.emit(failed);
}

Result<void> hold_funds(Context& ctx, const HoldRequest& request) {
  auto reservations = ctx.table<Reservation>();
  if (reservations.find(request.id) != nullptr) return {};
  auto balances = ctx.table<Balance>();
  const Balance* found = balances.find(request.from);
  const Balance* receiver = balances.find(request.to);
  const Refusal refusal =
      receiver != nullptr ? refuse(found, receiver, request.amount) : refuse_nobody(found, request.amount);
  if (!refusal.empty()) {
    emit_hold_failed(ctx, request, found, refusal);
    return {};
  }
  Balance &from = balances.edit(request.from), &to = balances.edit(request.to);
  hold(from, to, request.amount.minor());
  CHECK(from.may_go_negative() || available_minor(from) >= 0);

  Reservation reservation;
  reservation.set_id(request.id);
  reservation.set_account_id(request.from);
  reservation.set_counter_account_id(request.to);
  *reservation.mutable_amount() = request.amount;
  reservation.set_created_at(ctx.now());
  reservation.set_kind(request.kind);
  AccountBalanceReserved reserved = reserved_event(reservations.insert(std::move(reservation)), from);
  reserved.set_counter_user_id(to.user_id());
  ctx.emit(std::move(reserved));
  return {};
}

Result<void> hold_for_payment(Context& ctx, const PaymentInitiated& event) {
  if (event.refused()) return {};  // it has failed already
  return hold_funds(ctx, {event.payment_id(), event.payer_account_id(), event.payee_account_id(),
                          event.amount(), "payment"});
}

Result<void> hold_for_refund(Context& ctx, const PaymentRefundRequested& event) {
  return hold_funds(
      ctx, {event.refund_id(), event.from_account_id(), event.to_account_id(), event.amount(), "refund"});
}

Result<void> release_when_failed(Context& ctx, const PaymentFailed& event) {
  return release_hold(ctx, event.payment_id(), "payment", "failed");
}
Result<void> release_when_cancelled(Context& ctx, const PaymentCancelled& event) {
  return release_hold(ctx, event.payment_id(), "payment", "cancelled");
}
Result<void> release_when_refund_failed(Context& ctx, const PaymentRefundFailed& event) {
  return release_hold(ctx, event.refund_id(), "refund", "failed");
}
Result<void> release_when_expired(Context& ctx, const ReservationExpiry& timer) {
  return release_hold(ctx, timer.reservation_id(), "transfer", "expired");
}

// ---- applying what is settled ----

// The balance that a posting changes; a system account that is new is opened.
Result<Balance*> balance_of(Context& ctx, const Posting& posting) {
  auto balances = ctx.table<Balance>();
  const Balance* found = balances.find(posting.account_id());
  if (found == nullptr && !posting.system_account().empty()) {
    const Balance opened = new_system_account(posting.system_account(), posting.amount().currency());
    if (opened.account_id() != posting.account_id()) return fail(Code::kInternal, "system_account_mismatch");
    return &balances.insert(opened);
  }
  // A wallet whose account.created is still on its way: the entry is tried again.
  if (found == nullptr) return fail(Code::kUnavailable, "account_not_found", posting.account_id());
  if (found->currency() != posting.amount().currency()) return fail(Code::kInternal, "currency_mismatch");
  return &balances.edit(posting.account_id());
}

// One settled entry being applied. What its reservation holds covers debits of the reservation's account.
struct Settlement {
  Reservation* reservation = nullptr;  // null: none is used
  int64_t held_minor = 0;              // what is left of it
  std::vector<Balance*> changed;       // each once, debits first
};

Result<void> apply_posting(Context& ctx, const Posting& posting, Settlement& settlement) {
  Balance& balance = *TRY(balance_of(ctx, posting));
  const int64_t delta = posting.amount().minor();
  int64_t covered = 0;
  if (delta < 0 && settlement.held_minor > 0 &&
      settlement.reservation->account_id() == posting.account_id()) {
    covered = std::min(-delta, settlement.held_minor);
    settlement.held_minor -= covered;
    release(balance, ctx.table<Balance>().edit(settlement.reservation->counter_account_id()), covered);
  }
  if (!can_post(balance, delta, covered))
    return fail(Code::kInternal, "posting_not_covered", posting.account_id());
  post(balance, delta);
  if (std::find(settlement.changed.begin(), settlement.changed.end(), &balance) == settlement.changed.end())
    settlement.changed.push_back(&balance);
  return {};
}

// The reservation ends; what the entry left of it is released, or stays when more postings will come.
void finish_reservation(Context& ctx, const Settlement& settlement, bool release_rest) {
  const std::string id = settlement.reservation->id();
  if (settlement.held_minor > 0 && !release_rest) {
    settlement.reservation->mutable_amount()->set_minor(settlement.held_minor);
    return;
  }
  if (settlement.held_minor > 0) {
    auto balances = ctx.table<Balance>();
    Balance& from = balances.edit(settlement.reservation->account_id());
    release(from, balances.edit(settlement.reservation->counter_account_id()), settlement.held_minor);
    ctx.emit(released_event(*settlement.reservation, from, settlement.held_minor, "rest"));
  }
  ctx.table<Reservation>().erase(id);
}

AccountBalanceUpdated updated_event(const TransactionSettled& entry, const std::vector<Balance*>& changed,
                                    Time now) {
  AccountBalanceUpdated updated;
  updated.set_transaction_id(entry.transaction_id());
  updated.set_key(entry.key());
  updated.set_kind(entry.kind());
  for (Balance* balance : changed) {
    BalanceChange& change = *updated.add_changes();
    change.set_first_of_day(count_entry(*balance, now));
    change.set_account_id(balance->account_id());
    change.set_user_id(balance->user_id());
    change.mutable_posted()->set_currency(balance->currency());
    change.mutable_posted()->set_minor(balance->posted_minor());
    change.mutable_reserved()->set_currency(balance->currency());
    change.mutable_reserved()->set_minor(balance->reserved_minor());
    change.set_version(balance->version());
  }
  return updated;
}

Result<void> apply_settled_entry(Context& ctx, const TransactionSettled& entry) {
  if (!balanced(entry.postings())) return fail(Code::kInternal, "unbalanced_entry", entry.transaction_id());
  Settlement settlement;
  if (!entry.reservation_id().empty()) {
    // It ends exactly once: an entry that comes after its reservation ended must not move money.
    if (ctx.table<Reservation>().find(entry.reservation_id()) == nullptr)
      return fail(Code::kInternal, "reservation_ended", entry.reservation_id());
    settlement.reservation = &ctx.table<Reservation>().edit(entry.reservation_id());
    settlement.held_minor = settlement.reservation->amount().minor();
    CHECK(settlement.held_minor > 0);
  }
  const int64_t held_before = settlement.held_minor;
  // Debits first: what they were held for is no longer on its way when the credit arrives.
  for (const bool credits : {false, true})
    for (const Posting& posting : entry.postings())
      if ((posting.amount().minor() > 0) == credits) TRY(apply_posting(ctx, posting, settlement));
  if (settlement.reservation != nullptr) {
    if (settlement.held_minor == held_before) return fail(Code::kInternal, "reservation_not_used");
    finish_reservation(ctx, settlement, entry.release_rest());
  }
  ctx.emit(updated_event(entry, settlement.changed, ctx.now()));
  return {};
}

// ---- closing, snapshots ----

Result<void> close_when_empty(Context& ctx, const AccountCloseRequested& event) {
  auto balances = ctx.table<Balance>();
  const Refusal refusal = refuse_close(balances.find(event.account_id()));
  if (!refusal.empty()) {
    AccountBalanceCloseRefused refused;
    refused.set_account_id(event.account_id());
    refused.set_reason(std::string(refusal));
    ctx.emit(refused);
    return {};
  }
  Balance& balance = balances.edit(event.account_id());
  CHECK(balance.posted_minor() == 0 && balance.reserved_minor() == 0 && balance.pending_in_minor() == 0);
  balance.set_closed(true);
  AccountBalanceClosed closed;
  closed.set_account_id(event.account_id());
  closed.set_user_id(balance.user_id());
  ctx.emit(closed);
  return {};
}

// The last of several entries of one instant stays.
void keep_history(Context& ctx, const BalanceChange& change) {
  BalanceHistory row;
  row.set_account_id(change.account_id());
  row.set_at(ctx.envelope().time());
  row.set_posted_minor(change.posted().minor());
  row.set_version(change.version());
  ctx.table<BalanceHistory>().put(std::move(row));
}

Result<void> keep_past(Context& ctx, const AccountBalanceUpdated& event) {
  for (const BalanceChange& change : event.changes()) {
    keep_history(ctx, change);
    if (!change.first_of_day() && change.version() % kSnapshotEvery != 0) continue;
    BalanceSnapshot snapshot;
    snapshot.set_account_id(change.account_id());
    snapshot.set_version(change.version());
    snapshot.set_at(ctx.envelope().time());
    *snapshot.mutable_posted() = change.posted();
    *snapshot.mutable_reserved() = change.reserved();
    ctx.table<BalanceSnapshot>().insert(snapshot);
  }
  return {};
}

}  // namespace

AccountBalanceReserved reserved_event(const Reservation& reservation, const Balance& from) {
  AccountBalanceReserved event;
  event.set_reservation_id(reservation.id());
  event.set_account_id(reservation.account_id());
  event.set_counter_account_id(reservation.counter_account_id());
  event.set_user_id(from.user_id());
  *event.mutable_amount() = reservation.amount();
  event.mutable_available_after()->set_currency(from.currency());
  event.mutable_available_after()->set_minor(available_minor(from));
  event.mutable_reserved_after()->set_currency(from.currency());
  event.mutable_reserved_after()->set_minor(from.reserved_minor());
  event.set_kind(reservation.kind());
  event.set_expires_at(reservation.expires_at());
  return event;
}

AccountBalanceReleased released_event(const Reservation& reservation, const Balance& from, int64_t minor,
                                      const char* reason) {
  AccountBalanceReleased event;
  event.set_reservation_id(reservation.id());
  event.set_account_id(reservation.account_id());
  event.set_user_id(from.user_id());
  event.mutable_amount()->set_currency(reservation.amount().currency());
  event.mutable_amount()->set_minor(minor);
  event.set_reason(reason);
  event.set_kind(reservation.kind());
  return event;
}

Result<void> release_hold(Context& ctx, const std::string& id, std::string_view kind, const char* reason) {
  auto reservations = ctx.table<Reservation>();
  const Reservation* found = reservations.find(id);
  if (found == nullptr || found->kind() != kind || found->taken()) return {};
  auto balances = ctx.table<Balance>();
  Balance& from = balances.edit(found->account_id());
  release(from, balances.edit(found->counter_account_id()), found->amount().minor());
  ctx.emit(released_event(*found, from, found->amount().minor(), reason));
  reservations.erase(id);
  return {};
}

}  // namespace balance

Service balance_service(const Parts&) {
  using namespace balance;
  Service service{"balance"};
  service.on(open_balance);                // account.created
  service.on(hold_for_payment);            // payment.initiated
  service.on(hold_for_refund);             // payment.refund_requested
  service.on(release_when_failed);         // payment.failed
  service.on(release_when_cancelled);      // payment.cancelled
  service.on(release_when_refund_failed);  // payment.refund_failed
  service.on(apply_settled_entry);         // transaction.settled
  service.on(decide_requested_transfers);  // transaction.transfers_requested
  service.on(close_when_empty);            // account.close_requested
  service.on_timer(release_when_expired);
  service.project(keep_past);  // account.balance.updated
  service.projection_version = 2;
  service.query(get_balance);
  service.query(list_reservations);
  service.query(get_trial_balance);
  return service;
}

}  // namespace micropay
