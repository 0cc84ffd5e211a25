// A data folder with its services and engine, opened by this process: what `serve` serves and what one-off
// commands work on when no platform is running. Opening takes the folder's lock.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libs/runtime/engine.h"
#include "libs/runtime/parts.h"
#include "libs/store/embedded.h"

namespace micropay::app {

// Given values in their order of strength: the file, the environment, then `assignments`.
Result<void> load_settings(Settings& settings, const std::string& config,
                           const std::vector<std::string>& assignments);
// Declares the settings of the engine and the store.
struct InstanceSettings {
  explicit InstanceSettings(Settings& settings);
  EngineOptions engine;
  EmbeddedOptions store;
};

struct InstanceOptions {
  std::string data;
  std::vector<std::string> services = {};  // empty: all
  std::function<void(const std::string& line)> progress = {};
  TraceSink* traces = nullptr;
};

class Instance {
 public:
  // Declares the settings of the services, the store and the engine; the caller asks settings.finish() when
  // all its own are declared, too, and then open().
  static Result<std::unique_ptr<Instance>> make(Settings& settings, InstanceOptions options);
  Result<void> open();
  void stop(Duration grace);  // the engine; may be called at any time
  ~Instance();

  Engine& engine() { return *engine_; }
  EmbeddedStore& store() { return *store_; }
  const std::string& data() const { return options_.data; }

 private:
  explicit Instance(InstanceOptions options) : options_(std::move(options)) {}

  InstanceOptions options_;
  std::unique_ptr<InstanceSettings> settings_;
  std::vector<Service> services_;
  std::unique_ptr<Projector> projector_;
  std::unique_ptr<EmbeddedStore> store_;
  std::unique_ptr<Engine> engine_;
};

// The projector of the services of this binary that are wanted (empty: of all), for commands that make tables
// without an engine.
std::unique_ptr<Projector> all_projections(
    const std::function<bool(const std::string& service)>& wanted = {});
// The services that it asks: settings at their defaults, nothing kept, for what is only looked at.
const std::vector<Service>& services_at_rest();

}  // namespace micropay::app
