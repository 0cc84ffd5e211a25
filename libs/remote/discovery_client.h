// Registers this process's services in the discovery service, renews them, and keeps a copy of who else there
// is.
//
//   DiscoveryClient client(settings, {{.service = "payment", .port = 18083, .ops_port = 9083}});
//   client.watch([](const ServiceInstances& all) { … });
//   client.start();             // returns at once; goes on trying when nobody answers
//   client.set_up(false);       // others shall not call us any more: we drain
//   client.stop();              // tells the registry that we are gone
//
// Several servers: the one that answered last is asked first. None answers: the last known copy stays in
// force, which micropay_discovery_client_stale shows.
#pragma once

#include <memory>

#include "libs/base/error.h"
#include "libs/base/settings.h"
#include "libs/remote/service_directory.h"

namespace micropay {

struct DiscoveryClientSettings {
  std::vector<std::string> uris;  // "http://host:8761/eureka"; empty: there is no discovery
  std::string user = "discovery";
  std::string password;
  std::string ca_file;             // authorities, PEM, for https://
  std::string host = "127.0.0.1";  // at which others reach this process
  std::string zone;                // in the metadata
  Duration heartbeat = 5 * kSecond;
  Duration lease = 15 * kSecond;  // without heartbeats
  Duration refresh = 2 * kSecond;
  Duration timeout = 2 * kSecond;  // of one call

  static DiscoveryClientSettings read(Settings& settings);  // declares discovery_client.*
  bool on() const { return !uris.empty(); }
};

struct OwnInstance {
  std::string service;  // "payment"
  uint16_t port = 0;    // of its gRPC
  uint16_t ops_port = 0;
  std::map<std::string, std::string> metadata = {};
};

class DiscoveryClient final : public ServiceDirectory {
 public:
  DiscoveryClient(DiscoveryClientSettings settings, std::vector<OwnInstance> own);
  ~DiscoveryClient() override;

  void start();
  void set_up(bool up);
  void stop();
  bool registered() const;  // everything of our own, at the last heartbeat

  void watch(std::function<void(const ServiceInstances&)> changed) override;
  ServiceInstances instances() const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace micropay
