// The running platform: settings, services, store, engine, authentication, gateway and control socket, wired
// in that order and taken down in the other.
//
//   Settings settings;  …load…
//   auto platform = TRY(Platform::make(settings, options));   // every setting is declared now
//   TRY(settings.finish());
//   TRY(platform->start());                                   // serves when it returns
//   platform->drain();                                        // finishes what runs, refuses what is new
//
// new -> starting -> running -> draining -> stopped; never back.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/edge_services.h"
#include "app/instance.h"
#include "libs/kafka/settings.h"

namespace micropay::app {

struct PlatformOptions {
  std::vector<std::string> services = {};  // empty: all
  std::function<void(const std::string& line)> progress = {};
};

class Platform {
 public:
  enum class State : uint8_t { kNew, kStarting, kRunning, kDraining, kStopped };

  // Declares all settings of the platform; makes the data folder, opens nothing.
  static Result<std::unique_ptr<Platform>> make(Settings& settings, PlatformOptions options);
  ~Platform();

  Result<void> start();
  void drain();
  State state() const;

  Engine& engine();
  const std::string& data() const;
  std::string address() const;  // "127.0.0.1:8080"
  std::string ops_address() const;

  struct Impl;

 private:
  explicit Platform(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Declares every setting there is: for docs/settings.md, and for a process without a platform, which wants to
// know when a key is none. What such a process needs is answered.
struct EdgeStart {
  EdgeSettings edge;
  LogOptions log;
  bool cluster = false;
  kafka::KafkaSettings kafka;  // of a cluster
};
EdgeStart declare_all_settings(Settings& settings);

}  // namespace micropay::app
