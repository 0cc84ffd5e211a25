// Decides a batch of ledger transfers over copies of the rows it touches: pure, all in memory, in the order
// asked. Later transfers see what earlier ones of the batch did. Semantics follow TigerBeetle's
// create_transfers: https://docs.tigerbeetle.com/reference/requests/create_transfers
//
//   TransferBook book(now);
//   book.add(balance); book.add(reservation);        // every row that a step names, if it exists
//   book.decide(steps);                               // sets `rejected`, fills in what a pending transfer
//   knows for (auto& [id, account] : book.accounts()) if (account.changed) …
#pragma once

#include <google/protobuf/repeated_field.h>

#include <string>
#include <unordered_map>
#include <vector>

#include "contracts/balance.pb.h"
#include "libs/base/time.h"
#include "services/balance/rules.h"

namespace micropay::balance {

class TransferBook {
 public:
  using Steps = google::protobuf::RepeatedPtrField<TransferStep>;

  struct Account {
    Balance balance;
    int64_t incoming_minor = 0;  // credits of earlier transfers of this batch; certain, but not posted yet
    bool changed = false;
  };
  // A reservation: kLive waits, kTaken will be posted by the journal, kReleased is over.
  struct Hold {
    Reservation row;
    enum class State : uint8_t { kLive, kTaken, kReleased } state = State::kLive;
    bool fresh = false;  // of this batch
    bool changed = false;
  };
  // What became of a step beyond `rejected`.
  struct Effect {
    int64_t released_minor = 0;  // of the pending transfer that it posts in part or voids
  };

  explicit TransferBook(Time now) : now_(now) {}
  void add(Balance balance);
  void add(Reservation reservation);
  // One effect per step. A step that comes `rejected` stays so and fails its chain.
  std::vector<Effect> decide(Steps& steps);

  const std::unordered_map<std::string, Account>& accounts() const { return accounts_; }
  const std::unordered_map<std::string, Hold>& holds() const { return holds_; }

 private:
  Refusal decide_step(TransferStep& step, Effect& effect);
  Refusal hold_new(const TransferStep& step);
  Refusal end_pending(TransferStep& step, Effect& effect);
  void remember(const std::string& id, const Account* account);
  void remember(const std::string& id, const Hold* hold);
  void roll_back();
  Account* account(const std::string& id);

  const Time now_;
  std::unordered_map<std::string, Account> accounts_;
  std::unordered_map<std::string, Hold> holds_;
  // How rows were before the chain that is being decided; none: the row was not there.
  bool in_chain_ = false;
  std::vector<std::pair<std::string, Account>> accounts_before_;
  std::vector<std::pair<std::string, std::optional<Hold>>> holds_before_;
};

}  // namespace micropay::balance
