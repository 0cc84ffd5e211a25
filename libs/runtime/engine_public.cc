// The engine's outside: life cycle, calls, authorization, numbers.
#include <future>

#include "libs/contract/json.h"
#include "libs/contract/validate.h"
#include "libs/runtime/engine_impl.h"

namespace micropay {

Engine::Engine(const EngineOptions& options, Store& store, const Clock& clock, std::vector<Service> services)
    : impl_(std::make_unique<Impl>(options, store, clock, std::move(services))) {}

Engine::~Engine() {
  if (impl_->thread_.joinable()) drain(0);
}

Result<void> Engine::open() { return impl_->open(); }

void Engine::start() {
  impl_->preparers_.start();
  impl_->effect_workers_.start();
  impl_->state_ = State::kRunning;
  impl_->thread_ = std::thread([this] { impl_->loop(); });
}

bool Engine::step() { return impl_->step(true); }

void Engine::settle() {
  while (impl_->step(true)) {
  }
}

void Engine::drain(Duration deadline) {
  impl_->state_ = State::kDraining;
  const Time until = impl_->clock_.monotonic() + deadline;
  while (impl_->unanswered_ > 0 && impl_->clock_.monotonic() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  impl_->preparers_.stop();
  impl_->effect_workers_.stop();
  impl_->state_ = State::kStopped;
  impl_->wake_.notify_all();
  if (impl_->thread_.joinable()) impl_->thread_.join();
}

Engine::State Engine::state() const { return impl_->state_; }

void Engine::submit(Command command) {
  impl_->unanswered_.fetch_add(1, std::memory_order_relaxed);
  command.done = [impl = impl_.get(), done = std::move(command.done)](Answer answer) {
    impl->unanswered_.fetch_sub(1, std::memory_order_relaxed);
    done(std::move(answer));
  };
  impl_->submit(std::move(command));
}

void Engine::deliver(std::shared_ptr<const EventRecord> event, uint32_t partition, uint64_t offset) {
  impl_->push(ForeignEvent{std::move(event), partition, offset}, false);
}

void Engine::pass(std::shared_ptr<const EventRecord> event, uint32_t partition, uint64_t offset) {
  impl_->push(ForeignEvent{std::move(event), partition, offset, false}, false);
}

Answer Engine::call(Command command) {
  auto promise = std::make_shared<std::promise<Answer>>();
  std::future<Answer> future = promise->get_future();
  command.done = [promise](Answer answer) { promise->set_value(std::move(answer)); };
  submit(std::move(command));
  if (!impl_->thread_.joinable()) settle();
  // In a stepped engine nobody else moves the clock: a command that still waits is not final.
  if (!impl_->thread_.joinable() && future.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    for (auto& [key, waiter] : impl_->waiters_) waiter.deadline = 0;
    settle();
  }
  return future.get();
}

Result<Row> Engine::query(const contract::Method& method, const Principal& principal,
                          const google::protobuf::Message& request) {
  return impl_->query(method, principal, request);
}

Result<void> Engine::authorize(const contract::Method& method, const Principal& principal,
                               const google::protobuf::Message& request) {
  const auto read = [&](const contract::Table& table, const std::string& key) {
    return key.empty() ? nullptr : impl_->store_.get(table, key);
  };
  try {
    if (const auto owned = OwnedRecord::of(method, principal, request))
      TRY(owned->judge(read(*owned->table, owned->key).get(), principal));
    for (const PartyRecord& about : PartyRecord::of(method, principal, request))
      TRY(about.judge(read(*about.check->table, about.key).get(), principal));
    return {};
  } catch (const StoreUnavailable& away) {
    return std::unexpected(away.error);
  }
}

void Engine::on_committed(
    std::function<void(const std::vector<std::shared_ptr<const EventRecord>>&)> listener) {
  impl_->listeners_.push_back(std::move(listener));
}

void Engine::on_foreign_commit(std::function<void()> listener) {
  impl_->foreign_listeners_.push_back(std::move(listener));
}

EngineStats Engine::stats() const {
  const auto& n = impl_->numbers_;
  return {.ticks = n.ticks.value(),
          .inputs = n.inputs.value(),
          .events = n.events.value(),
          .queued = impl_->queued_,
          .followers_lag = impl_->lag_,
          .effects_pending = impl_->effects_pending_,
          .deliveries_pending = impl_->deliveries_pending_,
          .dead_letters = n.dead_letters.value(),
          .timers_pending = impl_->timers_pending_,
          .rejected_overload = n.overload.value(),
          .handler_seconds = double(impl_->handler_us_) / 1e6,
          .commit_seconds = double(impl_->commit_us_) / 1e6};
}

bool Engine::full() const {
  const bool yes = impl_->queued_.load(std::memory_order_relaxed) >= impl_->options_.max_queued;
  if (yes) impl_->numbers_.overload.add();
  return yes;
}

Watermarks& Engine::watermarks() { return impl_->watermarks_; }
Time Engine::next_due() const { return impl_->next_due(); }
const std::vector<Service>& Engine::services() const { return impl_->services_; }

}  // namespace micropay
