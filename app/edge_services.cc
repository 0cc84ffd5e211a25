#include "app/edge_services.h"

namespace micropay::app {
namespace {

constexpr std::string_view kConfig = "config";
constexpr std::string_view kDiscovery = "discovery";

bool named(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::count(names, name) > 0;
}

}  // namespace

EdgeSettings::EdgeSettings(Settings& settings)
    : config(config::ConfigSettings::read(settings)),
      discovery(discovery::DiscoverySettings::read(settings)),
      discovery_client(DiscoveryClientSettings::read(settings)),
      dns(DnsSettings::read(settings)) {}

bool EdgeServices::all_are(const std::vector<std::string>& names) {
  return !names.empty() && std::ranges::all_of(names, [](const std::string& name) {
    return name == kConfig || name == kDiscovery;
  });
}

Result<std::unique_ptr<EdgeServices>> EdgeServices::start(
    EdgeSettings settings, const std::vector<std::string>& names, const std::string& ops_listen,
    std::function<void(const config::Changed&)> on_config_changed) {
  std::unique_ptr<EdgeServices> services(new EdgeServices);
  if (!ops_listen.empty() && names.size() == 1)
    settings.config.ops_listen = settings.discovery.ops_listen = ops_listen;
  if (named(names, kConfig)) {
    services->config_ = std::make_unique<config::ConfigServer>(
        settings.config, config::ConfigServer::Parts{system_clock(), std::move(on_config_changed)});
    TRY(services->config_->start());
  }
  if (named(names, kDiscovery)) {
    services->discovery_ = std::make_unique<discovery::DiscoveryServer>(
        settings.discovery, discovery::DiscoveryServer::Parts{system_clock()});
    TRY(services->discovery_->start());
  }
  return services;
}

EdgeServices::~EdgeServices() { stop(0); }

// Readiness turns first, so that balancers look elsewhere.
void EdgeServices::stop(Duration grace) {
  if (config_) config_->refuse_new();
  if (discovery_) discovery_->refuse_new();
  if (config_) config_->stop(grace);
  if (discovery_) discovery_->stop(grace);
  config_.reset();
  discovery_.reset();
}

std::string EdgeServices::text() const {
  std::string out;
  if (config_)
    out += fmt::format("  http://{}        config, operations on {}\n", config_->address(),
                       config_->ops_address());
  if (discovery_)
    out += fmt::format("  http://{}/eureka  discovery, operations on {}\n", discovery_->address(),
                       discovery_->ops_address());
  return out;
}

}  // namespace micropay::app
