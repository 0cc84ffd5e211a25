// A client's copy of a registry: whole, then kept up by deltas. Pure.
#pragma once

#include <map>
#include <string>

#include "libs/eureka/instance.h"
#include "libs/remote/service_directory.h"

namespace micropay {

class RegistryCopy {
 public:
  // Everything anew. When more than half of what was known is missing without a word (a registry that was
  // just started and has heard of few), the old stays until that has been so for `grace`. Error:
  // malformed_body.
  Result<void> take_all(std::string_view json, Time now, Duration grace);
  // What changed lately. False: it does not add up to the registry's hash code: ask for everything.
  Result<bool> take_delta(std::string_view json);

  ServiceInstances instances() const;
  std::string hash_code() const;
  size_t size() const;
  bool withheld() const { return shrunk_since_ != 0; }

 private:
  using Instances = std::map<std::pair<std::string, std::string>, eureka::Instance>;  // by application and id
  Instances known_;
  Time shrunk_since_ = 0;  // since when the registry has been that small
};

}  // namespace micropay
