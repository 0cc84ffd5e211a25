#include "app/simulator/simulation.h"

#include "app/modules.h"
#include "app/simulator/world.h"

namespace micropay::app {

struct Simulation::Impl {
  explicit Impl(SimulationOptions options, Coverage& coverage)
      : options(std::move(options)), world(this->options, coverage) {}
  SimulationOptions options;
  SimulatedWorld world;
};

Simulation::Simulation(SimulationOptions options, Coverage& coverage)
    : impl_(std::make_unique<Impl>(std::move(options), coverage)) {}
Simulation::~Simulation() = default;

SimulationResult Simulation::run() {
  const SimulationOptions& options = impl_->options;
  SimulatedWorld& world = impl_->world;
  SimulationResult result;
  for (; result.step < options.steps && world.problem().empty(); ++result.step) {
    if (options.keep && !options.keep->contains(result.step)) continue;
    Random random(options.seed, result.step);
    world.step(result.step, random);
    ++result.steps;
  }
  if (world.problem().empty()) world.finish(options.steps);
  else --result.step;
  result.problem = world.problem();
  result.digest = world.digest();
  result.events = world.watch().events();
  result.requests = world.clients().requests().size();
  return result;
}

}  // namespace micropay::app
