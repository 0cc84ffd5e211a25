// One service in a process of the cluster profile: its database, its engine, its calls, and its events to and
// from Kafka. Several of them may share a process; each is as it would be alone.
//
//   ServiceNode node(settings, engine_options, std::move(service), {keys, &tracer});
//   TRY(node.open());      // tables, engine; nothing is served yet
//   TRY(node.start());     // serves when it returns
//   node.stop(grace);      // what runs is answered, then all is closed
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "app/cluster/heard_events.h"
#include "app/cluster/settings.h"
#include "libs/base/metrics.h"
#include "libs/kafka/shipper.h"
#include "libs/kafka/subscriber.h"
#include "libs/rpc/server.h"
#include "libs/runtime/engine.h"

namespace micropay::app {

// The duty of publishing the service's events, and how far that is; no service has such a name.
constexpr std::string_view kShippingDuty = "(shipping)";

class ServiceNode {
 public:
  struct Options {
    EngineOptions engine;
    std::string listen;
    std::shared_ptr<rpc::TlsKeys> keys;
  };
  ServiceNode(const ClusterSettings& settings, Service service, Options options);
  ~ServiceNode();

  Result<void> open();
  Result<void> start();
  void refuse_new();  // health says no, and others look elsewhere
  void stop(Duration grace);

  const std::string& name() const { return service_.name; }
  Engine& engine() { return *engine_; }
  ServerStore& store() { return *store_; }
  std::string address() const { return server_ ? server_->address() : std::string(); }
  bool ready() const { return !problem(); }
  std::optional<Error> problem() const;  // why it is not ready
  // Services whose events it takes in.
  bool hears_of(const std::string& service) const;

 private:
  void publish_gauges();
  Result<std::optional<kafka::LastTaken>> last_taken(const kafka::Partition& partition) const;
  struct Passed {  // events of a partition that nobody here hears, since the last that was noted
    size_t count = 0;
    Time since = 0;
  };
  bool take(const kafka::Consumed& consumed);
  void pass(const kafka::Consumed& consumed, Passed& passed);
  bool away() const;
  Result<void> check_partitions();
  Result<void> open_subscriber();

  const ClusterSettings& settings_;
  const Service service_;
  const Options options_;
  const HeardEvents heard_;
  bool reacts_ = false;                // to events of others
  std::atomic<size_t> partitions_{0};  // of others' topics, that come here
  std::atomic<bool> ships_{false};     // publishes the service's events
  std::atomic<bool> deaf_{false};      // consumption has ended for good
  std::unique_ptr<Projector> projector_;
  std::unique_ptr<ServerStore> store_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<kafka::Shipper> shipper_;
  std::unique_ptr<kafka::Subscriber> subscriber_;
  std::map<std::pair<const contract::Service*, uint32_t>, Passed> passed_;  // of the subscriber's thread
  std::vector<GaugeCallback> gauges_;
};

}  // namespace micropay::app
