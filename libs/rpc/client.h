// Calls methods of services in other processes: gRPC over mutual TLS, generic over the contracts.
//
//   Client client({.caller = "gateway", .keys = keys}, static_resolver(targets), system_clock());
//   client.start(loops);                           // or start(): on a thread of its own
//   client.call({.method = m, .request = r, .principal = p, .done = [](Answer answer) {...}});
//   client.stop();                                 // when the loops have ended
//
// An instance is chosen by the calls that run there (the better of two at random), among those that discovery
// and health call good and whose breaker is closed. What certainly did not happen is tried on another one;
// what may have happened only when repeating it is harmless: queries, and commands with an idempotency key.
// Retries have a budget, so that a failing service is not called more for its failing. When no instance is
// left the answer is kUnavailable upstream_unavailable, at once, with retry_after_s; when nobody knows
// whether a command was carried out, it is kUnavailable outcome_unknown.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libs/base/breaker.h"
#include "libs/rpc/loop.h"
#include "libs/rpc/resolver.h"
#include "libs/rpc/tls.h"
#include "libs/runtime/engine.h"

namespace micropay::rpc {

struct ClientOptions {
  std::string caller;  // our own service, where there are no certificates
  std::shared_ptr<TlsKeys> keys = nullptr;
  bool plaintext = false;
  Duration timeout = 15 * kSecond;  // of a call, its retries included
  Duration connect_timeout = 2 * kSecond;
  Duration longest_backoff = kSecond;  // between attempts to connect
  size_t max_message_bytes = 16 << 20;
  size_t max_calls = 10'000;  // running, on one loop; beyond: overloaded
  uint32_t attempts = 3;
  uint32_t retry_percent = 10;  // of the calls, beyond a small reserve
  BreakerPolicy breaker = {.failures = 5, .open = 2 * kSecond};
  Duration health_period = kSecond;
  uint64_t seed = 0;  // of the choice of instances; 0: from the system
};

class Client {
 public:
  Client(ClientOptions options, std::shared_ptr<Resolver> resolver, const Clock& clock);
  ~Client();

  Result<void> start();  // plaintext_refused
  Result<void> start(std::vector<Loop*> loops);
  // Nothing is answered any more. The loops given to start() must have ended, or never begun.
  void stop();

  // Any thread; command.done is called on the loop's thread: at once when it is called there and cannot go
  // out.
  // `at`: another service than the method's, which has its method too (those of contracts/runtime.proto).
  void call(Command command, Duration timeout = 0,
            const contract::Service* at = nullptr);  // timeout 0: the option's
  // Waits for the answer, retries and all. Not on a loop.
  Answer call_and_wait(Command command, Duration timeout = 0);
  // Why a call would be refused: for want of an instance, or of room. On a loop.
  std::optional<Error> refusal(const contract::Service& service) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace micropay::rpc
