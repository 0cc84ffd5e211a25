// Eleven faults that the simulator plants to prove that it would find them: each is what a plausible bug
// would do, done from outside, by wrapping a handler or by changing a tick on its way to the store. The
// product's own code has no switch for any of them, so production cannot run with one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libs/runtime/service.h"
#include "libs/store/store.h"

namespace micropay::app {

enum class Fault : uint8_t {
  kNone,
  kActsOnDuplicate,        // a consumer does not remember what it has taken in
  kReleasesTwice,          // what a released reservation held is given back twice
  kLosesOutboxRow,         // a committed event is never published
  kRoundsACent,            // an odd amount is booked a cent short
  kKeepsStaleCache,        // after a conflict, rows that were read before it are used again
  kDropsTimer,             // a reservation's expiry does nothing
  kRemembersTooLate,       // the idempotency record is written after the answer
  kSkipsAuditEntry,        // an event is left out of the trail
  kPublishesBeforeCommit,  // events of a tick that failed are heard
  kIgnoresReserved,        // a payment is checked against all the money, held or not
  kPaysBackTwice,    // a payment does not notice that its entry is taken back, and can be refunded after
  kSkipsFirstEvent,  // where a follower begins is written down with the first event that it has followed
};

struct FaultInfo {
  Fault fault;
  const char* name;  // of --plant
  bool cluster;      // it can only happen there
};
const std::vector<FaultInfo>& all_faults();
std::optional<Fault> fault_named(std::string_view name);

// Wraps the handler that the fault is in.
void plant(Fault fault, std::vector<Service>& services);

// Changes ticks on their way to the store.
class Tampering {
 public:
  explicit Tampering(Fault fault) : fault_(fault) {}
  void operator()(Tick& tick);

 private:
  void release_again(Tick& tick) const;
  const Fault fault_;
  std::vector<RowChange> kept_back_;
};

}  // namespace micropay::app
