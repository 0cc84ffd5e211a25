#include "app/simulator/site.h"

#include "contracts/runtime.pb.h"
#include "libs/base/fnv.h"

namespace micropay::app {

uint32_t Bus::partition_of(const Event& event) {
  return uint32_t(fnv1a(event->envelope.key()) % kPartitions);
}

// ---- Process ----

std::string Process::name() const {
  return site_.processes.size() == 1 ? site_.name() : fmt::format("{}#{}", site_.name(), instance_ + 1);
}

Result<void> Process::start(const Clock& clock, uint64_t seed) {
  store_ = site_.disk ? TRY(site_.disk->open()) : site_.database->connect();
  EngineOptions options;
  options.seed = seed + ++starts;
  options.wait_timeout = 5 * kSecond;
  options.max_queued = 64;
  options.shared_store = site_.database != nullptr;
  options.run_elsewhere = [this](std::function<void()> job) { jobs_.push_back(std::move(job)); };
  engine_ = std::make_unique<Engine>(options, *store_, clock, site_.services());
  if (std::exchange(stop_in_first_tick, false) && site_.disk) site_.disk->folder().stop_at_sync = true;
  published_ = site_.published;
  offsets_.clear();
  return engine_->open();
}

void Process::stop() {
  jobs_.clear();
  engine_.reset();
  store_.reset();
  paused = false;
}

void Process::run_job(size_t index) {
  const auto job = std::move(jobs_[index]);
  jobs_.erase(jobs_.begin() + ptrdiff_t(index));
  job();
}

bool Process::publish(Bus& bus, size_t count) {
  const auto events = store_->read_events(published_, count);
  if (!events || events->empty()) return false;
  for (const Event& event : *events) {
    if (!site_.runs(event->envelope.service())) continue;
    if (skip_publish > 0) --skip_publish;
    else bus.publish(event);
  }
  published_ = events->back()->envelope.position() + 1;
  return true;
}

// The first message that this site may not have taken in yet: everything before it is below the watermark.
size_t Process::safe_offset(Bus& bus, const std::string& service, uint32_t partition) {
  const contract::Table& table = *contract::model().table_of<ConsumerRecord>();
  const auto key = table.encode_key({fmt::format("source:{}/{}", service, partition)});
  const Row row = site_.state().get(table, *key);
  const uint64_t seen = row ? static_cast<const ConsumerRecord&>(*row).position() : 0;
  const auto& messages = bus.read(service, partition);
  size_t offset = 0;
  // What is behind the last message at or below the watermark has not been taken in, even when a publisher
  // that started anew has put older ones again between.
  for (size_t i = 0; i < messages.size(); ++i) {
    if (messages[i]->envelope.position() > seen) break;
    offset = i + 1;
  }
  return offset;
}

const Event* Process::next_heard(Bus& bus, const std::string& service, uint32_t partition) {
  const auto [at, fresh] = offsets_.try_emplace({service, partition}, 0);
  if (fresh) at->second = safe_offset(bus, service, partition);
  const auto& messages = bus.read(service, partition);
  for (; at->second < messages.size(); ++at->second)
    if (site_.hears(*messages[at->second]->type)) return &messages[at->second];
  return nullptr;
}

bool Process::deliver(Bus& bus, const std::string& service, uint32_t partition) {
  const Event* event = next_heard(bus, service, partition);
  if (event == nullptr) return false;
  ++offsets_[{service, partition}];
  engine_->deliver(*event, partition);
  return true;
}

void Process::rewind(Bus& bus, const std::string& service, uint32_t partition, size_t by) {
  const size_t safe = safe_offset(bus, service, partition);
  offsets_[{service, partition}] = safe - std::min(safe, by);
}

// ---- Site ----

Site::Site(std::vector<Service> services, bool cluster, uint32_t instances,
           std::function<void(Site&, const Tick&)> listener)
    : services_(std::move(services)) {
  handled.wrap(services_);
  for (const Service& service : services_) names_.insert(service.name);
  names_.insert("runtime");  // every process has its own
  for (const Service& service : services_) {
    for (const auto* list : {&service.reactions, &service.followers, &service.projections})
      for (const Service::EventHandler& handler : *list) {
        if (handler.event == nullptr) hears_all_ = true;
        else heard_.insert(handler.event);
      }
  }
  for (const contract::Event* event : contract::model().events())
    if (hears(*event)) topics_.insert(event->service->name);
  projector_ = Engine::make_projector(services_);
  const auto tell = [this, listener = std::move(listener)](const Tick& tick) {
    first_time |= first_times.take(tick);
    listener(*this, tick);
  };
  if (cluster) database = std::make_unique<Database>(*projector_, tell);
  else disk = std::make_unique<LogDisk>(*projector_, tell);
  auto& hooks = cluster ? database->hooks : disk->hooks;
  hooks.begins = [this] { handled.begin_tick(); };
  hooks.commits = [this](uint64_t tick) { handled.commits(tick); };
  for (uint32_t i = 0; i < instances; ++i) processes.push_back(std::make_unique<Process>(*this, i));
}

std::string Site::name() const {
  if (disk) return "micropay";
  std::vector<std::string> names;
  names.reserve(services_.size());
  for (const Service& service : services_) names.push_back(service.name);
  return fmt::format("{}", fmt::join(names, "+"));
}

Process* Site::running() {
  for (const auto& process : processes)
    if (process->up() && !process->paused) return process.get();
  return nullptr;
}

const Store& Site::state() const { return database ? database->state() : processes[0]->store(); }

}  // namespace micropay::app
