// The config server's values in the settings of this process: at start, and live while it runs.
//
//   Settings settings;  …file, environment, flags…
//   auto remote = TRY(RemoteSettings::load(settings, "payment"));   // before any other reader
//   …every reader…  TRY(settings.finish());
//   remote->start();           // from now on new values are taken over: settings belongs to it
//   remote->look_now();        // config.changed arrived
//
// A live setting (Settings::live) is applied at once; another is named in a log line and counted in
// micropay_settings_restart_needed until the process is started again.
#pragma once

#include <memory>
#include <string>

#include "libs/remote/config_client.h"

namespace micropay {

class RemoteSettings {
 public:
  // Declares config_client.*. Without a config server it does nothing, now and later. Errors: as
  // ConfigClient::fetch, unless config_client.optional is on.
  static Result<std::unique_ptr<RemoteSettings>> load(Settings& settings, const std::string& application);
  ~RemoteSettings();

  bool on() const { return client_ != nullptr; }
  void start();
  void look_now();
  void stop();
  const std::string& application() const;  // for whom config.changed is of interest
  const std::string& profile() const;

 private:
  explicit RemoteSettings(Settings& settings) : settings_(settings) {}
  void take_over(const RemoteValues& values);
  void say_first();

  Settings& settings_;
  ConfigClientSettings own_;
  std::unique_ptr<ConfigClient> client_;  // none without a config server
};

}  // namespace micropay
