// What InvariantFold keeps of rows. Inside of app/invariants*.cc.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "app/invariants.h"
#include "contracts/balance.pb.h"
#include "contracts/payment.pb.h"
#include "contracts/transaction.pb.h"
#include "libs/base/ids.h"

namespace micropay {

// An entry of the journal.
struct EntryFact {
  Uuid id{};
  int64_t moved = 0;  // sum of its credits
  uint8_t kind = 0;   // place in kinds
  bool booked = false, reversed = false;
};

// A payment, refund, top-up or transfer.
struct CauseFact {
  Uuid id{};
  int64_t amount = 0;
  int status = 0;
};

struct LinkFact {
  Uuid id{};
  bool reversal = false, created = false, settled = false, reversed = false;
  std::string reverses, reversed_by, kind, cause;
};

// So much of a payment was given back: by one refund, or as the payment has it.
struct BackFact {
  Uuid payment{};
  int64_t amount = 0;
};

struct HeldFact {
  std::string id, account, counter, kind;
  int64_t amount = 0;
};

struct BalanceFact {
  std::string account, currency;
  int64_t posted = 0, reserved = 0, pending_in = 0;
  uint64_t version = 0;
  bool may_go_negative = false, closed = false;
};

// What the journal or the reservations say an account should show.
struct AccountFact {
  __int128 posted = 0, reserved = 0, pending_in = 0;
  uint64_t entries = 0;
  std::string currency;
};

class InvariantFold::Facts {
 public:
  void add(const Transaction& entry);
  void add(const Balance& balance);
  void add(const Reservation& held);
  void add(const Payment& row) {
    causes[0].push_back(fact(row));
    if (row.refunded_minor() != 0) shown_back.push_back({causes[0].back().id, row.refunded_minor()});
  }
  void add(const Refund& row) {
    causes[1].push_back(fact(row));
    if (row.status() == Refund::COMPLETED)
      given_back.push_back({parse_uuid(row.payment_id()).value_or(Uuid{}), row.amount().minor()});
  }
  void add(const TopUp& row) { causes[2].push_back(fact(row)); }
  void add(const Transfer& row) { causes[3].push_back(fact(row)); }
  std::vector<InvariantResult> finish();

 private:
  template <typename T>
  static CauseFact fact(const T& row) {
    return {parse_uuid(row.id()).value_or(Uuid{}), row.amount().minor(), int(row.status())};
  }
  uint8_t kind_of(const std::string& kind);
  std::string fold(const Transaction& entry, EntryFact& fact);
  std::string compare_balance(const BalanceFact& balance) const;
  std::string check_holder(const HeldFact& held) const;
  std::string check_available(const BalanceFact& balance) const;
  std::string check_link(const LinkFact& link) const;
  InvariantResult compare_balances() const;
  InvariantResult compare_holds();
  InvariantResult match(size_t cause, const char* name, const char* kind,
                        bool (*completed)(int status)) const;
  InvariantResult check_reversals() const;
  std::string check_owner(const LinkFact& link) const;
  std::string check_reversed(size_t of, const char* kind, int reversed) const;
  std::string check_given_back() const;
  InvariantResult check_owners() const;
  const CauseFact* cause(size_t of, const std::string& id) const;
  const EntryFact* entry(const Uuid& id) const;
  const LinkFact* link(const Uuid& id) const;

  std::vector<EntryFact> entries;
  std::vector<LinkFact> links;
  std::vector<std::string> kinds;
  std::vector<CauseFact> causes[4];  // payments, refunds, top-ups, transfers
  std::vector<BackFact> given_back, shown_back;
  std::vector<HeldFact> holds;
  std::vector<BalanceFact> balances;
  std::unordered_map<std::string, AccountFact> accounts;
  std::string journal_problem;
};

}  // namespace micropay
