// The discovery service: which instances of which application there are, by Eureka's REST interface.
//
//   DiscoveryServer server(DiscoverySettings::read(settings), {.clock = system_clock()});
//   TRY(server.start());        // asks its peers for what they know, then serves
//
// Everything is in memory: a server that was killed gets it from a peer, from its snapshot, or from the
// instances, which register again when a renewal is answered 404.
#pragma once

#include <memory>
#include <string>

#include "services/discovery/settings.h"

namespace micropay::discovery {

class DiscoveryServer {
 public:
  struct Parts {
    const Clock& clock;
  };
  DiscoveryServer(DiscoverySettings settings, Parts parts);
  ~DiscoveryServer();

  Result<void> start();  // invalid_setting, address_in_use, invalid_address
  void refuse_new();     // /health/ready says no
  void stop(Duration grace);
  std::string address() const;
  std::string ops_address() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace micropay::discovery
