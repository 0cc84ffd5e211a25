// Where the other processes are, for the clients of this one: as the registry or DNS says, or the setting
// rpc.targets.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "libs/base/time.h"
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

// Waits until an instance of each of these services is known; the names of those that are not, once
// `patience` is over.
std::vector<std::string> missing_services(rpc::Resolver& resolver, std::vector<std::string> names,
                                          Duration patience);

}  // namespace micropay::app
