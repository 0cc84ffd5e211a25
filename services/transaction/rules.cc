// Entries and reversals; see rules.h. Every function that makes postings CHECKs their sum.
#include "services/transaction/rules.h"

#include "libs/base/check.h"
#include "libs/base/ids.h"
#include "libs/base/money.h"

namespace micropay::transaction {
namespace {

void add_posting(Transaction& entry, const Side& side, const std::string& currency, int64_t minor) {
  CHECK(minor != 0 && !side.account_id.empty());
  Posting& posting = *entry.add_postings();
  posting.set_account_id(side.account_id);
  posting.set_system_account(side.system_account);
  posting.mutable_amount()->set_currency(currency);
  posting.mutable_amount()->set_minor(minor);
}

}  // namespace

Side system_side(std::string_view name, std::string_view currency) {
  CHECK(!name.empty() && !currency.empty());
  return {derived_uuid(fmt::format("system:{}:{}", name, currency)), std::string(name)};
}

bool sound(const Movement& movement) {
  const int64_t minor = movement.amount.minor();
  return minor > 0 && minor <= kMaxMinor && !movement.amount.currency().empty() &&
         !movement.from.account_id.empty() && !movement.to.account_id.empty() &&
         movement.from.account_id != movement.to.account_id;
}

Transaction new_entry(const Movement& movement, Time now) {
  CHECK(sound(movement));
  Transaction entry;
  entry.set_id(movement.entry_id);
  entry.set_kind(movement.kind);
  entry.set_status(Transaction::SETTLED);
  entry.set_payment_id(movement.cause_id);
  entry.set_description(movement.description);
  entry.set_created_at(now);
  entry.set_settled_at(now);
  add_posting(entry, movement.from, movement.amount.currency(), -movement.amount.minor());
  add_posting(entry, movement.to, movement.amount.currency(), movement.amount.minor());
  CHECK(balanced(entry.postings()));
  return entry;
}

Transaction new_reversal(const Transaction& entry, std::string id, std::string_view reason, Time now) {
  CHECK(check_reversible(entry) && balanced(entry.postings()));
  Transaction reversal;
  reversal.set_id(std::move(id));
  reversal.set_kind("reversal");
  reversal.set_status(Transaction::CREATED);
  reversal.set_payment_id(entry.payment_id());
  reversal.set_reverses_id(entry.id());
  reversal.set_description(std::string(reason));
  reversal.set_created_at(now);
  for (const Posting& posting : entry.postings())
    add_posting(reversal, {posting.account_id(), posting.system_account()}, posting.amount().currency(),
                -posting.amount().minor());
  CHECK(balanced(reversal.postings()));
  return reversal;
}

Result<void> check_reversible(const Transaction& entry) {
  if (entry.status() == Transaction::REVERSED)
    return fail(Code::kFailedPrecondition, "already_reversed", "The entry was taken back already.");
  if (!entry.reversed_by_id().empty())
    return fail(Code::kFailedPrecondition, "already_reversed", "The entry is being taken back already.");
  if (entry.kind() == "reversal")
    return fail(Code::kFailedPrecondition, "not_reversible", "A reversal stands: pay or transfer again.");
  const bool known = has_owner(entry) || entry.kind() == "transfer";
  if (!known || entry.status() != Transaction::SETTLED || entry.postings_size() != 2)
    return fail(Code::kFailedPrecondition, "not_reversible",
                "Only settled entries of payments, refunds, top-ups and transfers are taken back.");
  return {};
}

bool has_owner(const Transaction& entry) {
  return entry.kind() == "payment" || entry.kind() == "refund" || entry.kind() == "top_up";
}

std::string_view refusal_detail(std::string_view reason) {
  if (reason == "insufficient_funds") return "The wallet that the money would come from has not enough.";
  if (reason == "account_closed") return "A wallet of the entry is closed.";
  if (reason == "balance_limit_exceeded") return "An account of the entry would hold more than one can.";
  return "The balances do not allow it.";
}

TransferStep reversal_step(const Transaction& reversal) {
  CHECK(reversal.kind() == "reversal" && reversal.postings_size() == 2);
  const bool first_pays = reversal.postings(0).amount().minor() < 0;
  const Posting& debit = reversal.postings(first_pays ? 0 : 1);
  const Posting& credit = reversal.postings(first_pays ? 1 : 0);
  CHECK(debit.amount().minor() < 0 && debit.amount().minor() + credit.amount().minor() == 0);
  TransferStep step;
  step.set_transfer_id(reversal.id());
  step.set_action(TransferStep::POST_NOW);
  step.set_debit_account_id(debit.account_id());
  step.set_debit_system_account(debit.system_account());
  step.set_credit_account_id(credit.account_id());
  step.set_credit_system_account(credit.system_account());
  *step.mutable_amount() = credit.amount();
  return step;
}

bool balanced(const google::protobuf::RepeatedPtrField<Posting>& postings) {
  if (postings.size() < 2) return false;
  for (const Posting& one : postings) {  // entries have a handful of postings: no map
    if (one.amount().minor() == 0) return false;
    __int128 sum = 0;
    for (const Posting& other : postings)
      if (other.amount().currency() == one.amount().currency()) sum += other.amount().minor();
    if (sum != 0) return false;
  }
  return true;
}

TransactionCreated created_event(const Transaction& entry, const std::string& key) {
  TransactionCreated event;
  event.set_transaction_id(entry.id());
  event.set_key(key);
  event.set_kind(entry.kind());
  *event.mutable_postings() = entry.postings();
  event.set_description(entry.description());
  event.set_reverses_id(entry.reverses_id());
  return event;
}

TransactionSettled settled_event(const Transaction& entry, const std::string& key,
                                 const std::string& reservation_id) {
  CHECK(entry.status() == Transaction::SETTLED && balanced(entry.postings()));
  TransactionSettled event;
  event.set_transaction_id(entry.id());
  event.set_key(key);
  event.set_kind(entry.kind());
  *event.mutable_postings() = entry.postings();
  event.set_reservation_id(reservation_id);
  event.set_release_rest(true);
  return event;
}

Result<bool> parse_order(std::string_view order_by) {
  const size_t blank = order_by.find(' ');
  const std::string_view field = order_by.substr(0, blank);
  const std::string_view direction = blank == std::string_view::npos ? "asc" : order_by.substr(blank + 1);
  if (order_by.empty()) return false;
  if ((field != "settledAt" && field != "createdAt") || (direction != "asc" && direction != "desc"))
    return fail(Code::kInvalidArgument, "invalid_order", "settledAt asc or settledAt desc", "orderBy");
  return direction == "asc";
}

}  // namespace micropay::transaction
