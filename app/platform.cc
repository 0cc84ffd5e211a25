// Wires the platform. The order of members is the order of dependence: what is made later is gone earlier.
#include "app/platform.h"

#include <atomic>
#include <filesystem>

#include "app/call.h"
#include "app/cluster/settings.h"
#include "app/control.h"
#include "app/data_folder.h"
#include "app/hardening.h"
#include "app/modules.h"
#include "app/version.h"
#include "libs/base/log.h"
#include "libs/base/metrics.h"
#include "libs/remote/config_client.h"
#include "libs/trace/tracer.h"
#include "services/gateway/gateway.h"
#include "services/user/authentication.h"

namespace micropay::app {
namespace {

// The platform's own settings, beside those that its parts declare.
struct PlatformSettings {
  explicit PlatformSettings(Settings& settings)
      : data(settings.text("data", "data", "The data folder")),
        drain_timeout(settings.duration("drain.timeout", 20 * kSecond,
                                        "How long a stop waits for what runs before it closes everything")) {
    (void)read_core_dumps(settings);  // `serve` reads it before anything else
  }
  std::string data;
  Duration drain_timeout;
};

std::string stats_json(const EngineStats& engine, const EmbeddedStats& store) {
  std::string out = "{";
  const auto number = [&](std::string_view name, auto value) {
    out += fmt::format("{}\"{}\":{}", out.size() > 1 ? "," : "", name, value);
  };
  number("ticks", engine.ticks), number("inputs", engine.inputs), number("events", engine.events);
  number("queued", engine.queued), number("followersLag", engine.followers_lag);
  number("effectsPending", engine.effects_pending), number("deliveriesPending", engine.deliveries_pending);
  number("deadLetters", engine.dead_letters), number("timersPending", engine.timers_pending);
  number("handlerSeconds", engine.handler_seconds), number("commitSeconds", engine.commit_seconds);
  number("logBytes", store.log_bytes), number("tableBytes", store.table_bytes);
  number("unappliedTicks", store.unapplied_ticks), number("appliedTick", store.applied_tick);
  number("cachedRows", store.cached_rows);
  return out + "}";
}

}  // namespace

struct Platform::Impl {
  explicit Impl(Settings& settings)
      : own(settings),
        log(log_options(settings)),
        edge(settings),
        cluster(settings),
        gateway_settings(gateway::GatewaySettings::read(settings)) {}
  // Also after a start that failed half-way: the engine stops before those that it tells of commits are gone.
  ~Impl() {
    if (instance) instance->stop(0);
  }

  PlatformSettings own;
  LogOptions log;
  EdgeSettings edge;  // read so that their keys are known: one file of settings serves all processes
  ClusterSettings cluster;
  gateway::GatewaySettings gateway_settings;
  std::atomic<State> state{State::kNew};
  std::unique_ptr<Tracer> tracer;
  std::unique_ptr<Instance> instance;
  std::unique_ptr<TokenAuthenticator> authenticator;
  std::unique_ptr<gateway::LocalBackend> backend;
  std::unique_ptr<gateway::Gateway> gateway;
  std::unique_ptr<ControlServer> control;
  std::vector<GaugeCallback> gauges;

  Result<void> start();
  Result<void> open_authenticator();
  void publish_gauges();
  void handle(const ControlRequest& request, const Reply& reply);
  Result<ControlReply> answer(const ControlRequest& request, const Reply& reply);
  void drain();
};

Result<void> Platform::Impl::open_authenticator() {
  TRY(key_ring(own.data)->open());
  authenticator = std::make_unique<TokenAuthenticator>(key_ring(own.data), api_keys_in(instance->store()),
                                                       system_clock());
  TRY(load_revocations(instance->store(), *authenticator));
  instance->engine().on_committed([this](const auto& events) { tell_revocations(events, *authenticator); });
  return {};
}

void Platform::Impl::publish_gauges() {
  const auto store = [this](std::string_view name, std::string_view help, uint64_t EmbeddedStats::* value) {
    gauges.push_back(
        gauge_callback(name, help, {}, [this, value] { return double(instance->store().stats().*value); }));
  };
  store("micropay_store_log_bytes", "Size of the log", &EmbeddedStats::log_bytes);
  store("micropay_store_unapplied_ticks", "Ticks that are not in the tables yet",
        &EmbeddedStats::unapplied_ticks);
  store("micropay_store_cached_rows", "Rows in memory", &EmbeddedStats::cached_rows);
  store("micropay_store_table_bytes", "Size of the tables", &EmbeddedStats::table_bytes);
  gauges.push_back(gauge_callback("micropay_clock_offset_seconds",
                                  "How far the wall clock is ahead of the platform's clock", {},
                                  [] { return double(wall_clock_offset()) / kSecond; }));
  const auto engine = [this](std::string_view name, std::string_view help, uint64_t EngineStats::* value) {
    gauges.push_back(
        gauge_callback(name, help, {}, [this, value] { return double(instance->engine().stats().*value); }));
  };
  engine("micropay_engine_queued_inputs", "Inputs that wait", &EngineStats::queued);
  engine("micropay_engine_followers_lag", "Events that followers have not seen yet",
         &EngineStats::followers_lag);
  engine("micropay_engine_effects_pending", "Calls to the outside under way or waiting",
         &EngineStats::effects_pending);
  engine("micropay_engine_deliveries_pending", "Events that wait to be handled again",
         &EngineStats::deliveries_pending);
  // Here all of them are made together with the tables; where services run apart, each has its own lag.
  for (const Service& service : instance->engine().services()) {
    if (service.projections.empty()) continue;
    gauges.push_back(gauge_callback(
        "micropay_projection_lag_ticks", "Ticks that are not in the projections of a service yet",
        {{"service", service.name}}, [this] { return double(instance->store().stats().unapplied_ticks); }));
  }
}

Result<void> Platform::Impl::start() {
  state = State::kStarting;
  start_log(log);
  tracer->start();
  TRY(instance->open());
  TRY(open_authenticator());
  backend = std::make_unique<gateway::LocalBackend>(instance->engine(), instance->store(),
                                                    gateway_settings.query_threads);
  gateway = std::make_unique<gateway::Gateway>(gateway_settings,
                                               gateway::Gateway::Parts{.backend = *backend,
                                                                       .events = *backend,
                                                                       .authenticator = *authenticator,
                                                                       .clock = system_clock(),
                                                                       .version = std::string(kVersion),
                                                                       .traces = tracer->sink()});
  instance->engine().start();
  TRY(gateway->start());
  control = std::make_unique<ControlServer>(
      own.data, [this](const ControlRequest& request, const Reply& reply) { handle(request, reply); });
  TRY(control->start());
  publish_gauges();
  state = State::kRunning;
  log_info("platform.started", "MicroPay is running",
           {{"version", kVersion},
            {"data", own.data},
            {"address", gateway->address()},
            {"ops", gateway->ops_address()}});
  return {};
}

void Platform::Impl::handle(const ControlRequest& request, const Reply& reply) {
  auto answered = answer(request, reply);
  if (!answered) return reply(failed_reply(answered.error()));
  answered->set_done(true);
  reply(*answered);
}

Result<ControlReply> Platform::Impl::answer(const ControlRequest& request, const Reply& reply) {
  ControlReply done;
  if (request.command() == "call") {
    log_info("control.call", "Called from the command line", {{"method", request.method()}});
    done.set_answer(TRY(call_engine(instance->engine(), request.method(), request.request())));
    return done;
  }
  if (request.command() == "backup") {
    log_info("control.backup", "Backup begins", {{"to", request.to()}});
    TRY(backup_folder(instance->store(), own.data, request.to(), [&](double part) {
      ControlReply progress;
      progress.set_permille(int32_t(part * 1000));
      reply(progress);
    }));
    log_info("control.backup", "Backup is complete", {{"to", request.to()}});
    return done;
  }
  if (request.command() == kRotateKeys) {
    done.set_answer(TRY(key_ring(own.data)->rotate()));
    return done;
  }
  if (request.command() == "stats") {
    done.set_answer(stats_json(instance->engine().stats(), instance->store().stats()));
    return done;
  }
  return fail(Code::kUnimplemented, "unknown_command",
              fmt::format("this platform does not know \"{}\"", request.command()));
}

// Readiness turns first, so that a balancer looks elsewhere; running requests are answered before the engine
// ends.
void Platform::Impl::drain() {
  if (state != State::kRunning) return;
  state = State::kDraining;
  log_info("platform.draining", "Finishing what runs");
  gateway->refuse_new();
  control.reset();
  gauges.clear();
  instance->stop(own.drain_timeout);
  gateway->stop(own.drain_timeout);
  gateway.reset();
  backend.reset();
  instance.reset();
  tracer->stop();
  state = State::kStopped;
  log_info("platform.stopped", "MicroPay has stopped");
  flush_log();
}

Platform::Platform(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Platform::~Platform() { impl_->drain(); }

Result<std::unique_ptr<Platform>> Platform::make(Settings& settings, PlatformOptions options) {
  auto impl = std::make_unique<Impl>(settings);
  impl->tracer = std::make_unique<Tracer>(TRY(impl->cluster.trace.options()), system_clock());
  impl->instance = TRY(Instance::make(settings, {.data = impl->own.data,
                                                 .services = std::move(options.services),
                                                 .progress = std::move(options.progress),
                                                 .traces = impl->tracer->sink()}));
  return std::unique_ptr<Platform>(new Platform(std::move(impl)));
}

Result<void> Platform::start() { return impl_->start(); }
void Platform::drain() { impl_->drain(); }
Platform::State Platform::state() const { return impl_->state; }
Engine& Platform::engine() { return impl_->instance->engine(); }
const std::string& Platform::data() const { return impl_->own.data; }
std::string Platform::address() const { return impl_->gateway->address(); }
std::string Platform::ops_address() const { return impl_->gateway->ops_address(); }

EdgeStart declare_all_settings(Settings& settings) {
  const Platform::Impl declared(settings);
  const InstanceSettings instance(settings);
  const auto services = make_services({settings, ""}, {});
  (void)ConfigClientSettings::read(settings, "micropay");
  return {declared.edge, declared.log, declared.cluster.on, declared.cluster.kafka};
}

}  // namespace micropay::app
