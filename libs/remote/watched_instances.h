// What a directory knows, with the one who wants to hear of changes. Any thread. Internal to libs/remote.
#pragma once

#include <mutex>

#include "libs/remote/service_directory.h"

namespace micropay {

class WatchedInstances {
 public:
  void watch(std::function<void(const ServiceInstances&)> changed) {
    const std::scoped_lock lock(mutex_);
    changed_ = std::move(changed);
    if (changed_) changed_(known_);
  }
  // Whether they are others than before.
  bool set(ServiceInstances instances) {
    const std::scoped_lock lock(mutex_);
    if (instances == known_) return false;
    known_ = std::move(instances);
    if (changed_) changed_(known_);
    return true;
  }
  ServiceInstances get() const {
    const std::scoped_lock lock(mutex_);
    return known_;
  }

 private:
  mutable std::mutex
      mutex_;  // held while the watcher is called: so the calls come in order, and end with watch({})
  ServiceInstances known_;
  std::function<void(const ServiceInstances&)> changed_;
};

}  // namespace micropay
