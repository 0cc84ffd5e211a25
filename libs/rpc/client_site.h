// The client on one loop: its own connections, breakers, budget. Loops share nothing, so nothing is locked.
// Internal to libs/rpc; everything on the loop's thread.
#pragma once

#include <random>
#include <unordered_map>

#include "libs/rpc/call_metrics.h"
#include "libs/rpc/client.h"
#include "libs/rpc/client_connection.h"

namespace micropay::rpc {

// An instance of a service, as this loop sees it.
struct Target {
  std::string address;
  bool up = true;       // says discovery
  bool serving = true;  // says its health
  bool checking = false;
  size_t running = 0;
  Time away_until = 0;  // others do better with commands; said so of late
  Breaker breaker;
  std::shared_ptr<ClientConnection> connection;
  Time connect_at = 0;  // not before
  Duration backoff = 0;
  std::string told;  // why it was lost, as the log has it: the same is not repeated each second
};

// What the sites of a client share.
struct ClientCore {
  ClientOptions options;
  const Clock& clock;
  std::vector<std::string> paths = {};  // by method id
  std::atomic<Time> reload_at{0};       // look whether the certificate has changed
  CallMetrics metrics{"client"};
  Counter& retries = counter("micropay_rpc_client_retries_total", "Calls tried again on another instance");
  Gauge& open = gauge("micropay_rpc_client_connections", "Open connections to instances");
};

class ClientSite {
 public:
  ClientSite(Loop& loop, std::shared_ptr<ClientCore> core);
  ~ClientSite();

  void begin();                        // its ticks
  void end();                          // nothing is answered any more; on the loop or after it
  void apply(const Targets& targets);  // what discovery says
  void call(OutCallPtr call);
  std::optional<Error> refusal(const contract::Service& service) const;
  Loop& loop() { return loop_; }

 private:
  using TargetPtr = std::shared_ptr<Target>;
  struct Pool {
    std::string name;
    std::vector<TargetPtr> targets = {};
    double tokens = 0;  // of the retry budget
    Gauge *serving = nullptr, *open = nullptr;
    int64_t told_serving = 0, told_open = 0;  // what this site has added to them
  };
  void tell(Pool& pool, int64_t serving, int64_t open);

  bool usable(const Target& target, Time now) const;
  TargetPtr choose(const Pool& pool, const OutCall& call);
  TargetPtr choose(const Pool& pool, const OutCall& call, Time home_since);
  void attempt(Pool& pool, OutCallPtr call);
  void lost(const Pool& pool, Target& target, const Loss& loss);
  ClientConnection& connection_of(Pool& pool, const TargetPtr& target);
  void finished(Pool& pool, const TargetPtr& target, OutCallPtr call, const Outcome& outcome);
  bool may_repeat(Pool& pool, const OutCall& call, const Outcome& outcome, const Answer& answer);
  void judge(Target& target, const Outcome& outcome, const Answer& answer);
  Answer answer_of(const Pool& pool, OutCall& call, const Outcome& outcome) const;
  Error no_instance(const Pool& pool) const;
  Error counted(const Pool& pool, std::string_view why) const;
  std::string_view why_none(const Pool& pool, Time now) const;
  void answer(OutCallPtr call, Answer answer);
  void tick();
  void look_after(Pool& pool, const TargetPtr& target, Time now, bool check);
  void check_health(Pool& pool, const TargetPtr& target);

  Loop& loop_;
  std::shared_ptr<ClientCore> core_;
  std::unordered_map<const contract::Service*, std::unique_ptr<Pool>> pools_;
  std::vector<std::shared_ptr<ClientConnection>> old_;  // of targets that are gone: what runs goes on
  std::vector<std::pair<Time, OutCallPtr>> later_;      // to be tried again
  size_t running_ = 0;
  Time check_at_ = 0;
  std::minstd_rand random_;
  std::unique_ptr<Ticker> ticker_;
};

}  // namespace micropay::rpc
