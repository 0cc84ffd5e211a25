// The services that are no engine: config and discovery. Each is a server of its own, started by
// `micropay serve --services=config` (or discovery, or both), beside the other services' processes.
//
//   EdgeSettings edge(settings);                       // declares all of theirs, whatever is served
//   auto running = TRY(EdgeServices::start(edge, {"config"}));
//   running->stop();
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libs/base/log.h"
#include "libs/base/settings.h"
#include "libs/remote/discovery_client.h"
#include "libs/remote/dns_directory.h"
#include "services/config/config_server.h"
#include "services/discovery/discovery_server.h"

namespace micropay::app {

struct EdgeSettings {
  explicit EdgeSettings(Settings& settings);
  config::ConfigSettings config;
  discovery::DiscoverySettings discovery;
  DiscoveryClientSettings discovery_client;  // of every process that registers
  DnsSettings dns;
};

class EdgeServices {
 public:
  // Whether all of these names are such services, and there is one: then no platform is made.
  static bool all_are(const std::vector<std::string>& names);

  // `ops_listen` overrides the operations address when one service is named. `on_config_changed` hears of
  // every new version of the settings, on a thread of the config server's.
  static Result<std::unique_ptr<EdgeServices>> start(
      EdgeSettings settings, const std::vector<std::string>& names, const std::string& ops_listen,
      std::function<void(const config::Changed&)> on_config_changed = {});
  ~EdgeServices();

  void stop(Duration grace);
  std::string text() const;  // what is served where, a line each

 private:
  EdgeServices() = default;
  std::unique_ptr<config::ConfigServer> config_;
  std::unique_ptr<discovery::DiscoveryServer> discovery_;
};

}  // namespace micropay::app
