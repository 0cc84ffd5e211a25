// One function per invariant, in the order in which they build on each other: the journal is folded as it
// comes, balances are compared with the fold, reservations with what balances hold, payments with both.
#include "app/invariants.h"

#include <algorithm>

#include "app/invariants_facts.h"
#include "contracts/account.pb.h"
#include "contracts/audit.pb.h"
#include "libs/base/money.h"
#include "services/audit/rules.h"

namespace micropay {
namespace {

bool payment_completed(int status) {
  return status == Payment::COMPLETED || status == Payment::PARTIALLY_REFUNDED ||
         status == Payment::REFUNDED || status == Payment::REVERSED;
}

// The first problem of a list's items.
template <typename T, typename F>
InvariantResult each(const char* name, const std::vector<T>& items, F check) {
  InvariantResult result{.name = name, .checked = items.size()};
  for (const T& item : items) {
    result.problem = check(item);
    if (!result.problem.empty()) break;
  }
  return result;
}

template <typename T>
const T* find(const std::vector<T>& sorted, const Uuid& id) {
  const auto at = std::ranges::lower_bound(sorted, id, {}, &T::id);
  return at != sorted.end() && at->id == id ? &*at : nullptr;
}

template <typename T>
void sort(std::vector<T>& facts) {
  if (!std::ranges::is_sorted(facts, {}, &T::id)) std::ranges::sort(facts, {}, &T::id);
}

}  // namespace

// ---- taking rows ----

void InvariantFold::Facts::add(const Transaction& entry) {
  EntryFact fact{.id = parse_uuid(entry.id()).value_or(Uuid{})};
  fact.kind = kind_of(entry.kind());
  fact.reversed = entry.status() == Transaction::REVERSED;
  fact.booked = entry.status() == Transaction::SETTLED || fact.reversed;
  if (fact.booked) {
    std::string problem = fold(entry, fact);
    if (journal_problem.empty()) journal_problem = std::move(problem);
  }
  entries.push_back(fact);
  if (entry.kind() == "reversal" || !entry.reverses_id().empty() || !entry.reversed_by_id().empty() ||
      entry.status() == Transaction::REVERSED || entry.status() == Transaction::CREATED)
    links.push_back({.id = fact.id,
                     .reversal = entry.kind() == "reversal",
                     .created = entry.status() == Transaction::CREATED,
                     .settled = entry.status() == Transaction::SETTLED,
                     .reversed = entry.status() == Transaction::REVERSED,
                     .reverses = entry.reverses_id(),
                     .reversed_by = entry.reversed_by_id(),
                     .kind = entry.kind(),
                     .cause = entry.payment_id()});
}

uint8_t InvariantFold::Facts::kind_of(const std::string& kind) {
  const auto at = std::ranges::find(kinds, kind);
  if (at == kinds.end()) return kinds.push_back(kind), uint8_t(kinds.size() - 1);
  return uint8_t(at - kinds.begin());
}

// Adds an entry's postings to its accounts.
std::string InvariantFold::Facts::fold(const Transaction& entry, EntryFact& fact) {
  struct Sum {
    const std::string* currency;
    __int128 minor;
  };
  std::vector<Sum> sums;
  for (int i = 0; i < entry.postings_size(); ++i) {
    const Posting& posting = entry.postings(i);
    const std::string& currency = posting.amount().currency();
    AccountFact& account = accounts[posting.account_id()];
    if (account.currency.empty()) account.currency = currency;
    if (account.currency != currency)
      return fmt::format("entry {}: account {} has two currencies", entry.id(), posting.account_id());
    auto sum = std::ranges::find_if(sums, [&](const Sum& of) { return *of.currency == currency; });
    if (sum == sums.end()) sum = sums.insert(sums.end(), {&currency, 0});
    sum->minor += posting.amount().minor();
    account.posted += posting.amount().minor();
    fact.moved = add_minor(fact.moved, std::max<int64_t>(0, posting.amount().minor())).value_or(INT64_MAX);
    const auto first =
        std::find_if(entry.postings().begin(), entry.postings().begin() + i,
                     [&](const Posting& other) { return other.account_id() == posting.account_id(); });
    account.entries += first == entry.postings().begin() + i;
  }
  for (const Sum& sum : sums)
    if (sum.minor != 0)
      return fmt::format("entry {}: its postings in {} leave {}", entry.id(), *sum.currency,
                         int64_t(sum.minor));
  const bool own_id = entry.kind() == "payment" || entry.kind() == "refund" || entry.kind() == "top_up";
  if (own_id && entry.id() != entry.payment_id())
    return fmt::format("entry {}: is not its cause's", entry.id());
  return {};
}

void InvariantFold::Facts::add(const Balance& balance) {
  balances.push_back({.account = balance.account_id(),
                      .currency = balance.currency(),
                      .posted = balance.posted_minor(),
                      .reserved = balance.reserved_minor(),
                      .pending_in = balance.pending_in_minor(),
                      .version = balance.version(),
                      .may_go_negative = balance.may_go_negative(),
                      .closed = balance.closed()});
}

void InvariantFold::Facts::add(const Reservation& held) {
  holds.push_back(
      {held.id(), held.account_id(), held.counter_account_id(), held.kind(), held.amount().minor()});
}

// ---- looking at them ----

std::vector<InvariantResult> InvariantFold::Facts::finish() {
  sort(entries);
  sort(links);
  for (auto& list : causes) sort(list);
  std::vector<InvariantResult> results;
  results.push_back({.name = "every entry sums to zero in each currency",
                     .checked = entries.size(),
                     .problem = journal_problem});
  results.push_back(compare_balances());
  results.push_back(compare_holds());
  results.push_back(each("no available balance is negative, nor a closed one in use", balances,
                         [&](const BalanceFact& balance) { return check_available(balance); }));
  results.push_back(
      each("nothing final holds money", holds, [&](const HeldFact& held) { return check_holder(held); }));
  results.push_back(match(0, "every completed payment has exactly one entry", "payment", payment_completed));
  results.push_back(match(1, "every completed refund has exactly one entry", "refund", [](int status) {
    return status == Refund::COMPLETED || status == Refund::REVERSED;
  }));
  results.push_back(match(2, "every completed top-up has exactly one entry", "top_up", [](int status) {
    return status == TopUp::COMPLETED || status == TopUp::REVERSED;
  }));
  results.push_back(check_reversals());
  results.push_back(check_owners());
  for (InvariantResult& result : results) result.ok = result.problem.empty();
  return results;
}

std::string InvariantFold::Facts::compare_balance(const BalanceFact& balance) const {
  const auto found = accounts.find(balance.account);
  static const AccountFact kNone;
  const AccountFact& journal = found == accounts.end() ? kNone : found->second;
  if (journal.posted != balance.posted)
    return fmt::format("account {}: balance {}, its entries make {}", balance.account, balance.posted,
                       int64_t(journal.posted));
  if (journal.entries != balance.version)
    return fmt::format("account {}: {} entries, {} applied", balance.account, journal.entries,
                       balance.version);
  if (journal.entries > 0 && journal.currency != balance.currency)
    return fmt::format("account {}: entries in {}", balance.account, journal.currency);
  return {};
}

InvariantResult InvariantFold::Facts::compare_balances() const {
  InvariantResult result = each("every balance is the sum of its entries", balances,
                                [&](const BalanceFact& balance) { return compare_balance(balance); });
  uint64_t touched = 0;
  for (const BalanceFact& balance : balances) {
    const auto found = accounts.find(balance.account);
    touched += found != accounts.end() && found->second.entries > 0;
  }
  if (result.problem.empty() && touched != accounts.size())
    result.problem = fmt::format("{} accounts of the journal have no balance", accounts.size() - touched);
  return result;
}

InvariantResult InvariantFold::Facts::compare_holds() {
  InvariantResult result{.name = "what is held is the sum of the live reservations",
                         .checked = holds.size() + balances.size()};
  std::unordered_map<std::string_view, AccountFact> sums;
  for (const BalanceFact& balance : balances) sums[balance.account];
  const auto problem = [&result](std::string text) {
    if (result.problem.empty()) result.problem = std::move(text);
  };
  for (const HeldFact& held : holds) {
    if (held.amount <= 0) problem(fmt::format("reservation {}: holds nothing", held.id));
    for (const std::string* id : {&held.account, &held.counter})
      if (!sums.contains(*id)) problem(fmt::format("reservation {}: no account {}", held.id, *id));
    sums[held.account].reserved += held.amount;
    sums[held.counter].pending_in += held.amount;
  }
  for (const BalanceFact& balance : balances) {
    const AccountFact& sum = sums[balance.account];
    if (sum.reserved != balance.reserved)
      problem(fmt::format("account {}: {} reserved, its reservations make {}", balance.account,
                          balance.reserved, int64_t(sum.reserved)));
    if (sum.pending_in != balance.pending_in)
      problem(fmt::format("account {}: {} on its way, reservations make {}", balance.account,
                          balance.pending_in, int64_t(sum.pending_in)));
  }
  return result;
}

std::string InvariantFold::Facts::check_available(const BalanceFact& balance) const {
  if (balance.reserved < 0) return fmt::format("account {}: negative reservation", balance.account);
  const __int128 available = __int128(balance.posted) - balance.reserved;
  if (available < 0 && !balance.may_go_negative)
    return fmt::format("account {}: available {}", balance.account, int64_t(available));
  if (balance.closed && (balance.posted != 0 || balance.reserved != 0))
    return fmt::format("account {}: closed with {}", balance.account, balance.posted);
  return {};
}

std::string InvariantFold::Facts::check_holder(const HeldFact& held) const {
  bool live = false;
  const auto status = [&](size_t of, std::initializer_list<int> wanted) {
    const CauseFact* found = cause(of, held.id);
    live = live || (found != nullptr && std::ranges::find(wanted, found->status) != wanted.end());
  };
  if (held.kind == "payment") status(0, {Payment::PENDING, Payment::IN_REVIEW, Payment::PROCESSING});
  else if (held.kind == "refund") status(1, {Refund::PENDING});
  else if (held.kind == "transfer") {
    status(3, {Transfer::PENDING, Transfer::REQUESTED});
    const LinkFact* reversal = link(parse_uuid(held.id).value_or(Uuid{}));
    live = live || (reversal != nullptr && reversal->created);
  }
  return live ? std::string() : fmt::format("{} {} is final or unknown, and holds money", held.kind, held.id);
}

// Rows that say they completed against entries of that kind: each has its own, with its amount, and there are
// no others.
InvariantResult InvariantFold::Facts::match(size_t of, const char* name, const char* kind,
                                            bool (*completed)(int status)) const {
  uint64_t matched = 0, booked_entries = 0;
  const auto code = size_t(std::ranges::find(kinds, kind) - kinds.begin());
  for (const EntryFact& fact : entries) booked_entries += fact.booked && fact.kind == code;
  auto next = entries.begin();
  InvariantResult result = each(name, causes[of], [&](const CauseFact& row) -> std::string {
    while (next != entries.end() && next->id < row.id) ++next;
    const bool booked = next != entries.end() && next->id == row.id && next->kind == code && next->booked;
    if (booked != completed(row.status))
      return fmt::format("{} {}: {}", kind, format_uuid(row.id),
                         booked ? "has an entry, and is not completed" : "has no entry");
    if (!booked) return {};
    ++matched;
    if (next->moved != row.amount)
      return fmt::format("{} {}: its entry moves {}", kind, format_uuid(row.id), next->moved);
    return {};
  });
  if (result.problem.empty() && matched != booked_entries)
    result.problem = fmt::format("{} entries of kind {} have no {}", booked_entries - matched, kind, kind);
  return result;
}

std::string InvariantFold::Facts::check_link(const LinkFact& one) const {
  const std::string id = format_uuid(one.id);
  if (one.reversed && one.reversed_by.empty()) return fmt::format("entry {}: reversed by none", id);
  const std::string& other_id = one.reversal ? one.reverses : one.reversed_by;
  if (other_id.empty() || (one.reversal && !one.settled)) return {};
  const Uuid other = parse_uuid(other_id).value_or(Uuid{});
  if (entry(other) == nullptr) return fmt::format("entry {}: {} is not there", id, other_id);
  const LinkFact* linked = link(other);
  const std::string back = linked == nullptr ? "" : one.reversal ? linked->reversed_by : linked->reverses;
  if (back != id) return fmt::format("entry {}: {} names {}", id, other_id, back);
  return {};
}

InvariantResult InvariantFold::Facts::check_reversals() const {
  InvariantResult result = each("every reversal takes one entry back", links,
                                [&](const LinkFact& one) { return check_link(one); });
  result.checked = entries.size();
  return result;
}

const CauseFact* InvariantFold::Facts::cause(size_t of, const std::string& id) const {
  return find(causes[of], parse_uuid(id).value_or(Uuid{}));
}
const EntryFact* InvariantFold::Facts::entry(const Uuid& id) const { return find(entries, id); }
const LinkFact* InvariantFold::Facts::link(const Uuid& id) const { return find(links, id); }

// ---- the fold, and all of it over a store ----

InvariantFold::InvariantFold() : facts_(std::make_unique<Facts>()) {}
InvariantFold::~InvariantFold() = default;

namespace {

// Calls with the row as its type, when it is one that matters.
template <typename F>
void with_type(const contract::Table& table, F call) {
  const auto* descriptor = table.descriptor;
  const auto is = [&]<typename T>(const T* type) {
    return descriptor == T::descriptor() && (call(type), true);
  };
  (void)(is(static_cast<const Transaction*>(nullptr)) || is(static_cast<const Balance*>(nullptr)) ||
         is(static_cast<const Reservation*>(nullptr)) || is(static_cast<const Payment*>(nullptr)) ||
         is(static_cast<const Refund*>(nullptr)) || is(static_cast<const TopUp*>(nullptr)) ||
         is(static_cast<const Transfer*>(nullptr)));
}

}  // namespace

void InvariantFold::add(const contract::Table& table, const google::protobuf::Message& row) {
  with_type(table, [&]<typename T>(const T*) { facts_->add(static_cast<const T&>(row)); });
}

bool InvariantFold::add_bytes(const contract::Table& table, std::string_view bytes) {
  bool good = true;
  with_type(table, [&]<typename T>(const T*) {
    thread_local T row;
    good = row.ParseFromArray(bytes.data(), int(bytes.size()));
    if (good) facts_->add(row);
  });
  return good;
}

std::vector<InvariantResult> InvariantFold::finish() { return facts_->finish(); }

namespace {

InvariantResult check_trail(const Store& store, const contract::Model& model) {
  InvariantResult result{.name = "the audit chain is unbroken"};
  audit::ChainHead head;
  EventWindow log([&store](uint64_t from, size_t limit) { return store.read_events(from, limit); }, 1024);
  const auto read = store.scan(*model.table_of<AuditBlock>(), [&](const Row& row) {
    if (auto problem = audit::broken_entry(static_cast<const AuditBlock&>(*row), log, head))
      result.problem = fmt::format("entry {}: {}", problem->sequence, problem->text);
    return result.problem.empty();
  });
  if (!read) result.problem = fmt::format("cannot read: {} {}", read.error().reason, read.error().detail);
  result.checked = head.next_sequence - 1;
  const uint64_t end = store.end().next_position;
  if (result.problem.empty() && head.next_sequence != end)
    result.problem =
        fmt::format("entry {} is missing: the log ends with event {}", head.next_sequence, end - 1);
  result.ok = result.problem.empty();
  return result;
}

}  // namespace

std::vector<InvariantResult> check_invariants(const Store& store, const contract::Model& model) {
  InvariantFold fold;
  std::string unreadable;
  const google::protobuf::Descriptor* const kTables[] = {
      Transaction::descriptor(), Balance::descriptor(), Reservation::descriptor(), Payment::descriptor(),
      Refund::descriptor(),      TopUp::descriptor(),   Transfer::descriptor()};
  for (const auto* descriptor : kTables) {
    const contract::Table& table = *model.table(descriptor);
    const auto read = store.scan(table, [&](const Row& row) { return fold.add(table, *row), true; });
    if (!read) unreadable = fmt::format("cannot read: {} {}", read.error().reason, read.error().detail);
  }
  std::vector<InvariantResult> results = fold.finish();
  if (!unreadable.empty()) results.front().ok = false, results.front().problem = unreadable;
  results.push_back(check_trail(store, model));
  return results;
}

}  // namespace micropay
