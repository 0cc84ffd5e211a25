// Which instances of which service there are, as far as this process knows: from a registry
// (discovery_client.h) or from DNS (dns_directory.h). What callers of other services build their connections
// from.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace micropay {

struct ServiceInstance {
  std::string id;
  std::string host;
  uint16_t port = 0;  // of its gRPC
  bool up = true;     // false: known, but not to be called now
  std::map<std::string, std::string> metadata = {};

  std::string address() const { return host + ":" + std::to_string(port); }
  bool operator==(const ServiceInstance&) const = default;
};
// By service name, lower case; complete: what is not there is gone. Instances in the order of their ids.
using ServiceInstances = std::map<std::string, std::vector<ServiceInstance>, std::less<>>;

class ServiceDirectory {
 public:
  virtual ~ServiceDirectory() = default;
  // Calls `changed` at once with what is known, and from any thread whenever that changes. Another call
  // replaces the first; after watch({}) has returned, nothing is called any more. `changed` may not call
  // watch().
  virtual void watch(std::function<void(const ServiceInstances&)> changed) = 0;
  virtual ServiceInstances instances() const = 0;
};

}  // namespace micropay
