// A batch of ledger transfers: loads what its steps name, lets the book decide, records and tells.
#include "services/balance/handlers.h"
#include "services/balance/transfer_book.h"

namespace micropay::balance {
namespace {

void load_account(Context& ctx, TransferBook& book, const std::string& id, const std::string& system_account,
                  const std::string& currency) {
  if (id.empty() || book.accounts().contains(id)) return;
  if (const Balance* found = ctx.table<Balance>().find(id)) {
    book.add(*found);
  } else if (!system_account.empty()) {
    const Balance opened = new_system_account(system_account, currency);
    if (opened.account_id() == id) book.add(opened);
  }
}

void load_hold(Context& ctx, TransferBook& book, const std::string& id) {
  if (id.empty()) return;
  const Reservation* found = ctx.table<Reservation>().find(id);
  if (found == nullptr) return;
  book.add(*found);
  load_account(ctx, book, found->account_id(), {}, {});
  load_account(ctx, book, found->counter_account_id(), {}, {});
}

void load(Context& ctx, TransferBook& book, const TransferBook::Steps& steps) {
  for (const TransferStep& step : steps) {
    if (!step.rejected().empty()) continue;
    const std::string& currency = step.amount().currency();
    load_account(ctx, book, step.debit_account_id(), step.debit_system_account(), currency);
    load_account(ctx, book, step.credit_account_id(), step.credit_system_account(), currency);
    load_hold(ctx, book, step.pending_id());
    load_hold(ctx, book, step.transfer_id());
  }
}

void record(Context& ctx, const TransferBook& book, const TransferBook::Steps& steps) {
  auto balances = ctx.table<Balance>();
  for (const auto& [id, account] : book.accounts())
    if (account.changed) balances.edit_or_insert(account.balance, id) = account.balance;
  // In the order of the steps, so that a replay sets timers in the same order.
  for (const TransferStep& step : steps) {
    const bool ends =
        step.action() == TransferStep::POST_PENDING || step.action() == TransferStep::VOID_PENDING;
    const auto found = book.holds().find(ends ? step.pending_id() : step.transfer_id());
    if (!step.rejected().empty() || found == book.holds().end() || !found->second.changed) continue;
    const TransferBook::Hold& hold = found->second;
    auto reservations = ctx.table<Reservation>();
    if (ends && hold.row.expires_at() != 0) ctx.cancel_timer<ReservationExpiry>(hold.row.id());
    if (hold.state == TransferBook::Hold::State::kReleased) {
      reservations.erase(hold.row.id());
      continue;
    }
    reservations.edit_or_insert(hold.row, hold.row.id()) = hold.row;
    if (hold.state == TransferBook::Hold::State::kTaken || hold.row.expires_at() == 0) continue;
    ReservationExpiry timer;
    timer.set_reservation_id(hold.row.id());
    ctx.set_timer(hold.row.id(), hold.row.expires_at(), timer);
  }
}

void tell(Context& ctx, const TransferBook& book, const TransferBook::Steps& steps,
          const std::vector<TransferBook::Effect>& effects) {
  for (int i = 0; i < steps.size(); ++i) {
    const TransferStep& step = steps[i];
    if (!step.rejected().empty()) continue;
    const Balance& from = book.accounts().at(step.debit_account_id()).balance;
    if (step.action() == TransferStep::RESERVE) {
      // A later step of the batch may have posted a part already: it says what was held at first.
      Reservation reservation = book.holds().at(step.transfer_id()).row;
      *reservation.mutable_amount() = step.amount();
      ctx.emit(reserved_event(reservation, from));
    }
    const int64_t released = effects[size_t(i)].released_minor;
    if (released == 0) continue;
    const bool voided = step.action() == TransferStep::VOID_PENDING;
    ctx.emit(
        released_event(book.holds().at(step.pending_id()).row, from, released, voided ? "voided" : "rest"));
  }
}

}  // namespace

Result<void> decide_requested_transfers(Context& ctx, const TransactionTransfersRequested& event) {
  AccountBalanceTransfersDecided decided;
  decided.set_batch_id(event.batch_id());
  *decided.mutable_steps() = event.steps();
  TransferBook book(ctx.now());
  load(ctx, book, decided.steps());
  const std::vector<TransferBook::Effect> effects = book.decide(*decided.mutable_steps());
  record(ctx, book, decided.steps());
  tell(ctx, book, decided.steps(), effects);
  ctx.emit(decided);
  return {};
}

}  // namespace micropay::balance
