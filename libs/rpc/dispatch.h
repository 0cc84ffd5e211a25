// From a call that has arrived to the engine: who may call what, bounds, owner, then a query or a command. It
// believes the caller's certificate, and of the caller's words only what that certificate allows:
//
//   gateway            methods with a route, for the user, key or nobody that it names; never as the system
//   a service          methods without a route that name it among their callers, as the system
//   operator           any method without a route, as the system: the command line of a cluster
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
  Command command;  // method, request, principal as the caller said; done
  // Services that the caller's certificate names. Without certificates, what it says itself.
  std::vector<std::string> callers;
  Time deadline = 0;  // monotonic
};

// Whether such a caller may call it; the principal becomes the one that counts. caller_not_allowed.
Result<void> admit(const contract::Method& method, const std::vector<std::string>& callers,
                   Principal& principal);

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
