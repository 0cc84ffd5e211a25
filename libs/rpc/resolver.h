// Where the instances of each service are. A discovery pushes what it learns; a setting names them once.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/error.h"

namespace micropay::rpc {

struct TargetInfo {
  std::string address;  // "host:port" of its gRPC
  bool up = true;       // false: known, but not to be called now
  bool operator==(const TargetInfo&) const = default;
};
// Instances by service name, complete: what is not there is gone.
using Targets = std::map<std::string, std::vector<TargetInfo>, std::less<>>;

class Resolver {
 public:
  virtual ~Resolver() = default;
  // Calls `changed` at once with what is known, and from any thread whenever that changes. Another call
  // replaces the first; after watch({}) has returned, nothing is called any more.
  virtual void watch(std::function<void(const Targets&)> changed) = 0;
};

// "payment=127.0.0.1:18083+127.0.0.1:18084,balance=10.0.0.2:18085". invalid_targets when it is not of that
// form.
Result<Targets> parse_targets(std::string_view text);
std::shared_ptr<Resolver> static_resolver(Targets targets);

}  // namespace micropay::rpc
