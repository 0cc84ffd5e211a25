// What one discovery server tells the other: Eureka's own batch of changes. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/discovery/rules/terms.h"

namespace micropay::discovery {

struct Replica {
  enum class Kind : uint8_t { kRegister, kHeartbeat, kCancel, kStatusUpdate, kDeleteStatusOverride };
  Kind kind = Kind::kHeartbeat;
  std::string app;
  std::string id;
  int64_t dirty_ms = 0;
  Status status = Status::kUnknown;      // of kStatusUpdate, kDeleteStatusOverride
  Status overridden = Status::kUnknown;  // of kHeartbeat
  InstancePtr instance = nullptr;        // of kRegister, kHeartbeat
};

std::string write_replicas(const std::vector<Replica>& replicas);  // JSON
// Errors: malformed_body, invalid_instance; at most 1,000 of them.
Result<std::vector<Replica>> read_replicas(std::string_view json);

// The answer: a status for each, and for 409 the instance that is newer here.
struct ReplicaAnswer {
  uint32_t status = 200;
  InstancePtr newer = nullptr;
};
std::string write_replica_answers(const std::vector<ReplicaAnswer>& answers);
Result<std::vector<ReplicaAnswer>> read_replica_answers(std::string_view json);

}  // namespace micropay::discovery
