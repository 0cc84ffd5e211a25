// The world of a run: sites, bus, clients, clock, and what may befall them. step() does one thing.
#pragma once

#include "app/simulator/simulation.h"
#include "libs/base/settings.h"

namespace micropay::app {

class SimulatedWorld {
 public:
  SimulatedWorld(const SimulationOptions& options, Coverage& coverage);
  ~SimulatedWorld();

  void step(uint32_t number, Random& random);
  // Heals everything, lets it come to rest, answers what is open, and reckons.
  void finish(uint32_t number);
  const std::string& problem() const { return watch_.problem(); }
  uint64_t digest() const { return watch_.digest() * 31 + clients_->digest(); }
  const Watch& watch() const { return watch_; }
  const Clients& clients() const { return *clients_; }

 private:
  // what happens in a step; each says what it did, or nothing when there was nothing to do
  using Happening = std::string (SimulatedWorld::*)(Random&);
  struct Kind {
    Happening happening;
    uint32_t usual, cluster;  // weight in each profile; 0: never
  };
  static const std::vector<Kind>& kinds();
  std::string ask(Random& random);
  std::string tick(Random& random);
  std::string deliver(Random& random);
  std::string publish(Random& random);
  std::string run_job(Random& random);
  std::string pass_time(Random& random);
  std::string apply(Random& random);
  std::string crash(Random& random);
  std::string restart(Random& random);
  std::string hurt_store(Random& random);
  std::string jump_clock(Random& random);
  std::string pause(Random& random);
  std::string rebalance(Random& random);

  void make_sites(const SimulationOptions& options, Coverage& coverage);
  void wrap_effects(std::vector<Service>& services, Coverage& coverage);
  using Perform = std::function<AnyOutcome(const Service::Message&, std::string_view, bool)>;
  AnyOutcome outside(const Service::Message& request, std::string_view key, bool poll, const Perform& inner,
                     const std::function<void(const char*)>& reached);
  std::string deliver_newest(Site& site);
  void start(Process& process, Random& random);
  std::string stop_machine(Process& process, Random& random);
  std::string after_first_time(Process& process, Random& random);
  void heal(Random& random);
  bool settle(Random& random, Duration horizon);
  bool run_all(Random& random);
  std::string unrest();
  void answer_open(Random& random);
  void after_step();
  Process* busy(Random& random);
  Site& any_site(Random& random) { return *sites_[random.below(sites_.size())]; }
  void note(std::string where) { where_ = std::move(where); }

  const SimulationOptions& options_;
  SimClock clock_;
  const Time began_;
  Settings settings_;
  Watch watch_;
  Known known_;
  Bus bus_;
  std::vector<std::shared_ptr<Tampering>> tamperings_;
  std::vector<std::unique_ptr<Site>> sites_;
  std::unique_ptr<Clients> clients_;
  std::vector<uint32_t> weights_;
  std::string where_;
  uint32_t number_ = 0;       // of the step under way
  Random* random_ = nullptr;  // of the step under way, for what is asked outside
  bool honest_ = false;       // the provider outside answers as it should
  struct Calls {
    uint32_t may = 1, made = 0;
    bool happened = false;
  };
  std::map<std::string, Calls> calls_;  // to the outside, by the key that they carry
  bool newest_first_ = false;           // how events of several partitions come
  bool first_times_ = false;            // processes end after what was done for the first time
  bool lose_one_ = false;               // a planted fault: the next event is not published
};

}  // namespace micropay::app
