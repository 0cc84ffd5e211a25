// From a call that has arrived to the engine: who may call what, bounds, owner, then a query or a command. It
// believes the caller's certificate, and of the caller's words only what that certificate allows:
//
//   gateway            methods with a route, for the user, key or nobody that it names; never as the system
//   a service          methods without a route that name it among their callers, as the system
//   operator           any method without a route, as the system: the command line of a cluster
//
// Nothing here blocks the loop: lists, media and what the engine thread answers go to a few workers. A call
// that has seen events of others which are not here yet waits for them a moment, without a thread, and one
// that names a record of this very second which is not here is carried out again when more is known
// (decisions/0010).
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libs/base/metrics.h"
#include "libs/runtime/engine.h"
#include "libs/runtime/watermarks.h"
#include "libs/runtime/workers.h"

namespace micropay::rpc {

struct Inbound {
  Command command;  // method, request, principal as the caller said; done
  // Services that the caller's certificate names. Without certificates, what it says itself.
  std::vector<std::string> callers;
  Time deadline = 0;  // monotonic
  uint32_t repeats = 0;
};

// Whether such a caller may call it; the principal becomes the one that counts. caller_not_allowed.
Result<void> admit(const contract::Method& method, const std::vector<std::string>& callers,
                   Principal& principal);

class Dispatch {
 public:
  struct Options {
    size_t query_threads = 2;
    size_t max_queued_queries = 1'000;
    Duration longest_wait = kSecond;  // for what the caller has seen elsewhere
  };
  Dispatch(Engine& engine, const Clock& clock, const Options& options);
  ~Dispatch() { stop(); }
  void stop() {
    engine_.watermarks().forget_waiting();
    workers_.stop();
  }
  void tick(Time now) { engine_.watermarks().expire(now); }  // some times a second

  const contract::Method* method(std::string_view path) const;  // "/micropay.PaymentService/CreatePayment"
  // Answers through command.done, once, on any thread; or never, when it is stopped.
  void call(Inbound inbound);
  // Service names of gRPC ("micropay.PaymentService") that run here.
  const std::vector<std::string>& services() const { return services_; }
  std::string_view short_name(std::string_view service) const;  // "payment"
  bool serving() const { return engine_.state() == Engine::State::kRunning; }

 private:
  void carry_out(const std::shared_ptr<Inbound>& inbound);
  void attempt(Command command);
  bool wait(const Inbound& inbound);
  void run_later(std::shared_ptr<Inbound> waiting);

  Engine& engine_;
  const Clock& clock_;
  const Duration longest_wait_;
  Workers workers_;
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  std::unordered_map<std::string, const contract::Method*, TextHash, std::equal_to<>> methods_;
  std::vector<std::string> services_;
  std::vector<std::string> short_names_;  // of services_
  Counter& waits_ = counter("micropay_rpc_server_waits_total",
                            "Calls that waited for events which their caller had seen elsewhere");
  Counter& waits_in_vain_ = counter("micropay_rpc_server_waits_in_vain_total",
                                    "Calls that went on without events which their caller had seen");
  Counter& repeats_ = counter("micropay_rpc_server_repeats_total",
                              "Calls repeated because a record of this second was not known yet");
  Histogram& wait_seconds_ =
      duration_histogram("micropay_rpc_server_wait_seconds", "Time that such calls waited");
};

}  // namespace micropay::rpc
