// One instance of an application as registries know it, and its form on the wire (Eureka's InstanceInfo).
// Pure.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "libs/base/time.h"
#include "libs/eureka/node.h"

namespace micropay::eureka {

enum class Status : uint8_t { kUp, kDown, kStarting, kOutOfService, kUnknown };
enum class Action : uint8_t { kAdded, kModified, kDeleted };

std::string_view status_text(Status status);  // "OUT_OF_SERVICE"
std::optional<Status> parse_status(std::string_view text);

struct Port {
  uint16_t number = 0;
  bool enabled = false;
};

struct Lease {
  int64_t renewal_s = 30;   // how often it is renewed
  int64_t duration_s = 90;  // how long it lives without
  Time registered = 0;
  Time renewed = 0;
  Time evicted = 0;
  Time up_since = 0;
};

struct Instance {
  std::string id;
  std::string app;  // upper case
  std::string group, host, ip, sid, asg;
  Port port, secure_port;
  std::string home_page, status_page, health_check, secure_health_check;
  std::string vip, secure_vip;  // several with commas
  int64_t country = 1;
  std::string data_center_class = "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo";
  std::string data_center = "MyOwn";
  std::map<std::string, std::string> data_center_metadata;
  Status status = Status::kUp;
  Status overridden = Status::kUnknown;  // what an operator set; kUnknown: nothing
  Lease lease;
  bool coordinating = false;
  std::map<std::string, std::string> metadata;
  int64_t updated_ms = 0;
  int64_t dirty_ms = 0;  // the instance's own clock: when it last changed what it says of itself
  Action action = Action::kAdded;
};
using InstancePtr = std::shared_ptr<const Instance>;

// From an <instance> element. Errors: invalid_instance with the field: what is missing (instanceId, hostName,
// ipAddr, app, dataCenterInfo), a name that is none, a number out of range, or too much: 64 entries of
// metadata, texts over 1,024 bytes.
Result<Instance> instance_from(const Node& node);
// Its members, into `node`.
void write_instance(const Instance& instance, Node& node);

// Letters, digits and . _ - : @ # + ~ / as instance ids and application names have them; at most 255 bytes.
bool is_id(std::string_view text);
bool is_metadata_key(std::string_view text);  // at most 128 bytes; no control characters
constexpr size_t kMaxMetadata = 64;
constexpr size_t kMaxText = 1'024;

std::string upper(std::string_view text);

}  // namespace micropay::eureka
