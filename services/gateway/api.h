// The routes of the contracts: limits, authentication, transcoding, then the engine. Point reads are answered
// on the I/O thread; lists, media and what the engine thread answers go to the worker pool; commands are
// submitted and answered when their tick is durable.
#pragma once

#include "libs/http/worker_pool.h"
#include "libs/runtime/engine.h"
#include "libs/security/authenticator.h"
#include "services/gateway/cors.h"
#include "services/gateway/exchange.h"
#include "services/gateway/rate_limits.h"
#include "services/gateway/router.h"

namespace micropay::gateway {

class Api {
 public:
  Api(const GatewaySettings& settings, Engine& engine, Authenticator& authenticator, const Clock& clock,
      WorkerPool& pool, const contract::Model& model);

  void handle(const ExchangePtr& exchange);

 private:
  bool pass_limits(Exchange& exchange);
  // False: refused and answered.
  bool take(Exchange& exchange, RateClass rate_class, std::string_view caller);
  void query(const ExchangePtr& exchange, MessagePtr message);
  void command(const ExchangePtr& exchange, MessagePtr message);
  Result<void> check_if_match(const Exchange& exchange, uint64_t digest);

  Engine& engine_;
  Authenticator& authenticator_;
  const Clock& clock_;
  WorkerPool& pool_;
  Router router_;
  RateLimits limits_;
  Cors cors_;
};

}  // namespace micropay::gateway
