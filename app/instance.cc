// Opens a data folder: services, projector, store, engine, in that order; closes in the other.
#include "app/instance.h"

#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "app/modules.h"

extern char** environ;

namespace micropay::app {
namespace {

EngineOptions engine_options(Settings& settings) {
  EngineOptions options;
  options.max_queued = size_t(settings.integer("engine.max_queued", 10'000, 10, 1'000'000,
                                               "Inputs that may wait; more are answered 503"));
  options.max_tick_inputs = size_t(
      settings.integer("engine.max_tick_inputs", 1'000, 1, 100'000, "Inputs that share one commit at most"));
  options.wait_timeout =
      settings.duration("engine.wait_timeout", 10 * kSecond,
                        "How long a command waits for its final state before it answers 202");
  options.prepare_threads =
      size_t(settings.integer("engine.prepare_threads", 0, 0, 64,
                              "Threads for password hashing and other preparations; they run behind all "
                              "others; 0: a core less than there are"));
  if (options.prepare_threads == 0)
    options.prepare_threads = std::max<size_t>(std::thread::hardware_concurrency(), 2) - 1;
  options.effect_threads =
      size_t(settings.integer("engine.effect_threads", 4, 1, 256, "Threads for calls to the outside"));
  options.delivery_attempts = uint32_t(settings.integer(
      "engine.delivery_attempts", 5, 1, 100, "Attempts of an event handler before the dead-letter list"));
  return options;
}

EmbeddedOptions store_options(Settings& settings) {
  EmbeddedOptions options;
  options.cache_rows = size_t(settings.integer("store.cache_rows", 200'000, 1'000, 100'000'000,
                                               "Unchanged rows that are kept in memory"));
  options.segment_bytes = size_t(settings.integer("store.segment_mb", 64, 1, 4096,
                                                  "Size of a log file in MB; the next one is prepared ahead"))
                          << 20;
  options.apply_interval = settings.duration("store.apply_interval", 500 * kMillisecond,
                                             "How long changes gather before they are written to the tables");
  options.checkpoint_bytes =
      size_t(settings.integer("store.checkpoint_mb", 32, 1, 4096,
                              "Size of the tables' write-ahead log in MB that is copied into state.db"))
      << 20;
  return options;
}

}  // namespace

Result<void> load_settings(Settings& settings, const std::string& config,
                           const std::vector<std::string>& assignments) {
  if (!config.empty()) TRY(settings.load_file(config));
  settings.load_environment(environ);
  for (const std::string& assignment : assignments) TRY(settings.set(assignment));
  return {};
}

InstanceSettings::InstanceSettings(Settings& settings)
    : engine(engine_options(settings)), store(store_options(settings)) {}

Result<std::unique_ptr<Instance>> Instance::make(Settings& settings, InstanceOptions options) {
  umask(077);  // what is made below it is for its owner only
  std::error_code error;
  std::filesystem::create_directories(options.data, error);
  if (error)
    return fail(Code::kUnavailable, "no_data_folder",
                fmt::format("cannot make the folder {}: {}", options.data, error.message()), "--data");
  std::unique_ptr<Instance> instance(new Instance(std::move(options)));
  instance->settings_ = std::make_unique<InstanceSettings>(settings);
  instance->services_ = TRY(make_services({settings, instance->options_.data}, instance->options_.services));
  return instance;
}

Result<void> Instance::open() {
  projector_ = Engine::make_projector(services_);
  EmbeddedOptions store_options = settings_->store;
  store_options.folder = options_.data;
  store_options.progress = options_.progress;
  store_ = TRY(EmbeddedStore::open(std::move(store_options), contract::model(), projector_.get()));
  keep_system_clock_after(store_->end().time);
  settings_->engine.traces = options_.traces;
  engine_ = std::make_unique<Engine>(settings_->engine, *store_, system_clock(), services_);
  return engine_->open();
}

void Instance::stop(Duration grace) {
  if (engine_ && engine_->state() == Engine::State::kRunning) engine_->drain(grace);
}

Instance::~Instance() {
  engine_.reset();
  store_.reset();
}

const std::vector<Service>& services_at_rest() {
  static Settings settings;
  static const std::vector<Service> services = make_services({settings, ""}, {}).value();
  return services;
}

// Projections depend on events alone.
std::unique_ptr<Projector> all_projections(const std::function<bool(const std::string& service)>& wanted) {
  const std::vector<Service>& services = services_at_rest();
  if (!wanted) return Engine::make_projector(services);
  std::vector<Service> some;
  std::ranges::copy_if(services, std::back_inserter(some),
                       [&](const Service& one) { return wanted(one.name); });
  return Engine::make_projector(some);
}

}  // namespace micropay::app
