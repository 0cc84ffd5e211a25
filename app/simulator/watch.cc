#include "app/simulator/watch.h"

#include "contracts/account.pb.h"
#include "contracts/payment.pb.h"
#include "contracts/runtime.pb.h"

namespace micropay::app {
namespace {

using google::protobuf::Message;

using Steps = std::set<std::pair<int, int>>;

// A tick may take several steps at once, so what can be reached is allowed.
Steps closed(Steps steps) {
  for (bool grown = true; grown;) {
    grown = false;
    for (const auto& [from, over] : Steps(steps))
      for (const auto& [start, to] : Steps(steps))
        if (start == over && from != to) grown |= steps.insert({from, to}).second;
  }
  return steps;
}

// The state machines of the contracts, as sets of allowed steps (from, to).
const Steps kPaymentSteps = closed({{Payment::PENDING, Payment::IN_REVIEW},
                                    {Payment::PENDING, Payment::PROCESSING},
                                    {Payment::PENDING, Payment::FAILED},
                                    {Payment::PENDING, Payment::CANCELLED},
                                    {Payment::IN_REVIEW, Payment::PROCESSING},
                                    {Payment::IN_REVIEW, Payment::FAILED},
                                    {Payment::IN_REVIEW, Payment::CANCELLED},
                                    {Payment::PROCESSING, Payment::COMPLETED},
                                    {Payment::COMPLETED, Payment::REFUNDED},
                                    {Payment::COMPLETED, Payment::PARTIALLY_REFUNDED},
                                    {Payment::PARTIALLY_REFUNDED, Payment::REFUNDED},
                                    // a refund was taken back
                                    {Payment::REFUNDED, Payment::PARTIALLY_REFUNDED},
                                    {Payment::PARTIALLY_REFUNDED, Payment::COMPLETED},
                                    {Payment::COMPLETED, Payment::REVERSED}});
const Steps kRefundSteps = closed({{Refund::PENDING, Refund::PROCESSING},
                                   {Refund::PENDING, Refund::FAILED},
                                   {Refund::PROCESSING, Refund::COMPLETED},
                                   {Refund::COMPLETED, Refund::REVERSED}});
const Steps kTopUpSteps = closed({{TopUp::PENDING, TopUp::ACTION_REQUIRED},
                                  {TopUp::PENDING, TopUp::CAPTURED},
                                  {TopUp::PENDING, TopUp::FAILED},
                                  {TopUp::ACTION_REQUIRED, TopUp::PENDING},
                                  {TopUp::ACTION_REQUIRED, TopUp::FAILED},
                                  {TopUp::CAPTURED, TopUp::COMPLETED},
                                  {TopUp::COMPLETED, TopUp::REVERSED},
                                  {TopUp::FAILED, TopUp::PENDING}});
const Steps kEntrySteps = closed({{Transaction::CREATED, Transaction::SETTLED},
                                  {Transaction::CREATED, Transaction::FAILED},
                                  {Transaction::SETTLED, Transaction::REVERSED}});
const Steps kTransferSteps = closed({{Transfer::REQUESTED, Transfer::POSTED},
                                     {Transfer::REQUESTED, Transfer::REJECTED},
                                     {Transfer::REQUESTED, Transfer::PENDING},
                                     {Transfer::PENDING, Transfer::POSTED},
                                     {Transfer::POSTED, Transfer::REVERSED},
                                     {Transfer::PENDING, Transfer::VOIDED},
                                     {Transfer::PENDING, Transfer::EXPIRED}});

const Steps* steps_of(const google::protobuf::Descriptor* type) {
  if (type == Payment::descriptor()) return &kPaymentSteps;
  if (type == Refund::descriptor()) return &kRefundSteps;
  if (type == TopUp::descriptor()) return &kTopUpSteps;
  if (type == Transaction::descriptor()) return &kEntrySteps;
  if (type == Transfer::descriptor()) return &kTransferSteps;
  return nullptr;
}

}  // namespace

uint64_t Watch::heard(const Site& site, const contract::Event* event) const {
  const auto of_site = heard_.find(&site);
  if (of_site == heard_.end()) return 0;
  const auto found = of_site->second.find(event);
  return found == of_site->second.end() ? 0 : found->second;
}

void Watch::take(Site& site, const Tick& tick) {
  touched_.clear();
  for (const Event& event : tick.events) take_event(site, *event);
  for (const RowChange& change : tick.changes) take_change(change);
  for (const std::string& id : touched_) {
    const auto balance = balances_.find(id);
    if (balance != balances_.end()) check_balance(balance->second);
  }
}

// Each event once in a site's log, after it was committed where it comes from, and in the order of its key.
void Watch::take_event(Site& site, const EventRecord& event) {
  ++events_;
  const Envelope& envelope = event.envelope;
  digest_ = fnv1a(envelope.data(), digest_);
  const std::string id(envelope.id()), key(envelope.key());
  if (!seen_[&site].insert(id).second)
    blame(fmt::format("{} {} stands twice in the log of {}", envelope.type(), id, site.name()));
  ++heard_[&site][event.type];
  if (site.runs(envelope.service())) {
    origins_[id] = {envelope.service(), key, envelope.position()};
    ++emitted_[event.type];
  }
  const auto origin = origins_.find(id);
  if (origin == origins_.end())
    return blame(fmt::format("{} {} was heard by {}, and its service never committed it", envelope.type(), id,
                             site.name()));
  uint64_t& last = last_[&site][envelope.service() + "/" + key];
  if (origin->second.position <= last)
    blame(fmt::format("{} {}: {} sees the events of key {} out of order", envelope.type(), id, site.name(),
                      key));
  last = origin->second.position;
  if (!site.runs("balance")) return;
  if (event.type->descriptor == TransactionSettled::descriptor()) {
    const auto& settled = static_cast<const TransactionSettled&>(*event.message);
    settled_[settled.transaction_id()] = settled;
  } else if (event.type->descriptor == AccountBalanceUpdated::descriptor()) {
    take_applied(static_cast<const AccountBalanceUpdated&>(*event.message).transaction_id());
  }
}

// A settled entry takes effect when the balance service says so, which may be later: it may hear of the
// entry before it hears of the account.
void Watch::take_applied(const std::string& transaction_id) {
  const auto settled = settled_.extract(transaction_id);
  if (settled.empty())
    return blame(fmt::format("entry {} took effect twice, or was never settled", transaction_id));
  std::set<std::string> once;
  for (const Posting& posting : settled.mapped().postings()) {
    Account& found = account(posting.account_id());
    found.posted += posting.amount().minor();
    found.entries += once.insert(posting.account_id()).second;
  }
}

void Watch::take_change(const RowChange& change) {
  const auto* type = change.table->descriptor;
  if (change.row != nullptr) digest_ = fnv1a(change.key, digest_);
  if (type == Reservation::descriptor())
    return take_reservation(change.key, static_cast<const Reservation*>(change.row.get()));
  if (type == Balance::descriptor() && change.row != nullptr) {
    const auto& balance = static_cast<const Balance&>(*change.row);
    balances_[balance.account_id()] = balance;
    touched_.insert(balance.account_id());
    return;
  }
  if (type == DeadLetter::descriptor() && change.row != nullptr) {
    const auto& letter = static_cast<const DeadLetter&>(*change.row);
    if (letter.kind() != DeadLetter::EFFECT)
      blame(fmt::format("{} {} of {} failed for good: {} {}", DeadLetter::Kind_Name(letter.kind()),
                        letter.type(), letter.service(), letter.reason(), letter.detail()));
    return;
  }
  if (steps_of(type) == nullptr && type != IdempotencyRecord::descriptor()) return;
  Row& before = rows_[{change.table, change.key}];
  check_step(change, before.get());
  before = change.row;
}

void Watch::check_step(const RowChange& change, const Message* before) {
  const auto* type = change.table->descriptor;
  const auto say = [&](std::string_view text) {
    const auto key = change.table->decode_key(change.key);
    blame(fmt::format("{} {} {}", type->name(), key ? fmt::format("{}", fmt::join(*key, " ")) : "", text));
  };
  if (change.row == nullptr) return say("was erased");
  if (type == Transaction::descriptor()) check_entry(static_cast<const Transaction&>(*change.row));
  if (before == nullptr) return;
  if (type == IdempotencyRecord::descriptor()) {
    if (static_cast<const IdempotencyRecord&>(*before).state() == IdempotencyRecord::ANSWERED)
      say("was answered, and changed");
    return;
  }
  const auto* field = type->FindFieldByName("status");
  const auto status = [&](const Message& row) { return row.GetReflection()->GetEnumValue(row, field); };
  const int from = status(*before), to = status(*change.row);
  if (from != to && !steps_of(type)->contains({from, to}))
    say(fmt::format("went from {} to {}", field->enum_type()->FindValueByNumber(from)->name(),
                    field->enum_type()->FindValueByNumber(to)->name()));
  if (type == Transaction::descriptor()) {
    const auto bytes = [](const Message& row) {
      std::string all;
      for (const Posting& posting : static_cast<const Transaction&>(row).postings())
        all += posting.SerializeAsString();
      return all;
    };
    if (bytes(*before) != bytes(*change.row)) say("has other postings than it was written with");
  }
}

void Watch::check_entry(const Transaction& entry) {
  std::map<std::string, __int128> sums;
  for (const Posting& posting : entry.postings())
    sums[posting.amount().currency()] += posting.amount().minor();
  for (const auto& [currency, sum] : sums)
    if (sum != 0)
      blame(fmt::format("entry {}: its postings in {} leave {}", entry.id(), currency, int64_t(sum)));
}

// A reservation begins once, ends once, and holds the same all the time but for what a partial post releases.
void Watch::take_reservation(const std::string& key, const Reservation* now) {
  const auto before = reservations_.find(key);
  const auto move = [&](const Reservation& held, int64_t sign) {
    account(held.account_id()).reserved += sign * held.amount().minor();
    account(held.counter_account_id()).pending_in += sign * held.amount().minor();
    if (held.taken()) account(held.counter_account_id()).accepted_in += sign * held.amount().minor();
  };
  if (before != reservations_.end()) move(before->second, -1);
  if (now == nullptr) {
    if (before == reservations_.end()) return blame("a reservation ended that did not exist");
    ended_.insert(key);
    reservations_.erase(before);
    return;
  }
  if (ended_.contains(key)) blame(fmt::format("reservation {} began again after its end", now->id()));
  move(*now, +1);
  reservations_[key] = *now;
}

void Watch::check_balance(const Balance& balance) {
  const Account& books = accounts_[balance.account_id()];
  const auto say = [&](std::string_view what, int64_t shown, int64_t expected) {
    blame(fmt::format("account {}: {} is {}, and should be {}", balance.account_id(), what, shown, expected));
  };
  if (books.posted != balance.posted_minor()) say("posted", balance.posted_minor(), int64_t(books.posted));
  if (books.entries != balance.version())
    say("the number of entries", int64_t(balance.version()), int64_t(books.entries));
  if (books.reserved != balance.reserved_minor()) say("reserved", balance.reserved_minor(), books.reserved);
  if (books.pending_in != balance.pending_in_minor())
    say("on its way", balance.pending_in_minor(), books.pending_in);
  if (balance.reserved_minor() < 0) say("reserved", balance.reserved_minor(), 0);
  const int64_t available = balance.posted_minor() - balance.reserved_minor();
  // A later transfer of a batch may spend what an earlier one brings; where the journal is another process,
  // the hold is there a hop before the money is.
  if (available + books.accepted_in < 0 && !balance.may_go_negative()) say("available", available, 0);
  if (balance.closed() && (balance.posted_minor() != 0 || balance.reserved_minor() != 0))
    say("the closed balance", balance.posted_minor(), 0);
}

}  // namespace micropay::app
