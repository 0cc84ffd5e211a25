// From a call that has arrived to the engine: who may call what, bounds, owner, then a query or a command. It
// believes the caller's certificate, and of the caller's words only what that certificate allows:
//
//   gateway            methods with a route, for the user, key or nobody that it names; never as the system
//   another service    methods without a route, as itself (the system); it names no user
//
// Nothing here blocks the loop: lists, media and what the engine thread answers go to a few workers.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libs/runtime/engine.h"
#include "libs/runtime/workers.h"

namespace micropay::rpc {

struct Inbound {
  Command command;                        // method, request, principal as the caller said; done
  const std::vector<std::string>* peers;  // services that its certificate names
  bool encrypted = true;                  // false: `caller` is all there is
  std::string caller;
  Time deadline = 0;  // monotonic
};

class Dispatch {
 public:
  struct Options {
    size_t query_threads = 2;
    size_t max_queued_queries = 1'000;
  };
  Dispatch(Engine& engine, const Clock& clock, const Options& options);
  ~Dispatch() { stop(); }
  void stop() { workers_.stop(); }

  const contract::Method* method(std::string_view path) const;  // "/micropay.PaymentService/CreatePayment"
  // Answers through command.done, once, on any thread; or never, when it is stopped.
  void call(Inbound inbound);
  // Service names of gRPC ("micropay.PaymentService") that run here.
  const std::vector<std::string>& services() const { return services_; }
  std::string_view short_name(std::string_view service) const;  // "payment"
  bool serving() const { return engine_.state() == Engine::State::kRunning; }

 private:
  Result<void> admit(Inbound& inbound) const;
  void query(Inbound inbound);

  Engine& engine_;
  const Clock& clock_;
  Workers workers_;
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  std::unordered_map<std::string, const contract::Method*, TextHash, std::equal_to<>> methods_;
  std::vector<std::string> services_;
  std::vector<std::string> short_names_;  // of services_
};

}  // namespace micropay::rpc
