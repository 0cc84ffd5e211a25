// Looks at every tick of every site as it becomes durable and says what is wrong: the invariants of DESIGN 7
// that can be seen at once. What needs the whole is checked at the end (reckoning.h). It keeps its own books,
// from the ticks alone.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_map>

#include "app/simulator/site.h"
#include "contracts/balance.pb.h"
#include "contracts/transaction.pb.h"
#include "libs/base/fnv.h"

namespace micropay::app {

class Watch {
 public:
  void take(Site& site, const Tick& tick);
  const std::string& problem() const { return problem_; }  // the first one; empty: none
  void blame(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
  }
  // Events that were emitted, by type: to see at the end that none is missing anywhere.
  const std::map<const contract::Event*, uint64_t>& emitted() const { return emitted_; }
  uint64_t heard(const Site& site, const contract::Event* event) const;
  uint64_t digest() const { return digest_; }
  uint64_t events() const { return events_; }

 private:
  struct Origin {
    std::string service, key;
    uint64_t position = 0;
  };
  struct Account {
    __int128 posted = 0;
    int64_t reserved = 0, pending_in = 0;
    int64_t accepted_in = 0;  // of pending_in: accepted, and booked any moment
    uint64_t entries = 0;
  };
  void take_event(Site& site, const EventRecord& event);
  void take_applied(const std::string& transaction_id);
  void take_change(const RowChange& change);
  void check_entry(const Transaction& entry);
  void take_reservation(const std::string& key, const Reservation* now);
  void check_balance(const Balance& balance);
  void check_step(const RowChange& change, const google::protobuf::Message* before);
  Account& account(const std::string& id) {
    touched_.insert(id);
    return accounts_[id];
  }

  std::string problem_;
  std::unordered_map<std::string, Origin> origins_;                        // by event id
  std::map<const Site*, std::unordered_map<std::string, uint64_t>> last_;  // service and key: position seen
  std::map<const Site*, std::set<std::string>> seen_;                      // event ids in a site's log
  std::map<const Site*, std::map<const contract::Event*, uint64_t>> heard_;
  std::map<const contract::Event*, uint64_t> emitted_;
  std::unordered_map<std::string, TransactionSettled> settled_;  // not in effect yet
  std::unordered_map<std::string, Account> accounts_;
  std::set<std::string> touched_;
  std::unordered_map<std::string, Reservation> reservations_;
  std::set<std::string> ended_;  // reservations
  std::unordered_map<std::string, Balance> balances_;
  std::map<std::pair<const contract::Table*, std::string>, Row> rows_;  // those whose steps are checked
  uint64_t digest_ = kFnvBasis, events_ = 0;
};

}  // namespace micropay::app
