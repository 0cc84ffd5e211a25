// Which events of other services a service has handlers for: what it subscribes to in a cluster, and what its
// log must therefore hold.
#pragma once

#include <string>
#include <vector>

#include "libs/runtime/service.h"

namespace micropay::app {

class HeardEvents {
 public:
  explicit HeardEvents(const Service& service);
  bool has(const contract::Event* type) const;
  const std::vector<const contract::Service*>& sources() const { return sources_; }

 private:
  const contract::Service* own_;
  bool all_ = false;
  std::vector<const contract::Event*> types_;      // sorted
  std::vector<const contract::Service*> sources_;  // in the order of the model
};

}  // namespace micropay::app
