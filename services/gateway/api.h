// The routes of the contracts: limits, authentication, transcoding, then the backend, which answers at once
// (point reads of this process), later (lists, commands), or from another process.
#pragma once

#include "services/gateway/backend.h"
#include "services/gateway/callers.h"
#include "services/gateway/cors.h"
#include "services/gateway/exchange.h"
#include "services/gateway/rate_gate.h"
#include "services/gateway/router.h"

namespace micropay::gateway {

class Api {
 public:
  Api(const GatewaySettings& settings, Backend& backend, Callers& callers, RateGate& rates,
      const contract::Model& model);

  void handle(const ExchangePtr& exchange);

 private:
  void identify(const ExchangePtr& exchange);
  void identified(const ExchangePtr& exchange, Result<Principal> principal);
  bool pass_limits(Exchange& exchange);  // false: refused and answered
  void query(const ExchangePtr& exchange, MessagePtr message);
  void command(const ExchangePtr& exchange, MessagePtr message);
  struct Condition {
    uint64_t if_match = 0;      // that the engine cannot compare
    std::string if_none_match;  // the header
    std::optional<Error> refusal(const Result<Row>& row) const;
  };
  void submit_if(const ExchangePtr& exchange, Condition condition, Command command);
  Result<Command> read_of(const Exchange& exchange) const;
  void submit(const ExchangePtr& exchange, Command command);
  // What a call needs beside its message.
  Command call_of(const Exchange& exchange, const contract::Method& method, MessagePtr message) const;

  Backend& backend_;
  Callers& callers_;
  RateGate& rates_;
  Router router_;
  Cors cors_;
};

}  // namespace micropay::gateway
