// Other instances of the same services over the same store: what they have committed reaches the engine's
// indexes and those who wait here, and a tick that they were faster than is run again, which nobody notices.
#include "libs/base/ids.h"
#include "libs/base/log.h"
#include "libs/runtime/engine_impl.h"
#include "libs/runtime/fingerprint.h"

namespace micropay {
namespace {

constexpr uint32_t kMostConflicts = 100;  // in a row; then callers are told to come again
// Whoever set a timer or asked for an effect is expected to see to it; should it be gone, others do so later.
constexpr Duration kTimerGrace = 2 * kSecond;
constexpr Duration kEffectGrace = 30 * kSecond;

}  // namespace

// Any thread.
void Engine::Impl::wake_for_foreign() {
  const bool awaited = awaits_.load(std::memory_order_relaxed) || watermarks_.anybody_waits();
  if (!awaited && options_.stands_by && options_.stands_by()) return;
  take_foreign_soon();
}

// Any thread. One such input waits at a time.
void Engine::Impl::take_foreign_soon() {
  if (!foreign_waits_.exchange(true, std::memory_order_relaxed)) push(ForeignCommit{}, false);
}

// Between two ticks.
void Engine::Impl::take_news() {
  if (!options_.shared_store) return;
  bool taken = false;
  for (const auto& tick : store_.news()) {
    index_foreign(*tick);
    if (options_.partition_of) follow_trails(tick->events, note_consumed(tick.get()));
    if (!waiters_.empty())
      for (const Event& event : tick->events) notice_waiters(*event, true);
    taken = true;
  }
  if (!taken) return;
  for (const auto& listener : foreign_listeners_) listener();
}

// What the inputs are about: whether a key was used before, and what their events happened to.
void Engine::Impl::expect_rows() {
  static const contract::Table& keys = detail::table_or_die(IdempotencyRecord::descriptor());
  expected_.clear();
  for (const EngineInput& input : inputs_) {
    if (const auto* event = std::get_if<ForeignEvent>(&input)) {
      if (event->heard) expected_.push_back({.key = std::string(event->event->envelope.key())});
    } else if (const auto* prepared = std::get_if<PreparedCommand>(&input)) {
      for (const std::string& id : {prepared->command->key_id, former_key_id(*prepared->command)})
        if (!id.empty()) expected_.push_back({&keys, detail::encode_key(keys, {id})});
      if (auto owned = owned_record(*prepared->command); owned && !owned->key.empty())
        expected_.push_back({owned->table, std::move(owned->key)});
      const Command& command = *prepared->command;
      for (PartyRecord& about : PartyRecord::of(*command.method, command.principal, *command.request))
        if (!about.key.empty()) expected_.push_back({about.check->table, std::move(about.key)});
    }
  }
  if (!expected_.empty()) store_.expect(expected_);
}

void Engine::Impl::index_foreign(const Tick& tick) {
  static const contract::Table& timers = detail::table_or_die(TimerRecord::descriptor());
  static const contract::Table& effects = detail::table_or_die(EffectRecord::descriptor());
  static const contract::Table& deliveries = detail::table_or_die(DeliveryRecord::descriptor());
  bool delivered = false;
  for (const RowChange& change : tick.changes) {
    if (change.table == &timers) {
      if (const auto known = foreign_timers_.find(change.key); known != foreign_timers_.end())
        drop_timer(known->second, change.key);
      if (!change.row) continue;
      const Time due = static_cast<const TimerRecord&>(*change.row).due() + kTimerGrace;
      foreign_timers_[change.key] = due;
      timers_.emplace(due, change.key);
    } else if (change.table == &effects) {
      if (!change.row) {
        if (change.key.size() != std::tuple_size_v<Uuid>) continue;  // of no effect
        std::string id;
        format_uuid(reinterpret_cast<const uint8_t*>(change.key.data()), id);
        effects_.remove(id);
        continue;
      }
      // What it does there is unknown here: when nobody has ended it, it is asked for first.
      EffectRecord record = static_cast<const EffectRecord&>(*change.row);
      record.set_unknown(true);
      record.set_next_at(clock_.monotonic() + kEffectGrace);
      effects_.add(record);
    } else {
      delivered |= change.table == &deliveries;
    }
  }
  if (!delivered) return;
  if (const auto loaded = load_deliveries(); !loaded)
    log_error("engine.reload_failed", loaded.error().detail, {{"reason", loaded.error().reason}});
}

void Engine::Impl::place_timer(Time due, const std::string& key) { timers_.emplace(due, key); }

void Engine::Impl::drop_timer(Time due, const std::string& key) {
  timers_.erase({due, key});
  if (foreign_timers_.empty()) return;
  const auto foreign = foreign_timers_.find(key);
  if (foreign == foreign_timers_.end()) return;
  timers_.erase({foreign->second, key});
  foreign_timers_.erase(foreign);
}

// Another instance was first. The indexes are as before the tick, the inputs go back to the front of the
// inbox in their order, and who waited before this tick waits on.
void Engine::Impl::commit_conflicted() {
  numbers_.conflicts.add();
  if (++conflicts_in_row_ > kMostConflicts)
    return commit_failed({.code = Code::kUnavailable,
                          .reason = "storage_contended",
                          .detail = "Other instances write the same records all the time.",
                          .retry_after_s = 1});
  store_.refresh();
  answers_.clear();
  results_.clear();
  following_now_.clear();
  restore_indexes();
  wait_on();
  take_news();
  const std::lock_guard lock(mutex_);
  inbox_.insert(inbox_.begin(), std::make_move_iterator(inputs_.begin()),
                std::make_move_iterator(inputs_.end()));
  queued_.store(inbox_.size(), std::memory_order_relaxed);
  inputs_.clear();
}

// Those who came with this tick come again with its inputs; of the others, what they saw in it was undone.
void Engine::Impl::wait_on() {
  std::erase_if(waiters_, [&](const auto& waiter) { return waiter.second.since_tick == host_.tick(); });
  for (auto& [key, waiter] : ended_waiters_)
    if (waiter.since_tick != host_.tick()) waiters_[key] = std::move(waiter);
  ended_waiters_.clear();
  finished_waiters_.clear();
  for (auto& [key, waiter] : waiters_) {
    waiter.found = waiter.elsewhere;
    if (waiter.found != Waiter::Found::kNothing) finished_waiters_.push_back(key);
  }
}

}  // namespace micropay
