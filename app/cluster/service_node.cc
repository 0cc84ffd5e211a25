#include "app/cluster/service_node.h"

#include <algorithm>
#include <set>

#include "contracts/runtime.pb.h"
#include "libs/base/log.h"
#include "libs/base/slewed_clock.h"
#include "libs/kafka/topics.h"

namespace micropay::app {
namespace {

constexpr size_t kMostWaiting = 4'000;  // inputs of the engine, before events are left in their topics
constexpr std::string_view kShipping = "(shipping)";  // the duty; no service has such a name

}  // namespace

ServiceNode::ServiceNode(const ClusterSettings& settings, Service service, Options options)
    : settings_(settings), service_(std::move(service)), options_(std::move(options)) {
  find_topics();
}

ServiceNode::~ServiceNode() { stop(0); }

// The topics of the services whose events it has handlers for.
void ServiceNode::find_topics() {
  std::set<const contract::Event*> heard;
  for (const auto* list : {&service_.reactions, &service_.followers, &service_.projections})
    for (const Service::EventHandler& handler : *list)
      if (handler.event == nullptr) hears_all_ = true;
      else heard.insert(handler.event);
  std::set<std::string> topics;
  for (const contract::Event* event : contract::model().events()) {
    if (event->service == service_.contract || (!hears_all_ && !heard.contains(event))) continue;
    topics.insert(kafka::topic_of(settings_.kafka, event->service->name));
  }
  heard_.assign(heard.begin(), heard.end());
  topics_.assign(topics.begin(), topics.end());
}

Result<void> ServiceNode::open() {
  projector_ = Engine::make_projector({service_});
  store_ = TRY(ServerStore::open(TRY(settings_.store_of(name())), contract::model(), projector_.get()));
  for (const std::string& note : store_->open_notes()) log_info("store.changed", note, {{"service", name()}});
  keep_system_clock_after(store_->end().time);
  EngineOptions options = options_.engine;
  options.shared_store = true;
  options.topic_of = [this](std::string_view service) { return kafka::topic_of(settings_.kafka, service); };
  engine_ = std::make_unique<Engine>(options, *store_, system_clock(), std::vector{service_});
  return engine_->open();
}

Result<void> ServiceNode::start() {
  shipper_ = std::make_unique<kafka::Shipper>(
      settings_.kafka, *store_,
      kafka::ShipperOptions{
          .service = name(),
          .load = [this]() -> Result<uint64_t> { return TRY(store_->duty_position(kShipping)) + 1; },
          .save = [this](uint64_t next) { return store_->set_duty_position(kShipping, next - 1); },
          .may_ship = [this] { return store_->has_duty(kShipping); },
          .traces = options_.engine.traces});
  engine_->on_committed([this](const auto&) { shipper_->poke(); });
  server_ = std::make_unique<rpc::Server>(
      rpc::ServerOptions{.listen = options_.listen, .keys = options_.keys, .plaintext = settings_.plaintext},
      *engine_, system_clock());
  engine_->start();
  shipper_->start();
  if (!topics_.empty()) TRY(open_subscriber());
  return server_->start();
}

Result<void> ServiceNode::open_subscriber() {
  subscriber_ = std::make_unique<kafka::Subscriber>(
      settings_.kafka,
      kafka::SubscriberOptions{
          .group = name(),
          .topics = topics_,
          .start = [this](const kafka::Partition& partition) { return last_taken(partition); },
          .take = [this](const kafka::Consumed& consumed) { return take(consumed); },
          .failed =
              [this](const Error& error) {
                log_error("events.stopped", error.detail, {{"service", name()}, {"reason", error.reason}});
              },
          .skip_unknown_types = true});
  return subscriber_->open();
}

// As the database has it: what the engine has taken in and committed.
Result<std::optional<kafka::LastTaken>> ServiceNode::last_taken(const kafka::Partition& partition) const {
  static const contract::Table& table = *contract::model().table_of<ConsumerRecord>();
  for (const contract::Service* source : contract::model().services()) {
    if (kafka::topic_of(settings_.kafka, source->name) != partition.topic) continue;
    const auto key = table.encode_key({fmt::format("source:{}/{}", source->name, partition.number)});
    const Row row = store_->get(table, *key);
    if (row == nullptr) return std::nullopt;
    const auto& record = static_cast<const ConsumerRecord&>(*row);
    return kafka::LastTaken{.offset = record.offset(), .position = record.position()};
  }
  return std::nullopt;
}

bool ServiceNode::take(const kafka::Consumed& consumed) {
  const contract::Event* type = consumed.event->type;
  if (!hears_all_ && !std::ranges::binary_search(heard_, type)) return true;
  if (engine_->stats().queued >= kMostWaiting) return false;
  engine_->deliver(consumed.event, consumed.partition, consumed.offset);
  return true;
}

bool ServiceNode::ready() const { return engine_ != nullptr && engine_->state() == Engine::State::kRunning; }

void ServiceNode::stop(Duration grace) {
  if (subscriber_) subscriber_->close();
  if (server_) server_->stop(grace);
  if (engine_ && engine_->state() == Engine::State::kRunning) engine_->drain(grace);
  if (shipper_) shipper_->stop();
  subscriber_.reset();
  server_.reset();
  shipper_.reset();
  engine_.reset();
  store_.reset();
}

}  // namespace micropay::app
