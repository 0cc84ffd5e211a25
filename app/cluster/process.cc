#include "app/cluster/process.h"

#include <sys/stat.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "app/call.h"
#include "app/cluster/alignment.h"
#include "app/cluster/config_news.h"
#include "app/cluster/gateway_node.h"
#include "app/cluster/instances.h"
#include "app/cluster/service_node.h"
#include "app/control.h"
#include "app/edge_services.h"
#include "app/hardening.h"
#include "app/instance.h"
#include "app/modules.h"
#include "libs/base/log.h"
#include "libs/http/operations.h"
#include "libs/kafka/topics.h"
#include "libs/redis/shared_revocations.h"
#include "libs/remote/discovery_client.h"
#include "libs/remote/remote_settings.h"
#include "libs/security/keys.h"
#include "services/user/authentication.h"

namespace micropay::app {
namespace {

constexpr std::string_view kGateway = "gateway";
constexpr Duration kHousekeeping = 5 * kSecond;
constexpr Duration kTryAgain = kSecond, kSayAgain = 10 * kSecond;
constexpr Duration kClockTolerance = kMinute;

// Whoever starts first makes the topics of all, so that nobody waits for another's.
std::vector<std::string> services_with_events() {
  std::vector<std::string> names;
  for (const contract::Event* event : contract::model().events())
    if (std::ranges::count(names, event->service->name) == 0) names.push_back(event->service->name);
  return names;
}

// Names that are no services with an engine.
bool is_edge(std::string_view name) { return name == kGateway; }

}  // namespace

struct ClusterProcess::Impl {
  Impl(Settings& settings, Options options, std::unique_ptr<RemoteSettings> remote);

  Result<void> start();
  Result<void> start_nodes();
  Result<void> await_topics();
  template <typename Attempt>
  Result<void> wait_until(std::string_view what, Attempt attempt);
  Result<void> start_gateway();
  Result<void> start_operations();
  Result<void> start_control();
  Result<ControlReply> answer(const ControlRequest& request);
  void keep_house();
  void look_at_clock();
  void drain();
  Health health();
  void waits(const Error& error);
  Result<void> publish_revocations(ServiceNode& node);
  void join_registry();
  std::vector<OwnInstance> own_instances() const;
  bool has_gateway() const { return std::ranges::count(options.services, kGateway) != 0; }

  const Options options;
  std::unique_ptr<RemoteSettings> remote;  // before all others: what the config server says
  std::string data;
  Duration drain_timeout;
  LogOptions log;
  EdgeSettings edge;  // their keys, as in Platform
  ClusterSettings cluster;
  InstanceSettings instance;
  gateway::GatewaySettings gateway_settings;
  std::vector<Service> services;
  std::vector<std::string> all_services;  // of the platform
  std::string signing_keys;               // folder
  std::shared_ptr<rpc::TlsKeys> keys;
  std::unique_ptr<Tracer> tracer;
  std::unique_ptr<RedisClient> redis;
  std::unique_ptr<RevocationPublisher> revocations;
  std::vector<std::unique_ptr<ServiceNode>> nodes;
  std::unique_ptr<DiscoveryClient> directory;
  std::unique_ptr<Instances> instances;
  std::unique_ptr<GatewayNode> gateway;
  std::unique_ptr<HttpServer> operations;
  std::unique_ptr<ControlServer> control;
  std::unique_ptr<ConfigFollower> config_news;  // before what it tells ends
  std::atomic<bool> running{false}, refusing{false};
  std::mutex mutex;
  std::condition_variable wake;
  bool stopping = false;  // guarded by mutex
  Error waits_for;        // while it starts; guarded by mutex
  bool clock_wrong = false;
  GaugeCallback clock_offset;
  std::thread house;
};

ClusterProcess::Impl::Impl(Settings& settings, Options given, std::unique_ptr<RemoteSettings> first)
    : options(std::move(given)),
      remote(std::move(first)),
      data(settings.text("data", "data", "The data folder")),
      drain_timeout(settings.duration("drain.timeout", 20 * kSecond,
                                      "How long a stop waits for what runs before it closes everything")),
      log(log_options(settings)),
      edge(settings),
      cluster(settings),
      instance(settings),
      gateway_settings(gateway::GatewaySettings::read(settings)) {
  (void)read_core_dumps(settings);  // `serve` reads it before anything else
}

Result<void> ClusterProcess::Impl::start() {
  start_log(log);
  keys = TRY(cluster.open_keys());
  TRY(start_operations());
  tracer->start();
  TRY(wait_until("its broker", [this] { return kafka::make_topics(cluster.kafka, services_with_events()); }));
  TRY(start_nodes());
  join_registry();
  if (has_gateway()) TRY(start_gateway());
  TRY(start_control());
  remote->start();
  if (remote->on()) {
    config_news = std::make_unique<ConfigFollower>(cluster.kafka, *remote);
    config_news->start();
  }
  clock_offset = gauge_callback("micropay_clock_offset_seconds",
                                "How far the wall clock is ahead of the platform's clock", {},
                                [] { return double(wall_clock_offset()) / kSecond; });
  house = std::thread([this] { keep_house(); });
  running = true;
  log_info("process.started", "The process serves",
           {{"services", fmt::format("{}", fmt::join(options.services, ","))}});
  return {};
}

// What is started together with the process may be up a little later.
template <typename Attempt>
Result<void> ClusterProcess::Impl::wait_until(std::string_view what, Attempt attempt) {
  const Time deadline = system_clock().monotonic() + cluster.start_patience;
  for (Time told = 0; true;) {
    const Result<void> done = attempt();
    const Time now = system_clock().monotonic();
    if (done || done.error().code != Code::kUnavailable || now >= deadline || !options.pause) return done;
    waits({.reason = done.error().reason,
           .detail = fmt::format("waits for {}: {}", what, done.error().detail)});
    if (told == 0 || now - told >= kSayAgain) {
      told = now;
      log_warn("process.waits", fmt::format("The start waits for {}: {}", what, done.error().detail),
               {{"reason", done.error().reason}});
    }
    if (!options.pause(kTryAgain)) return done;
  }
}

Result<void> ClusterProcess::Impl::start_nodes() {
  if (services.empty()) return {};
  EngineOptions engine = instance.engine;
  engine.traces = tracer->sink();
  for (Service& service : services) {
    ServiceNode::Options node{
        .engine = engine, .listen = cluster.rpc_listen(service.name, services.size() == 1), .keys = keys};
    nodes.push_back(std::make_unique<ServiceNode>(cluster, service, std::move(node)));
    TRY(wait_until("its database", [this] { return nodes.back()->open(); }));
  }
  TRY(await_topics());
  for (const auto& node : nodes) {
    if (node->name() == "user") TRY(publish_revocations(*node));
    TRY(node->start());
  }
  return {};
}

void ClusterProcess::Impl::waits(const Error& error) {
  const std::lock_guard lock(mutex);
  waits_for = error;
}

// Before anything is taken in, decided or published.
Result<void> ClusterProcess::Impl::await_topics() {
  if (!cluster.start_compare) return {};
  return wait_until_aligned(cluster, {.services = all_services,
                                      .needed =
                                          [this](const std::string& service) {
                                            return std::ranges::any_of(nodes, [&](const auto& node) {
                                              return node->name() == service || node->hears_of(service);
                                            });
                                          },
                                      .pause = options.pause,
                                      .tell = [this](const Error& error) { waits(error); }});
}

// Whose tokens are good no more, for gateways: beside the topic, which is slower.
Result<void> ClusterProcess::Impl::publish_revocations(ServiceNode& node) {
  if (cluster.redis.url.empty()) return {};
  redis = std::make_unique<RedisClient>(TRY(cluster.redis.options("revocations")));
  revocations = std::make_unique<RevocationPublisher>(*redis, [&node](RevocationSink& to) {
    if (const auto told = load_revocations(node.store(), to); !told)
      log_warn("revocations.unread", told.error().detail, {{"reason", told.error().reason}});
  });
  node.engine().on_committed([this](const auto& events) { tell_revocations(events, *revocations); });
  redis->start();
  return {};
}

// Who is here, and who else there is.
void ClusterProcess::Impl::join_registry() {
  if (!edge.discovery_client.on()) return;
  directory = std::make_unique<DiscoveryClient>(edge.discovery_client, own_instances());
  directory->start();
  instances = std::make_unique<Instances>(*directory);
  instances->start();
}

std::vector<OwnInstance> ClusterProcess::Impl::own_instances() const {
  const auto port_of = [](const std::string& address) {
    return uint16_t(std::strtoul(address.c_str() + address.rfind(':') + 1, nullptr, 10));
  };
  std::vector<OwnInstance> own;
  own.reserve(nodes.size());
  for (const auto& node : nodes)
    own.push_back({.service = node->name(),
                   .port = port_of(node->address()),
                   .ops_port = port_of(operations ? operations->address() : gateway_settings.ops_listen)});
  return own;
}

Result<void> ClusterProcess::Impl::start_gateway() {
  const rpc::Targets fixed = TRY(rpc::parse_targets(cluster.targets));
  gateway = std::make_unique<GatewayNode>(
      cluster, gateway_settings,
      GatewayNode::Parts{.keys = keys,
                         .make_resolver = [&]() -> std::shared_ptr<rpc::Resolver> {
                           return instances ? instances->resolver() : rpc::static_resolver(fixed);
                         },
                         .traces = tracer->sink(),
                         .keys_file = data + "/verifying-keys.json"});
  return gateway->start();
}

// The gateway has its own.
Result<void> ClusterProcess::Impl::start_operations() {
  if (has_gateway()) return {};
  operations =
      std::make_unique<HttpServer>(HttpOptions{.listen = gateway_settings.ops_listen, .max_connections = 200},
                                   operations_handler([this] { return health(); }));
  return operations->start();
}

Health ClusterProcess::Impl::health() {
  if (!running) {
    const std::lock_guard lock(mutex);
    return {.reason = waits_for.reason.empty() ? "starting" : waits_for.reason, .detail = waits_for.detail};
  }
  if (refusing) return {.started = true, .reason = "draining"};
  for (const auto& node : nodes)
    if (const auto problem = node->problem())
      return {.started = true, .reason = problem->reason, .detail = problem->detail};
  return {.started = true, .ready = true};
}

Result<void> ClusterProcess::Impl::start_control() {
  control = std::make_unique<ControlServer>(data, [this](const ControlRequest& request, const Reply& reply) {
    auto answered = answer(request);
    if (!answered) return reply(failed_reply(answered.error()));
    answered->set_done(true);
    reply(*answered);
  });
  return control->start();
}

Result<ControlReply> ClusterProcess::Impl::answer(const ControlRequest& request) {
  if (request.command() == kRotateKeys) {
    if (std::ranges::none_of(nodes, [](const auto& node) { return node->name() == "user"; }))
      return fail(Code::kNotFound, "no_signing_keys", "this process does not run user, whose keys they are");
    ControlReply reply;
    reply.set_answer(TRY(key_ring(signing_keys)->rotate()));
    return reply;
  }
  if (request.command() != "call")
    return fail(Code::kUnimplemented, "unknown_command",
                fmt::format("a process of a cluster does not know \"{}\"", request.command()));
  const contract::Method* method = contract::model().method(request.method());
  for (const auto& node : nodes) {
    if (method == nullptr || method->service->name != node->name()) continue;
    log_info("control.call", "Called from the command line", {{"method", request.method()}});
    ControlReply reply;
    reply.set_answer(TRY(call_engine(node->engine(), request.method(), request.request())));
    return reply;
  }
  return fail(Code::kNotFound, "unknown_method",
              fmt::format("no service of this process has \"{}\"", request.method()));
}

void ClusterProcess::Impl::keep_house() {
  std::unique_lock lock(mutex);
  do {
    if (keys) keys->reload_when_changed();
    look_at_clock();
  } while (!wake.wait_for(lock, std::chrono::microseconds(kHousekeeping), [this] { return stopping; }));
}

// Ours never goes behind what a log has; the machine's may be behind that because it is wrong, or because
// that of another instance was.
void ClusterProcess::Impl::look_at_clock() {
  const Duration offset = wall_clock_offset();
  const bool wrong = offset > kClockTolerance || offset < -kClockTolerance;
  if (std::exchange(clock_wrong, wrong) == wrong) return;
  if (!wrong) return log_info("clock.agrees", "The clocks agree again");
  log_warn("clock.disagrees", "The clock of this machine is far from the times that others have written",
           {{"offset_seconds", offset / kSecond}});
}

void ClusterProcess::Impl::drain() {
  refusing = true;
  {
    const std::lock_guard lock(mutex);
    if (std::exchange(stopping, true)) return;
  }
  wake.notify_all();
  if (house.joinable()) house.join();
  log_info("process.draining", "Finishing what runs");
  control.reset();
  config_news.reset();
  remote->stop();
  if (directory) directory->set_up(false);
  if (gateway) gateway->refuse_new(), gateway->stop(drain_timeout);
  for (const auto& node : nodes) node->stop(drain_timeout);
  gateway.reset();
  instances.reset();
  if (directory) directory->stop();
  if (redis) redis->stop();
  nodes.clear();
  revocations.reset();
  tracer->stop();
  if (operations) operations->stop(0);
  log_info("process.stopped", "The process has stopped");
  flush_log();
}

ClusterProcess::ClusterProcess(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ClusterProcess::~ClusterProcess() { impl_->drain(); }
Result<void> ClusterProcess::start() { return impl_->start(); }
void ClusterProcess::drain() { impl_->drain(); }
const std::string& ClusterProcess::data() const { return impl_->data; }

Result<std::unique_ptr<ClusterProcess>> ClusterProcess::make(Settings& settings, Options options) {
  if (options.services.empty())
    return fail(Code::kInvalidArgument, "no_services",
                "a process of a cluster is told what it runs: --services=payment, or gateway", "--services");
  auto remote = TRY(RemoteSettings::load(settings, fmt::format("{}", fmt::join(options.services, ","))));
  auto impl = std::make_unique<Impl>(settings, std::move(options), std::move(remote));
  impl->tracer = std::make_unique<Tracer>(TRY(impl->cluster.trace.options()), system_clock());
  settings.live("trace.sampling", [tracer = impl->tracer.get()](const std::string& text) {
    const auto part = parse_sampling(text);
    if (part) tracer->sample(*part);
    return part.has_value();
  });
  umask(077);  // what is made below it is for its owner only
  std::error_code error;
  std::filesystem::create_directories(impl->data, error);
  if (error)
    return fail(Code::kUnavailable, "no_data_folder",
                fmt::format("cannot make the folder {}: {}", impl->data, error.message()), "--data");
  std::vector<std::string> names;
  std::ranges::copy_if(impl->options.services, std::back_inserter(names), std::not_fn(is_edge));
  const std::string keys_folder = impl->cluster.keys_folder.empty() ? impl->data : impl->cluster.keys_folder;
  // All are made, so that the settings of all are known and one file serves every process.
  auto services = TRY(make_services({settings, keys_folder}, {}));
  for (const Service& service : services) impl->all_services.push_back(service.name);
  if (!names.empty()) TRY(keep_only(services, names));
  impl->signing_keys = keys_folder;
  if (!names.empty()) impl->services = std::move(services);
  return std::unique_ptr<ClusterProcess>(new ClusterProcess(std::move(impl)));
}

std::string ClusterProcess::banner() const {
  std::string text;
  for (const auto& node : impl_->nodes)
    text += fmt::format("  {:<14} gRPC on {}\n", node->name(), node->address());
  if (impl_->gateway) text += fmt::format("  gateway        http://{}\n", impl_->gateway->address());
  const std::string ops = impl_->gateway ? impl_->gateway->ops_address() : impl_->operations->address();
  return text + fmt::format("  operations     http://{}\n", ops);
}

}  // namespace micropay::app
