// The engine at its edges: what it loads when it opens, and what becomes of a tick that the store refused (a
// full disk, a database that is away): callers are told, the rest is taken up later.
#include "libs/base/log.h"
#include "libs/runtime/engine_impl.h"

namespace micropay {
namespace {

constexpr Duration kCommitRetry = 100 * kMillisecond;

}  // namespace

Result<void> Engine::Impl::open() {
  state_ = State::kStarting;
  try {
    TRY(load());
  } catch (const StoreUnavailable& away) {
    return std::unexpected(away.error);
  }
  host_.go_on_after(store_.end().time);
  if (options_.shared_store) store_.on_foreign_commit([this] { wake_for_foreign(); });
  // What was left for later is wanted now.
  if (options_.stands_by) watermarks_.on_wait([this] { take_foreign_soon(); });
  return begin_services();
}

// Everything that the engine keeps an index of.
Result<void> Engine::Impl::load() {
  TRY(load_timers());
  TRY(load_effects());
  TRY(load_deliveries());
  TRY(load_watermarks());
  return load_followers();
}

Result<void> Engine::Impl::load_deliveries() {
  lanes_.clear();
  return store_.scan(detail::table_or_die(DeliveryRecord::descriptor()), [&](const Row& row) {
    const auto& record = static_cast<const DeliveryRecord&>(*row);
    if (!handlers_.runs(record.service())) return true;  // it waits for a process that has the service
    lanes_[{record.service(), record.event_key()}].emplace(record.position(), record);
    return true;
  });
}

void Engine::Impl::keep_lane(const Lane& lane) {
  if (lanes_before_.contains(lane)) return;
  const auto at = lanes_.find(lane);
  lanes_before_[lane] = at == lanes_.end() ? std::map<uint64_t, DeliveryRecord>() : at->second;
}

void Engine::Impl::forget_indexes() {
  fired_.clear();
  lanes_before_.clear();
}

void Engine::Impl::restore_indexes() {
  timers_.insert(fired_.begin(), fired_.end());
  for (auto& [lane, before] : lanes_before_)
    if (before.empty()) lanes_.erase(lane);
    else lanes_[lane] = std::move(before);
  forget_indexes();
}

Result<void> Engine::Impl::load_timers() {
  timers_.clear();
  const contract::Table& timers = detail::table_or_die(TimerRecord::descriptor());
  return store_.scan(timers, [&](const Row& row) {
    timers_.emplace(static_cast<const TimerRecord&>(*row).due(), timers.key_of(*row));
    return true;
  });
}

Result<void> Engine::Impl::load_effects() {
  effects_.forget_waiting();
  return store_.scan(detail::table_or_die(EffectRecord::descriptor()), [&](const Row& row) {
    EffectRecord record = static_cast<const EffectRecord&>(*row);
    // An attempt may have been under way, here before a crash or elsewhere: what it did is unknown, so it is
    // asked for first.
    record.set_unknown(true);
    record.set_next_at(0);
    effects_.add(record);
    return true;
  });
}

Result<void> Engine::Impl::load_followers() {
  follow_queue_.clear();
  if (options_.shared_store) return {};
  const uint64_t end = store_.end().next_position;
  uint64_t from = end;
  const contract::Table& consumers = detail::table_or_die(ConsumerRecord::descriptor());
  for (const Service* service : handlers_.following()) {
    const Row row = store_.get(consumers, detail::encode_key(consumers, {service->name}));
    if (row == nullptr) continue;  // it begins at the end: begin_services() notes that
    const auto& record = static_cast<const ConsumerRecord&>(*row);
    follows_[service] = record;
    from = std::min(from, record.position());
  }
  while (from < end) {
    const auto events = TRY(store_.read_events(from, 2'000));
    if (events.empty()) break;
    for (const Event& event : events)
      if (!handlers_.followers(*event->type).empty()) follow_queue_.push_back(event);
    from = events.back()->envelope.position() + 1;
  }
  return {};
}

// An effect whose outcome could not be kept is asked for again. False: its record cannot be read at present.
bool Engine::Impl::ask_again(const EffectResult& result) {
  const contract::Table& effects = detail::table_or_die(EffectRecord::descriptor());
  try {
    if (const Row row = store_.get(effects, detail::encode_key(effects, {result.id}))) {
      EffectRecord record = static_cast<const EffectRecord&>(*row);
      record.set_unknown(true);
      effects_.add(record);
    }
    return true;
  } catch (const StoreUnavailable&) {
    return false;
  }
}

// Nothing of the tick happened: callers are told so, everything else is taken up again later.
void Engine::Impl::commit_failed(const Error& error) {
  Error told = error;
  if (told.retry_after_s == 0) told.retry_after_s = 1;
  const auto tell = [&](const CommandPtr& command) {
    if (auto done = std::exchange(command->done, nullptr)) done({.result = std::unexpected(told)});
  };
  for (auto& [command, answer] : answers_) tell(command);
  answers_.clear();
  std::deque<EngineInput> again;
  for (EngineInput& input : inputs_) {
    if (auto* command = std::get_if<PreparedCommand>(&input)) tell(command->command);
    else if (std::holds_alternative<ForeignEvent>(input)) again.push_back(std::move(input));
    else if (std::holds_alternative<EffectResult>(input) && clock_.monotonic() < retry_commit_at_)
      again.push_back(std::move(input));
  }
  std::erase_if(waiters_, [](const auto& waiter) { return waiter.second.command->done == nullptr; });
  if (waiters_.empty()) trails_.clear();
  for (EffectResult& result : results_)
    if (!ask_again(result)) again.push_back(std::move(result));
  results_.clear();
  follow_queue_.insert(follow_queue_.begin(), following_now_.begin(), following_now_.end());
  following_now_.clear();
  restore_indexes();
  {
    const std::lock_guard lock(mutex_);
    // Before what has come since: an event behind its successor would look like a repeat.
    inbox_.insert(inbox_.begin(), std::make_move_iterator(again.begin()),
                  std::make_move_iterator(again.end()));
    queued_.store(inbox_.size(), std::memory_order_relaxed);
  }
  if (clock_.monotonic() >= retry_commit_at_) retry_commit_at_ = clock_.monotonic() + kCommitRetry;
}

}  // namespace micropay
