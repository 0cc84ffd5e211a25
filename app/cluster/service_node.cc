#include "app/cluster/service_node.h"

#include "contracts/runtime.pb.h"
#include "libs/base/log.h"
#include "libs/base/slewed_clock.h"
#include "libs/kafka/key_partition.h"
#include "libs/kafka/topics.h"

namespace micropay::app {
namespace {

constexpr size_t kMostWaiting = 4'000;  // inputs of the engine, before events are left in their topics
// So much of a partition that is not heard is read again at most, after a start or a rebalance.
constexpr size_t kMostPassed = 2'000;
constexpr Duration kPassedFor = 5 * kSecond;
constexpr Duration kPatience = 50 * kMillisecond;               // of services that nobody waits for
constexpr std::string_view kPartitionsNumber = "(partitions)";  // no service has such a name

}  // namespace

ServiceNode::ServiceNode(const ClusterSettings& settings, Service service, Options options)
    : settings_(settings), service_(std::move(service)), options_(std::move(options)), heard_(service_) {
  for (const Service::EventHandler& reaction : service_.reactions)
    reacts_ |= reaction.event != nullptr && reaction.event->service != service_.contract;
}

ServiceNode::~ServiceNode() { stop(0); }

Result<void> ServiceNode::open() {
  engine_.reset(), store_.reset();  // an attempt before this one
  projector_ = Engine::make_projector({service_});
  store_ = TRY(ServerStore::open(TRY(settings_.store_of(name())), contract::model(), projector_.get()));
  for (const std::string& note : store_->open_notes()) log_info("store.changed", note, {{"service", name()}});
  TRY(check_partitions());
  keep_system_clock_after(store_->end().time);
  EngineOptions options = options_.engine;
  options.shared_store = true;
  options.tick_interval = settings_.tick_interval;
  options.stands_by = [this] { return away() && !ships_; };
  options.partition_of = [partitions = settings_.kafka.partitions](std::string_view key) {
    return kafka::key_partition(key, partitions);
  };
  options.topic_of = [this](std::string_view service) { return kafka::topic_of(settings_.kafka, service); };
  engine_ = std::make_unique<Engine>(options, *store_, system_clock(), std::vector{service_});
  return engine_->open();
}

// Where an event is follows from the number of partitions, and what was taken in is kept by partition: with
// another number, events would be taken in again, from other places.
Result<void> ServiceNode::check_partitions() {
  const uint64_t settled = TRY(store_->settled_number(kPartitionsNumber, settings_.kafka.partitions));
  if (settled == settings_.kafka.partitions) return {};
  return fail(
      Code::kFailedPrecondition, "partitions_changed",
      fmt::format("the database of {} has been used with kafka.partitions={}, and what it has taken in "
                  "is kept by these: set it back",
                  name(), settled),
      "kafka.partitions");
}

Result<void> ServiceNode::start() {
  shipper_ = std::make_unique<kafka::Shipper>(
      settings_.kafka, *store_,
      kafka::ShipperOptions{
          .service = name(),
          .load = [this]() -> Result<uint64_t> { return TRY(store_->duty_position(kShippingDuty)) + 1; },
          .save = [this](uint64_t next) { return store_->set_duty_position(kShippingDuty, next - 1); },
          .may_ship = [this] { return ships_ = store_->has_duty(kShippingDuty, !away()); },
          .traces = options_.engine.traces});
  engine_->on_committed([this](const auto&) { shipper_->poke(); });
  engine_->on_foreign_commit([this] { shipper_->poke(); });
  server_ = std::make_unique<rpc::Server>(rpc::ServerOptions{.listen = options_.listen,
                                                             .keys = options_.keys,
                                                             .plaintext = settings_.plaintext,
                                                             .away = [this] { return away(); }},
                                          *engine_, system_clock());
  engine_->start();
  shipper_->start();
  if (!heard_.sources().empty()) TRY(open_subscriber());
  publish_gauges();
  return server_->start();
}

// As a platform in one process has them, by service.
void ServiceNode::publish_gauges() {
  const auto engine = [this](std::string_view metric, std::string_view help, uint64_t EngineStats::* value) {
    gauges_.push_back(gauge_callback(metric, help, {{"service", name()}},
                                     [this, value] { return double(engine_->stats().*value); }));
  };
  engine("micropay_engine_queued_inputs", "Inputs that wait", &EngineStats::queued);
  engine("micropay_engine_effects_pending", "Calls to the outside under way or waiting",
         &EngineStats::effects_pending);
  engine("micropay_engine_deliveries_pending", "Events that wait to be handled again",
         &EngineStats::deliveries_pending);
  gauges_.push_back(gauge_callback("micropay_store_cached_rows", "Rows in memory", {{"service", name()}},
                                   [this] { return double(store_->stats().cached_rows); }));
}

Result<void> ServiceNode::open_subscriber() {
  std::vector<std::string> topics;
  for (const contract::Service* source : heard_.sources())
    topics.push_back(kafka::topic_of(settings_.kafka, source->name));
  subscriber_ = std::make_unique<kafka::Subscriber>(
      settings_.kafka,
      kafka::SubscriberOptions{
          .group = name(),
          .topics = std::move(topics),
          .start = [this](const kafka::Partition& partition) { return last_taken(partition); },
          .take = [this](const kafka::Consumed& consumed) { return take(consumed); },
          .assigned = [this](const auto& gained) { partitions_ += gained.size(); },
          .revoked = [this](const auto& gone, bool) { partitions_ -= gone.size(); },
          .failed =
              [this](const Error& error) {
                deaf_ = true;
                log_error("events.stopped", error.detail, {{"service", name()}, {"reason", error.reason}});
              },
          .skip_unknown_types = true,
          .patience = reacts_ ? 0 : kPatience});
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

void ServiceNode::pass(const kafka::Consumed& consumed, Passed& passed) {
  const Time now = system_clock().monotonic();
  if (passed.count++ == 0) passed.since = now;
  if (passed.count < kMostPassed && now - passed.since < kPassedFor) return;
  if (engine_->stats().queued >= kMostWaiting) return;
  engine_->pass(consumed.event, consumed.partition, consumed.offset);
  passed = {};
}

bool ServiceNode::take(const kafka::Consumed& consumed) {
  Passed& passed = passed_[{consumed.event->type->service, consumed.partition}];
  if (!heard_.has(consumed.event->type)) {
    pass(consumed, passed);
    return true;
  }
  if (engine_->stats().queued >= kMostWaiting) return false;
  passed = {};
  engine_->deliver(consumed.event, consumed.partition, consumed.offset);
  return true;
}

// No event comes here: what it commits, others have to hear of before anything follows (decisions/0011).
bool ServiceNode::away() const { return !heard_.sources().empty() && partitions_ == 0; }

bool ServiceNode::hears_of(const std::string& service) const {
  return std::ranges::count(heard_.sources(), service, &contract::Service::name) > 0;
}

std::optional<Error> ServiceNode::problem() const {
  if (engine_ == nullptr || engine_->state() != Engine::State::kRunning)
    return Error{.code = Code::kUnavailable, .reason = "not_running", .detail = name() + " does not run"};
  auto problem = store_->problem();
  if (!problem && deaf_)
    problem = Error{.code = Code::kUnavailable,
                    .reason = "events_stopped",
                    .detail = "its events are taken in no more: see events.stopped in the log"};
  if (!problem && subscriber_) problem = subscriber_->held_up();
  if (problem) problem->detail = fmt::format("{}: {}", name(), problem->detail);
  return problem;
}

void ServiceNode::stop(Duration grace) {
  gauges_.clear();
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
