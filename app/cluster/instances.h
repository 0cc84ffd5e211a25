// Where the other processes are, for the clients of this one: as the registry or DNS says, or the setting
// rpc.targets.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "libs/remote/service_directory.h"
#include "libs/rpc/resolver.h"

namespace micropay::app {

// Hands what one directory knows to any number of resolvers. Outlives them.
class Instances {
 public:
  explicit Instances(ServiceDirectory& directory) : directory_(directory) {}
  ~Instances() { directory_.watch({}); }
  void start();  // after the directory's own
  std::shared_ptr<rpc::Resolver> resolver();

 private:
  class Resolver;
  void changed(const ServiceInstances& all);

  ServiceDirectory& directory_;
  std::mutex mutex_;
  rpc::Targets targets_;                                                          // guarded by mutex_
  std::map<const Resolver*, std::function<void(const rpc::Targets&)>> watchers_;  // guarded by mutex_
};

}  // namespace micropay::app
