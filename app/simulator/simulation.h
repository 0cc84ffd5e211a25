// One run of the whole platform in one thread: every service on a virtual clock, clients that ask for
// everything, and a world that breaks what it can, all drawn from one seed.
//
//   Simulation run({.seed = 7, .steps = 2'000, .cluster = true});
//   SimulationResult result = run.run();          // result.problem is empty when every invariant held
//
// A step is one thing that happens: a client asks, a process runs a tick, a message arrives, a disk fills up.
#pragma once

#include <optional>
#include <set>

#include "app/simulator/faults.h"
#include "app/simulator/reckoning.h"

namespace micropay::app {

struct TraceLine {
  uint32_t step;
  Time time;  // since the start
  std::string where, what;
};

struct SimulationOptions {
  uint64_t seed = 1;
  uint32_t steps = 2'000;
  bool cluster = false;
  std::vector<std::string> services = {};  // empty: all
  Fault fault = Fault::kNone;
  std::optional<std::set<uint32_t>> keep = {};      // only these steps happen
  std::function<void(const TraceLine&)> tell = {};  // what happens, step by step
};

struct SimulationResult {
  std::string problem;  // empty: none
  uint32_t step = 0;    // at which it was seen; the number of steps when it was seen at the end
  uint64_t digest = 0;  // of everything that was committed and answered
  uint64_t events = 0, requests = 0, steps = 0;
};

class Simulation {
 public:
  Simulation(SimulationOptions options, Coverage& coverage);
  ~Simulation();
  SimulationResult run();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace micropay::app
