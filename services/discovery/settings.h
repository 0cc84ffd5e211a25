// What can be set about the discovery service. Read once, at start.
#pragma once

#include <string>
#include <vector>

#include "libs/base/error.h"
#include "libs/base/time.h"
#include "libs/http/tls.h"
#include "services/discovery/rules/registry.h"

namespace micropay {
class Settings;
}

namespace micropay::discovery {

struct DiscoverySettings {
  std::string listen = "127.0.0.1:8761";
  std::string ops_listen = "127.0.0.1:9061";
  std::vector<std::string> peers;  // "http://host:8761/eureka" of the others
  std::string user = "discovery";
  std::string password;  // of clients and peers; empty: anybody, on loopback only
  HttpTlsFiles tls;      // empty: plain HTTP
  std::string snapshot;  // a file that keeps the registry over a restart; empty: none
  std::string ca_file;   // authorities of peers with https://
  RegistryOptions registry;
  Duration eviction_interval = 5 * kSecond;
  Duration sync_timeout = 10 * kSecond;  // of asking the peers at start

  static DiscoverySettings read(Settings& settings);
  Result<void> check() const;  // invalid_setting
};

}  // namespace micropay::discovery
