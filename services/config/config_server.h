// The config service: settings per application, profile and label for every process of an installation, by
// the HTTP interface of Spring Cloud Config.
//
//   ConfigServer server(ConfigSettings::read(settings), {.clock = system_clock(), .on_changed = publish});
//   TRY(server.start());        // serves when it returns
//
// It keeps nothing but a copy of files: killed and started again it is as before.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "services/config/settings.h"
#include "services/config/watcher.h"

namespace micropay::config {

class ConfigServer {
 public:
  struct Parts {
    const Clock& clock;
    // The files changed: what config.changed events (contracts/config.proto) are made of. On a thread of the
    // server's own, one call after the other; it may block.
    std::function<void(const Changed&)> on_changed = {};
  };
  ConfigServer(ConfigSettings settings, Parts parts);
  ~ConfigServer();

  Result<void> start();  // invalid_setting, key_…, address_in_use, invalid_address
  void refuse_new();     // /health/ready says no
  void stop(Duration grace);
  std::string address() const;
  std::string ops_address() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace micropay::config
