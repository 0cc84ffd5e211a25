// One function per invariant, in the order in which they build on each other: the journal is folded first,
// balances are compared with the fold, reservations with what balances hold, payments with both, and the
// trail stands for itself.
#include "app/invariants.h"

#include <unordered_map>

#include "contracts/account.pb.h"
#include "contracts/audit.pb.h"
#include "contracts/balance.pb.h"
#include "contracts/payment.pb.h"
#include "contracts/transaction.pb.h"
#include "services/audit/rules.h"

namespace micropay {
namespace {

// What the journal or the reservations say an account should show.
struct Account {
  __int128 posted = 0, reserved = 0, pending_in = 0;
  uint64_t entries = 0;
  std::string currency;
};

bool counts(const Transaction& entry) {
  return entry.status() == Transaction::SETTLED || entry.status() == Transaction::REVERSED;
}

bool completed(const Payment& payment) {
  return payment.status() == Payment::COMPLETED || payment.status() == Payment::PARTIALLY_REFUNDED ||
         payment.status() == Payment::REFUNDED;
}

class Invariants {
 public:
  Invariants(const Store& store, const contract::Model& model) : store_(store), model_(model) {}

  std::vector<InvariantResult> all() {
    run("every entry sums to zero in each currency", &Invariants::fold_journal);
    run("every balance is the sum of its entries", &Invariants::compare_balances);
    run("what is held is the sum of the live reservations", &Invariants::compare_holds);
    run("no available balance is negative, nor a closed one in use", &Invariants::check_available);
    run("nothing final holds money", &Invariants::check_holders);
    run("every completed payment has exactly one entry", &Invariants::match_payments);
    run("every completed refund has exactly one entry", &Invariants::match_refunds);
    run("every completed top-up has exactly one entry", &Invariants::match_top_ups);
    run("every reversal takes one entry back", &Invariants::match_reversals);
    run("the audit chain is unbroken", &Invariants::check_trail);
    return std::move(results_);
  }

 private:
  using Problem = std::string;  // empty: none

  void run(const char* name, void (Invariants::*check)()) {
    results_.push_back({.name = name});
    (this->*check)();
    results_.back().ok = results_.back().problem.empty();
  }

  // Calls with every row until one has a problem.
  template <typename T, typename F>
  void each(F check) {
    InvariantResult& result = results_.back();
    if (!result.problem.empty()) return;
    const auto read = store_.scan(*model_.table_of<T>(), [&](const Row& row) {
      ++result.checked;
      result.problem = check(static_cast<const T&>(*row));
      return result.problem.empty();
    });
    if (!read) result.problem = fmt::format("cannot read: {} {}", read.error().reason, read.error().detail);
  }

  template <typename T>
  std::shared_ptr<const T> get(const std::string& id) const {
    const contract::Table& table = *model_.table_of<T>();
    const auto key = table.encode_key({id});
    return key ? std::static_pointer_cast<const T>(store_.get(table, *key)) : nullptr;
  }

  void fold_journal() {
    each<Transaction>([this](const Transaction& entry) -> Problem {
      if (!counts(entry)) return {};
      std::map<std::string, __int128> sums;
      std::set<std::string> touched;
      for (const Posting& posting : entry.postings()) {
        Account& account = accounts_[posting.account_id()];
        if (account.currency.empty()) account.currency = posting.amount().currency();
        if (account.currency != posting.amount().currency())
          return fmt::format("entry {}: account {} has two currencies", entry.id(), posting.account_id());
        sums[posting.amount().currency()] += posting.amount().minor();
        account.posted += posting.amount().minor();
        account.entries += touched.insert(posting.account_id()).second;
      }
      for (const auto& [currency, sum] : sums)
        if (sum != 0)
          return fmt::format("entry {}: its postings in {} leave {}", entry.id(), currency, int64_t(sum));
      const bool own_id = entry.kind() == "payment" || entry.kind() == "refund" || entry.kind() == "top_up";
      if (own_id && entry.id() != entry.payment_id())
        return fmt::format("entry {}: is not its cause's", entry.id());
      ++entries_[entry.kind()];
      return {};
    });
  }

  void compare_balances() {
    uint64_t touched = 0;
    each<Balance>([&](const Balance& balance) -> Problem {
      const auto found = accounts_.find(balance.account_id());
      const Account journal = found == accounts_.end() ? Account{} : found->second;
      touched += journal.entries > 0;
      if (journal.posted != balance.posted_minor())
        return fmt::format("account {}: balance {}, its entries make {}", balance.account_id(),
                           balance.posted_minor(), int64_t(journal.posted));
      if (journal.entries != balance.version())
        return fmt::format("account {}: {} entries, {} applied", balance.account_id(), journal.entries,
                           balance.version());
      if (journal.entries > 0 && journal.currency != balance.currency())
        return fmt::format("account {}: entries in {}", balance.account_id(), journal.currency);
      return {};
    });
    if (results_.back().problem.empty() && touched != accounts_.size())
      results_.back().problem =
          fmt::format("{} accounts of the journal have no balance", accounts_.size() - touched);
  }

  void compare_holds() {
    each<Reservation>([this](const Reservation& held) -> Problem {
      if (held.amount().minor() <= 0) return fmt::format("reservation {}: holds nothing", held.id());
      for (const std::string* id : {&held.account_id(), &held.counter_account_id()})
        if (get<Balance>(*id) == nullptr) return fmt::format("reservation {}: no account {}", held.id(), *id);
      accounts_[held.account_id()].reserved += held.amount().minor();
      accounts_[held.counter_account_id()].pending_in += held.amount().minor();
      return {};
    });
    each<Balance>([this](const Balance& balance) -> Problem {
      const Account& held = accounts_[balance.account_id()];
      if (held.reserved != balance.reserved_minor())
        return fmt::format("account {}: {} reserved, its reservations make {}", balance.account_id(),
                           balance.reserved_minor(), int64_t(held.reserved));
      if (held.pending_in != balance.pending_in_minor())
        return fmt::format("account {}: {} on its way, reservations make {}", balance.account_id(),
                           balance.pending_in_minor(), int64_t(held.pending_in));
      return {};
    });
  }

  void check_available() {
    each<Balance>([](const Balance& balance) -> Problem {
      if (balance.reserved_minor() < 0)
        return fmt::format("account {}: negative reservation", balance.account_id());
      const int64_t available = balance.posted_minor() - balance.reserved_minor();
      if (available < 0 && !balance.may_go_negative())
        return fmt::format("account {}: available {}", balance.account_id(), available);
      if (balance.closed() && (balance.posted_minor() != 0 || balance.reserved_minor() != 0))
        return fmt::format("account {}: closed with {}", balance.account_id(), balance.posted_minor());
      return {};
    });
  }

  void check_holders() {
    each<Reservation>([this](const Reservation& held) -> Problem {
      bool live = false;
      if (held.kind() == "payment") {
        const auto payment = get<Payment>(held.id());
        live = payment && (payment->status() == Payment::PENDING || payment->status() == Payment::IN_REVIEW ||
                           payment->status() == Payment::PROCESSING);
      } else if (held.kind() == "refund") {
        const auto refund = get<Refund>(held.id());
        live = refund && refund->status() == Refund::PENDING;
      } else if (held.kind() == "transfer") {
        const auto transfer = get<Transfer>(held.id());
        live = transfer &&
               (transfer->status() == Transfer::PENDING || transfer->status() == Transfer::REQUESTED);
        if (const auto reversal = get<Transaction>(held.id()))
          live = live || reversal->status() == Transaction::CREATED;
      }
      return live ? Problem{}
                  : fmt::format("{} {} is final or unknown, and holds money", held.kind(), held.id());
    });
  }

  // Rows that say they completed against entries of that kind: each has its own, with its amount, and there
  // are no others.
  template <typename T, typename F>
  void match(const std::string& kind, F is_completed) {
    uint64_t matched = 0;
    each<T>([&](const T& row) -> Problem {
      const auto entry = get<Transaction>(row.id());
      const bool booked = entry != nullptr && entry->kind() == kind && counts(*entry);
      if (booked != is_completed(row))
        return fmt::format("{} {}: {}", kind, row.id(),
                           booked ? "has an entry, and is not completed" : "has no entry");
      if (!booked) return {};
      ++matched;
      int64_t moved = 0;
      for (const Posting& posting : entry->postings())
        moved += std::max<int64_t>(0, posting.amount().minor());
      if (moved != row.amount().minor())
        return fmt::format("{} {}: its entry moves {}", kind, row.id(), moved);
      return {};
    });
    if (results_.back().problem.empty() && matched != entries_[kind])
      results_.back().problem =
          fmt::format("{} entries of kind {} have no {}", entries_[kind] - matched, kind, kind);
  }

  void match_payments() { match<Payment>("payment", completed); }
  void match_refunds() {
    match<Refund>("refund", [](const Refund& refund) { return refund.status() == Refund::COMPLETED; });
  }
  void match_top_ups() {
    match<TopUp>("top_up", [](const TopUp& top_up) { return top_up.status() == TopUp::COMPLETED; });
  }

  void match_reversals() {
    each<Transaction>([this](const Transaction& entry) -> Problem {
      if ((entry.status() == Transaction::REVERSED) && entry.reversed_by_id().empty())
        return fmt::format("entry {}: reversed by none", entry.id());
      const std::string& other_id = entry.kind() == "reversal" ? entry.reverses_id() : entry.reversed_by_id();
      if (other_id.empty() || (entry.kind() == "reversal" && entry.status() != Transaction::SETTLED))
        return {};
      const auto other = get<Transaction>(other_id);
      if (other == nullptr) return fmt::format("entry {}: {} is not there", entry.id(), other_id);
      const std::string& back = entry.kind() == "reversal" ? other->reversed_by_id() : other->reverses_id();
      if (back != entry.id()) return fmt::format("entry {}: {} names {}", entry.id(), other_id, back);
      return {};
    });
  }

  void check_trail() {
    audit::ChainHead head;
    each<AuditBlock>([&head](const AuditBlock& block) -> Problem {
      const auto problem = audit::verify_chain(block, head);
      return problem ? fmt::format("entry {}: {}", problem->sequence, problem->text) : Problem{};
    });
    results_.back().checked = head.next_sequence - 1;
    const uint64_t end = store_.end().next_position;
    if (results_.back().problem.empty() && head.next_sequence != end)
      results_.back().problem =
          fmt::format("entry {} is missing: the log ends with event {}", head.next_sequence, end - 1);
  }

  const Store& store_;
  const contract::Model& model_;
  std::vector<InvariantResult> results_;
  std::unordered_map<std::string, Account> accounts_;
  std::unordered_map<std::string, uint64_t> entries_;  // by kind
};

}  // namespace

std::vector<InvariantResult> check_invariants(const Store& store, const contract::Model& model) {
  return Invariants(store, model).all();
}

}  // namespace micropay
