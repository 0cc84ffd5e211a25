// Lets several gateways hold callers to one limit, in Redis. Decisions stay in memory (rate_limits.h); every
// few milliseconds what was taken here goes to Redis, which answers how full each of these buckets is after
// what everybody took.
//
// So a request waits for nobody, and what it costs is a bounded overshoot. Of a bucket of burst b that fills
// at rate r, G gateways together give in any time t at most
//
//   r·t + b + (G − 1)·min(b, what one gateway is asked for in one round: 10 ms and one answer of Redis)
//
// and what was given too much is owed: it is refused later, so the rate in the long run is r. While Redis is
// away (a log line, micropay_gateway_limits_shared 0), every gateway holds its callers to the limits by
// itself.
#pragma once

#include <memory>

#include "libs/redis/redis_client.h"
#include "services/gateway/rate_limits.h"

namespace micropay::gateway {

class SharedRates {
 public:
  // Listens to the client, so: before client.start(). Both outlive this.
  SharedRates(RateLimits& limits, RedisClient& client, const Clock& clock);
  ~SharedRates();  // stops
  void start();
  void stop();
  // One round, waiting for its end. For tests, in place of start().
  void settle_now();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace micropay::gateway
