// A process of the cluster profile: one or some services, or the gateway, config or discovery, with what they
// share: certificates, the registry, traces, the operations port and the control socket.
//
//   auto process = TRY(ClusterProcess::make(settings, {.data = …, .services = {"payment"}}));
//   TRY(settings.finish());
//   TRY(process->start());     // serves when it returns
//   process->drain();
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libs/base/settings.h"
#include "libs/base/time.h"

namespace micropay::app {

class ClusterProcess {
 public:
  struct Options {
    std::vector<std::string> services;
    // Waits so long; false: the process shall end. For a start that waits for what it needs.
    std::function<bool(Duration)> pause = {};
  };
  // Declares all settings; opens nothing.
  static Result<std::unique_ptr<ClusterProcess>> make(Settings& settings, Options options);
  ~ClusterProcess();

  Result<void> start();
  void drain();
  const std::string& data() const;
  // A line for each thing that it serves, for the person who started it.
  std::string banner() const;

 private:
  struct Impl;
  explicit ClusterProcess(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace micropay::app
