// The public edge: REST routes of all contracts, live streams, OpenAPI, the reference page, and the
// operations port.
//
//   LocalBackend backend(engine, store, settings.query_threads);
//   Gateway gateway(settings, {backend, backend, authenticator, system_clock(), version});
//   engine.start();           // not before the gateway is made: it listens to what is committed
//   TRY(gateway.start());     // serves when it returns
//   gateway.refuse_new();     // /health/ready says no: balancers look elsewhere
//   gateway.stop(grace);      // no new connections; what runs is answered: the engine ends later
//
// Nothing a client sends makes it answer 5xx but overload (503), storage trouble (503) and a defect of ours
// (500).
#pragma once

#include <memory>
#include <string>

#include "libs/security/authenticator.h"
#include "services/gateway/backend.h"
#include "services/gateway/settings.h"

namespace micropay {
class RedisClient;
}

namespace micropay::gateway {

class Gateway {
 public:
  struct Parts {
    Backend& backend;
    EventFeed& events;
    Authenticator& authenticator;
    const Clock& clock;
    std::string version;  // of the OpenAPI document
    TraceSink* traces = nullptr;
    RedisClient* redis = nullptr;  // not started: rate limits are shared with other gateways
  };
  Gateway(GatewaySettings settings, Parts parts);
  ~Gateway();

  Result<void> start();  // invalid_setting, address_in_use, invalid_address
  void refuse_new();
  void stop(Duration grace);
  std::string address() const;  // "127.0.0.1:8080"
  std::string ops_address() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace micropay::gateway
