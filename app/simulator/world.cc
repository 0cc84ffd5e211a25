#include "app/simulator/world.h"

#include "app/modules.h"

namespace micropay::app {
namespace {

constexpr size_t kMostOpen = 60;  // ticks that may wait for the tables

}  // namespace

SimulatedWorld::SimulatedWorld(const SimulationOptions& options, Coverage& coverage)
    : options_(options), began_(clock_.monotonic()) {
  Random random(options.seed, uint64_t(1) << 40);
  random_ = &random;
  make_sites(options, coverage);
  std::vector<const contract::Method*> methods;
  for (const auto& site : sites_)
    for (const Service& service : site->services()) {
      for (const auto& command : service.commands) methods.push_back(command.method);
      for (const auto& query : service.queries) methods.push_back(query.method);
    }
  for (const contract::Method* method : contract::model().methods())
    if (method->service->name == "runtime") methods.push_back(method);
  clients_ = std::make_unique<Clients>(known_, coverage, clock_, methods, random);
  if (options.tell)
    clients_->on_answer = [this](const Request& request) {
      options_.tell(
          {number_, clock_.monotonic() - began_, "",
           fmt::format("  request {} is answered {} {}", request.number, request.status, request.reason)});
    };
  for (const Kind& kind : kinds()) {
    const uint32_t weight = options.cluster ? kind.cluster : kind.usual;
    // Some runs are calm in one way or wild in another: swarm testing (Groce et al., ISSTA 2012).
    weights_.push_back(weight < 10 && random.chance(25) ? 0 : weight + uint32_t(random.below(weight + 1)));
  }
  first_times_ = random.chance(70);
  newest_first_ = random.chance(40);
  for (const auto& site : sites_)
    for (const auto& process : site->processes) {
      process->stop_in_first_tick = random.chance(20);
      start(*process, random);
    }
  random_ = nullptr;
}

SimulatedWorld::~SimulatedWorld() {
  for (const auto& site : sites_)
    for (const auto& process : site->processes) process->stop();
}

const std::vector<SimulatedWorld::Kind>& SimulatedWorld::kinds() {
  using W = SimulatedWorld;
  static const std::vector<Kind> kKinds = {
      {&W::ask, 100, 60},    {&W::tick, 100, 90},     {&W::deliver, 0, 110},  {&W::publish, 0, 60},
      {&W::run_job, 25, 15}, {&W::pass_time, 25, 20}, {&W::apply, 20, 0},     {&W::crash, 2, 1},
      {&W::restart, 9, 9},   {&W::hurt_store, 2, 2},  {&W::jump_clock, 1, 1}, {&W::pause, 0, 3},
      {&W::rebalance, 0, 4},
  };
  return kKinds;
}

void SimulatedWorld::make_sites(const SimulationOptions& options, Coverage& coverage) {
  Random random(options.seed, uint64_t(1) << 41);
  std::vector<Service> all = *make_services({settings_, "", clock_}, options.services);
  coverage.expect(all);
  plant(options.fault, all);
  coverage.count_handlers(all);
  wrap_effects(all, coverage);
  const size_t groups = options.cluster ? 2 + random.below(all.size()) : 1;
  std::vector<std::vector<Service>> parts(groups);
  for (Service& service : all) parts[random.below(groups)].push_back(std::move(service));
  for (auto& part : parts) {
    if (part.empty()) continue;
    const uint32_t instances = options.cluster ? 1 + uint32_t(random.chance(40)) : 1;
    auto site = std::make_unique<Site>(std::move(part), options.cluster, instances,
                                       [this](Site& of, const Tick& tick) {
                                         watch_.take(of, tick);
                                         if (auto wrong = of.handled.durable(tick); !wrong.empty())
                                           watch_.blame(of.name() + ": " + wrong);
                                         known_.take(tick);
                                       });
    tamperings_.push_back(std::make_shared<Tampering>(options.fault));
    const auto tamper = [tampering = tamperings_.back()](Tick& tick) { (*tampering)(tick); };
    if (site->disk) {
      site->disk->tamper = tamper;
    } else {
      site->database->tamper = tamper;
      site->database->stale_cache = options.fault == Fault::kKeepsStaleCache;
      if (options.fault == Fault::kPublishesBeforeCommit)
        site->database->on_refused = [this, of = site.get()](const Tick& tick) {
          for (const Event& event : tick.events)
            if (of->runs(event->envelope.service())) bus_.publish(event);
        };
    }
    sites_.push_back(std::move(site));
  }
}

// The outside is reached through the services' own effects, but the line is bad and the other end lies: calls
// that never arrive, answers that get lost, "it never came" about one that did.
void SimulatedWorld::wrap_effects(std::vector<Service>& services, Coverage& coverage) {
  for (Service& service : services)
    for (auto& effect : service.effects)
      effect.perform = [this, &coverage,
                        name = fmt::format("{} effect {} ", service.name, effect.type->name()),
                        inner = std::move(effect.perform)](const Service::Message& request,
                                                           std::string_view key, bool poll) {
        return outside(request, key, poll, inner, [&](const char* what) { coverage.reached(name + what); });
      };
}

// A call may be made once, and once more for each time that the outside has said that nothing happened.
// Whoever makes it again without such a word would have it done twice by a provider that is not told apart
// the two.
AnyOutcome SimulatedWorld::outside(const Service::Message& request, std::string_view key, bool poll,
                                   const Perform& inner, const std::function<void(const char*)>& reached) {
  using Kind = AnyOutcome::Kind;
  Calls& calls = calls_[std::string(key)];
  if (!poll && ++calls.made > calls.may)
    watch_.blame(fmt::format("{} {} was made again, and nobody had said that it did not happen",
                             request.GetDescriptor()->name(), key));
  const uint64_t roll = honest_ ? 0 : random_->below(100);
  const auto say = [&](Kind kind, const char* text) -> AnyOutcome {
    reached(text);
    if (kind == Kind::kRetry || kind == Kind::kFailed) ++calls.may;
    return {kind, nullptr, text};
  };
  const auto carry_out = [&] {
    AnyOutcome outcome = inner(request, key, poll);
    calls.happened |= outcome.kind == Kind::kDone;
    if (outcome.kind == Kind::kRetry || outcome.kind == Kind::kFailed) ++calls.may;
    return outcome;
  };
  if (roll >= 94) {
    if (roll >= 97) carry_out();
    reached("throws");
    throw std::runtime_error("the connection broke");
  }
  if (roll >= 88) return say(Kind::kUnknown, "unknown");
  if (roll >= 82) {
    carry_out();
    return say(Kind::kUnknown, "unknown");
  }
  if (roll >= 76) return say(Kind::kRetry, "retry");
  if (roll >= 71 && !poll && !calls.happened) return say(Kind::kFailed, "failed");
  AnyOutcome outcome = carry_out();
  if (outcome.kind == Kind::kDone) reached("done");
  return outcome;
}

void SimulatedWorld::start(Process& process, Random& random) {
  const auto started = process.start(clock_, random.next() >> 22 << 8);
  if (started) return;
  if (started.error().code != Code::kUnavailable)
    watch_.blame(fmt::format("{} does not start: {} {}", process.name(), started.error().reason,
                             started.error().detail));
  process.stop();
  if (LogDisk* disk = process.site_.disk.get(); disk != nullptr && disk->folder().stop_at_sync)
    disk->crash(random);
}

void SimulatedWorld::step(uint32_t number, Random& random) {
  random_ = &random;
  number_ = number;
  where_.clear();
  const Kind& kind = kinds()[random.weighted(weights_)];
  std::string what = (this->*kind.happening)(random);
  if (what.empty()) what = ask(random);
  after_step();
  if (options_.tell) options_.tell({number, clock_.monotonic() - began_, where_, std::move(what)});
  random_ = nullptr;
}

void SimulatedWorld::after_step() {
  if (!clients_->problem().empty()) watch_.blame(clients_->problem());
}

std::string SimulatedWorld::ask(Random& random) {
  Request& request = clients_->choose(random);
  std::vector<Process*> able;
  for (const auto& site : sites_)
    if (site->runs(request.method->service->name))
      for (const auto& process : site->processes)
        if (process->up()) able.push_back(process.get());
  std::string what = fmt::format("{} asks {} ({}) by {}", request.asked == 0 ? "a client" : "again, a client",
                                 request.method->name, request.number, request.principal.actor());
  if (options_.tell) what += " " + request.message->ShortDebugString();
  if (able.empty()) {
    if (request.state == Request::State::kUnasked) request.state = Request::State::kUnknown;
    return what + ": nobody is there";
  }
  Process& process = *random.pick(able);
  note(process.name());
  return what + ": " + clients_->ask(request, process.engine(), &process, random);
}

Process* SimulatedWorld::busy(Random& random) {
  std::vector<Process*> up;
  for (const auto& site : sites_)
    for (const auto& process : site->processes)
      if (process->up() && !process->paused) up.push_back(process.get());
  if (up.empty()) return nullptr;
  Process* process = random.pick(up);
  note(process->name());
  return process;
}

std::string SimulatedWorld::tick(Random& random) {
  Process* process = busy(random);
  if (process == nullptr) return {};
  const uint64_t before = process->store().end().tick;
  const bool worked = process->engine().step();
  const uint64_t after = process->store().end().tick;
  if (after != before) return fmt::format("tick {}", after) + after_first_time(*process, random);
  return worked ? "a tick without effect" : "";
}

std::string SimulatedWorld::deliver(Random& random) {
  Site& site = any_site(random);
  if (site.topics().empty()) return {};
  if (newest_first_) return deliver_newest(site);
  auto topic = site.topics().begin();
  std::advance(topic, random.below(site.topics().size()));
  const uint32_t first = uint32_t(random.below(kPartitions));
  for (uint32_t i = 0; i < kPartitions; ++i) {
    const uint32_t partition = (first + i) % kPartitions;
    const uint32_t owner = random.chance(5) ? uint32_t(random.below(site.processes.size()))
                                            : site.owners[{*topic, partition}] % site.processes.size();
    Process& process = *site.processes[owner];
    if (!process.up() || process.paused) continue;
    note(process.name());
    if (process.deliver(bus_, *topic, partition)) return fmt::format("hears of {} {}", *topic, partition);
  }
  return {};
}

// The worst order that a broker may choose: of all that waits for a site, the event that was emitted last, as
// long as nothing of its own partition waits before it. What a handler assumes across keys, or services, is
// wrong here.
std::string SimulatedWorld::deliver_newest(Site& site) {
  const Event* newest = nullptr;
  Process* process = nullptr;
  std::pair<std::string, uint32_t> place;
  for (const std::string& topic : site.topics())
    for (uint32_t partition = 0; partition < kPartitions; ++partition) {
      Process& owner = *site.processes[site.owners[{topic, partition}] % site.processes.size()];
      if (!owner.up() || owner.paused) continue;
      const Event* next = owner.next_heard(bus_, topic, partition);
      if (next == nullptr || (newest != nullptr && (*next)->envelope.time() <= (*newest)->envelope.time()))
        continue;
      newest = next, process = &owner, place = {topic, partition};
    }
  if (process == nullptr) return {};
  note(process->name());
  process->deliver(bus_, place.first, place.second);
  return fmt::format("hears of {} {}, the newest", place.first, place.second);
}

std::string SimulatedWorld::publish(Random& random) {
  Process* process = busy(random);
  if (process == nullptr) return {};
  if (options_.fault == Fault::kLosesOutboxRow && random.chance(3)) process->skip_publish = 1;
  if (!process->publish(bus_, 1 + random.below(6))) return {};
  if (random.chance(50)) process->site_.published = std::max(process->site_.published, process->published());
  return "publishes";
}

std::string SimulatedWorld::run_job(Random& random) {
  Process* process = busy(random);
  if (process == nullptr || process->jobs() == 0) return {};
  process->run_job(random.below(process->jobs()));
  return "a worker is done";
}

std::string SimulatedWorld::pass_time(Random& random) {
  Duration duration = random.between(kMillisecond, 80 * kMillisecond);
  if (random.chance(12)) duration = random.between(kSecond, 30 * kSecond);
  if (random.per_mille(15)) duration = random.between(kHour, 30 * kHour);
  if (random.per_mille(4)) duration = random.between(10, 40) * kDay;
  clock_.advance(duration);
  return "time passes: " + format_duration(duration);
}

std::string SimulatedWorld::apply(Random& random) {
  Site& site = any_site(random);
  if (!site.disk || !site.processes[0]->up()) return {};
  site.disk->apply(1 + random.below(kMostOpen));
  return "the tables catch up";
}

}  // namespace micropay::app
