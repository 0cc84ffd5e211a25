#include "app/cluster/instances.h"

#include <condition_variable>

namespace micropay::app {

class Instances::Resolver final : public rpc::Resolver {
 public:
  explicit Resolver(Instances& instances) : instances_(instances) {}
  ~Resolver() override { Resolver::watch({}); }

  // Under the lock, so that nothing is called any more once watch({}) has returned.
  void watch(std::function<void(const rpc::Targets&)> changed) override {
    const std::lock_guard lock(instances_.mutex_);
    if (!changed) {
      instances_.watchers_.erase(this);
      return;
    }
    changed(instances_.targets_);
    instances_.watchers_[this] = std::move(changed);
  }

 private:
  Instances& instances_;
};

void Instances::start() {
  directory_.watch([this](const ServiceInstances& all) { changed(all); });
}

void Instances::changed(const ServiceInstances& all) {
  rpc::Targets targets;
  for (const auto& [service, instances] : all)
    for (const ServiceInstance& instance : instances)
      targets[service].push_back({.address = instance.address(), .up = instance.up});
  const std::lock_guard lock(mutex_);
  targets_ = std::move(targets);
  for (const auto& [resolver, tell] : watchers_) tell(targets_);
}

std::shared_ptr<rpc::Resolver> Instances::resolver() { return std::make_shared<Resolver>(*this); }

std::vector<std::string> missing_services(rpc::Resolver& resolver, std::vector<std::string> names,
                                          Duration patience) {
  std::mutex mutex;
  std::condition_variable changed;
  resolver.watch([&](const rpc::Targets& targets) {
    const std::lock_guard lock(mutex);
    std::erase_if(names, [&](const std::string& name) {
      const auto found = targets.find(name);
      return found != targets.end() && !found->second.empty();
    });
    changed.notify_all();
  });
  std::unique_lock lock(mutex);
  changed.wait_for(lock, std::chrono::microseconds(patience), [&] { return names.empty(); });
  lock.unlock();
  resolver.watch({});
  return names;
}

}  // namespace micropay::app
