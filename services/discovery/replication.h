// Tells the other discovery servers what clients did here, in order, and asks them for everything at start. A
// thread for each peer.
//
// A peer that is away costs the others nothing: what it misses is kept (renewals of one instance as one,
// 10,000 changes at most); what was too much, and what it has forgotten by a restart, it is told again when
// it answers 404 to a renewal.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "services/discovery/api.h"
#include "services/discovery/settings.h"

namespace micropay::discovery {

class Replication {
 public:
  Replication(const DiscoverySettings& settings, Api& api, const Clock& clock);
  ~Replication();

  // Takes in what a peer has; the first that answers is enough. Waits for settings.sync_timeout at most.
  // False: no peer answered.
  bool take_over();
  void start();
  void stop();
  void tell(const Replica& replica);  // any thread; returns at once

 private:
  class Peer;
  const DiscoverySettings& settings_;
  Api& api_;
  const Clock& clock_;
  std::vector<std::unique_ptr<Peer>> peers_;
};

}  // namespace micropay::discovery
