// Instances from DNS, where a cluster has no registry of ours: each service is a name whose addresses are its
// instances (a headless service of Kubernetes), asked for every few seconds.
//
//   DnsDirectory directory({.names = {{"payment", "payment.micropay.svc:8083"}}});
//   directory.start();
//
// A name that cannot be resolved keeps its last known instances.
#pragma once

#include <memory>

#include "libs/base/error.h"
#include "libs/base/settings.h"
#include "libs/remote/service_directory.h"

namespace micropay {

struct DnsSettings {
  std::map<std::string, std::string> names;  // service -> "name:port"
  Duration interval = 5 * kSecond;
  std::vector<std::string> problems = {};  // settings that are none

  // Declares discovery_client.dns ("payment=payment.svc:8083,balance=…") and discovery_client.dns_interval.
  static DnsSettings read(Settings& settings);
  bool on() const { return !names.empty(); }
};

class DnsDirectory final : public ServiceDirectory {
 public:
  explicit DnsDirectory(DnsSettings settings);
  ~DnsDirectory() override;
  void start();  // asks once before it returns
  void stop();

  void watch(std::function<void(const ServiceInstances&)> changed) override;
  ServiceInstances instances() const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace micropay
