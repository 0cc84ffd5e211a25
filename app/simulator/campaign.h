// Many runs of the simulator: seeds one after another on several processes, coverage added up, the first
// failing seed shrunk to the shortest history that still fails.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "app/simulator/simulation.h"

namespace micropay::app {

enum class Profile : uint8_t { kBoth, kEmbedded, kCluster };  // both: odd seeds embedded, even ones cluster

struct CampaignOptions {
  uint64_t first_seed = 1;
  uint64_t seeds = 1;
  uint32_t steps = 2'000;
  Profile profile = Profile::kBoth;
  std::vector<std::string> services = {};
  Fault fault = Fault::kNone;
  uint32_t jobs = 1;
  double seconds = 0;  // ends early; 0: does not
  std::function<void(uint64_t done, uint64_t failed)> progress = {};
};

struct CampaignResult {
  uint64_t runs = 0, steps = 0, events = 0, requests = 0, digest = 0;
  uint64_t failed_seed = 0;  // the smallest; 0: none failed
  std::string problem;
  uint32_t failed_step = 0;
  Coverage coverage;
  double seconds = 0;
};

SimulationOptions options_of(const CampaignOptions& options, uint64_t seed);
CampaignResult run_campaign(const CampaignOptions& options);

// One run in a process of its own: one that crashes is a run with a problem, too.
SimulationResult run_apart(const SimulationOptions& options);

// Fewer and fewer steps as long as the same goes wrong, for at most `seconds`. The steps that are left.
std::set<uint32_t> shrink(SimulationOptions options, const SimulationResult& failed, double seconds,
                          const std::function<void(size_t left)>& progress);

}  // namespace micropay::app
