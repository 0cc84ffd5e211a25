#include "libs/remote/remote_settings.h"

#include "libs/base/log.h"
#include "libs/base/metrics.h"

namespace micropay {
namespace {

Gauge& restart_needed() {
  return gauge("micropay_settings_restart_needed", "Settings whose given value waits for a restart");
}

void count(std::string_view outcome, size_t keys) {
  counter("micropay_settings_taken_over_total", "New values of settings while running, by outcome",
          {{"outcome", std::string(outcome)}})
      .add(keys);
}

}  // namespace

Result<std::unique_ptr<RemoteSettings>> RemoteSettings::load(Settings& settings,
                                                             const std::string& application) {
  std::unique_ptr<RemoteSettings> remote(new RemoteSettings(settings));
  remote->own_ = ConfigClientSettings::read(settings, application);
  if (!remote->own_.on()) return remote;
  remote->client_ = std::make_unique<ConfigClient>(remote->own_);
  const auto values = remote->client_->fetch();
  if (values) {
    settings.give_remote(values->values, values->source);
  } else if (!remote->own_.optional) {
    return std::unexpected(values.error());
  } else {
    log_error("config_client.none",
              "Neither the config server nor a copy has settings: the local ones are used",
              {{"reason", values.error().reason}, {"error.message", values.error().detail}});
  }
  return remote;
}

RemoteSettings::~RemoteSettings() { stop(); }

// Bad and foreign keys of the first values: known when every reader has declared its own.
void RemoteSettings::say_first() {
  for (const std::string& key : settings_.refused())
    log_error("settings.refused", "The config server's value is not allowed; the default is used",
              {{"setting", key}});
  count("refused", settings_.refused().size());
  const auto unknown = settings_.unknown_remote();
  if (!unknown.empty())
    log_info("settings.unknown", "The config server has keys that are none of ours",
             {{"count", unknown.size()}, {"first", unknown.front()}});
}

void RemoteSettings::start() {
  if (!client_) return;
  say_first();
  restart_needed().set(0);
  client_->start([this](const RemoteValues& values) { take_over(values); });
}

void RemoteSettings::take_over(const RemoteValues& values) {
  const auto taken = settings_.take_over(values.values, values.source);
  for (const std::string& key : taken.applied)
    log_info("settings.applied", "A new value is in force", {{"setting", key}, {"version", values.version}});
  for (const std::string& key : taken.needs_restart)
    log_warn("settings.restart_needed", "A new value waits for a restart of this process",
             {{"setting", key}, {"version", values.version}});
  for (const std::string& key : taken.refused)
    log_error("settings.refused", "The config server's value is not allowed; what was in force stays",
              {{"setting", key}, {"version", values.version}});
  restart_needed().set(int64_t(taken.needs_restart.size()));
  count("applied", taken.applied.size());
  count("refused", taken.refused.size());
}

void RemoteSettings::look_now() {
  if (client_) client_->look_now();
}
void RemoteSettings::stop() {
  if (client_) client_->stop();
}
const std::string& RemoteSettings::application() const { return own_.application; }
const std::string& RemoteSettings::profile() const { return own_.profile; }

}  // namespace micropay
