// A group of services with its data and the processes that run it. In the embedded profile one site has all
// services and one process over a LogDisk; in the cluster profile each site has some of them, one or two
// processes over a Database, and hears of the others through the Bus.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "app/simulator/clock.h"
#include "app/simulator/handled.h"
#include "app/simulator/stores.h"
#include "libs/runtime/engine.h"

namespace micropay::app {

using Event = std::shared_ptr<const EventRecord>;

constexpr uint32_t kPartitions = 5;

// Topics with partitions, as a broker keeps them: order within a partition, nothing across.
class Bus {
 public:
  using Partition = std::vector<Event>;
  static uint32_t partition_of(const Event& event);
  void publish(const Event& event) {
    topics_[event->envelope.service()][partition_of(event)].push_back(event);
  }
  const Partition& read(const std::string& service, uint32_t partition) {
    return topics_[service][partition];
  }

 private:
  std::map<std::string, std::array<Partition, kPartitions>> topics_;
};

class Site;

// One process of a site: an engine that is stepped, and what it has handed to its workers.
class Process {
 public:
  Process(Site& site, uint32_t instance) : site_(site), instance_(instance) {}
  ~Process() { stop(); }
  Result<void> start(const Clock& clock, uint64_t seed);
  void stop();  // at once, as kill -9 does
  bool up() const { return engine_ != nullptr; }
  Engine& engine() { return *engine_; }
  Store& store() { return *store_; }
  std::string name() const;
  size_t jobs() const { return jobs_.size(); }
  void run_job(size_t index);
  // Publishes up to `count` events of its own; false when there was none.
  bool publish(Bus& bus, size_t count);
  bool deliver(Bus& bus, const std::string& service, uint32_t partition);
  // What deliver() would deliver; null: nothing.
  const Event* next_heard(Bus& bus, const std::string& service, uint32_t partition);
  void rewind(Bus& bus, const std::string& service, uint32_t partition, size_t by);
  uint64_t published() const { return published_; }

  Site& site_;
  const uint32_t instance_;
  bool paused = false;              // SIGSTOP: it does nothing, and does not know
  uint64_t starts = 0;              // incarnations so far
  uint64_t skip_publish = 0;        // a planted fault: so many events are not published
  bool stop_in_first_tick = false;  // the machine stops while the engine writes what it begins with

 private:
  void find_offsets(Bus& bus);
  size_t safe_offset(Bus& bus, const std::string& service, uint32_t partition);
  std::unique_ptr<Store> store_;
  std::unique_ptr<Engine> engine_;
  std::deque<std::function<void()>> jobs_;
  uint64_t published_ = 1;
  std::map<std::pair<std::string, uint32_t>, size_t> offsets_;
  friend class Site;
};

class Site {
 public:
  Site(std::vector<Service> services, bool cluster, uint32_t instances,
       std::function<void(Site&, const Tick&)> listener);

  std::vector<std::unique_ptr<Process>> processes;
  std::unique_ptr<LogDisk> disk;       // embedded
  std::unique_ptr<Database> database;  // cluster
  const std::vector<Service>& services() const { return services_; }
  bool runs(std::string_view service) const { return names_.contains(service); }
  bool hears(const contract::Event& event) const {
    return !runs(event.service->name) && (hears_all_ || heard_.contains(&event));
  }
  const std::set<std::string>& topics() const { return topics_; }
  std::string name() const;
  Process& any(Random& random) { return *processes[random.below(processes.size())]; }
  Process* running();          // one that is up and not paused, or null
  const Store& state() const;  // what is durable, once all is applied

  Handled handled;
  FirstTimes first_times;
  bool first_time = false;  // since somebody looked last

  uint64_t published = 1;  // how far its events are known to be published; trails behind
  std::map<std::pair<std::string, uint32_t>, uint32_t> owners;  // partition -> instance

 private:
  std::vector<Service> services_;
  std::set<std::string, std::less<>> names_;
  std::set<const contract::Event*> heard_;
  std::set<std::string> topics_;  // of other services
  bool hears_all_ = false;
  std::unique_ptr<Projector> projector_;
};

}  // namespace micropay::app
