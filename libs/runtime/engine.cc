#include "libs/runtime/engine.h"

#include <pthread.h>

#include <future>

#include "libs/base/check_scope.h"
#include "libs/base/log.h"
#include "libs/contract/json.h"
#include "libs/contract/validate.h"
#include "libs/runtime/engine_impl.h"
#include "libs/runtime/fingerprint.h"
#include "libs/runtime/page_tokens.h"

namespace micropay {
namespace {

constexpr Duration kFollowDelay = 3 * kMillisecond;  // followers wait this long for a tick that comes anyway
constexpr size_t kFollowIdle = 2'000;                // events followed in a tick of their own
constexpr size_t kFollowBusy = 64;                   // and beside commands, at least

// Reads rows for queries: a committed state, kept alive as long as the query runs.
class Snapshot final : public QueryHost {
 public:
  // `of_applied`: lists go on while a full disk keeps the newest rows out of the tables.
  explicit Snapshot(const Store& store, bool of_applied = false) : store_(store), of_applied_(of_applied) {}
  const google::protobuf::Message* find_row(const contract::Table& table, const std::string& key) override {
    if (key.empty()) return nullptr;
    kept_.push_back(store_.get(table, key));
    return kept_.back().get();
  }
  Result<std::vector<Row>> list_rows(const ListQuery& query, std::string* next_page_token) override {
    ListQuery asked = query;
    asked.of_applied = of_applied_;
    Page page = TRY(store_.list(asked));
    *next_page_token = std::move(page.next_page_token);
    return std::move(page.rows);
  }
  Result<EventWindow::Events> read_events(uint64_t position, size_t limit) override {
    auto events = store_.read_events(position, limit);
    if (!events) return fail(Code::kInternal, events.error().reason, events.error().detail);
    return events;
  }

 private:
  const Store& store_;
  const bool of_applied_;
  std::vector<Row> kept_;
};

Error overloaded(std::string_view detail) {
  return {
      .code = Code::kUnavailable, .reason = "overloaded", .detail = std::string(detail), .retry_after_s = 1};
}

// Of what reads only: whatever is wrong with the rows that it meets, it is an error of this call.
template <typename T, typename Body>
Result<T> guarded(const Body& body) {
  try {
    const CheckScope scope;
    return body();
  } catch (const StoreUnavailable& away) {
    return std::unexpected(away.error);
  } catch (const CheckFailed& failed) {
    log_error("handler.check_failed", failed.what());
    return fail(Code::kInternal, "invariant_broken", "Something that must hold does not.");
  } catch (const std::exception& error) {
    return fail(Code::kInternal, "handler_threw", error.what());
  }
}

}  // namespace

Engine::Impl::Impl(const EngineOptions& options, Store& store, const Clock& clock,
                   std::vector<Service> services)
    : options_(options),
      store_(store),
      clock_(clock),
      services_([&] {
        services.push_back(runtime_service());
        return std::move(services);
      }()),
      handlers_(services_),
      watermarks_(services_),
      host_(store, options.seed),
      traces_(options.traces),
      preparers_(options.prepare_threads, options.prepare_queued, options.run_elsewhere,
                 Workers::Priority::kBackground),
      effect_workers_(options.effect_threads, 10'000, options.run_elsewhere),
      effects_(
          handlers_, [this](std::function<void()> work) { effect_workers_.run(std::move(work)); },
          [this](EffectResult result) { push(std::move(result), false); }, options.traces) {}

bool Engine::Impl::push(EngineInput input, bool bounded) {
  bool wake;
  {
    const std::lock_guard lock(mutex_);
    if (bounded && inbox_.size() >= options_.max_queued) return false;
    inbox_.push_back(std::move(input));
    queued_.store(inbox_.size(), std::memory_order_relaxed);
    wake = waiting_;
  }
  if (wake) wake_.notify_one();
  return true;
}

void Engine::Impl::submit(Command command) {
  const auto* entry = handlers_.command(*command.method);
  const auto refuse = [&](Error error) { command.done({.result = std::unexpected(std::move(error))}); };
  if (entry == nullptr)
    return refuse({.code = Code::kUnimplemented,
                   .reason = "not_served",
                   .detail = "No service here handles " + command.method->name});
  if (state_.load(std::memory_order_relaxed) >= State::kDraining)
    return refuse(overloaded("The platform is shutting down."));
  if (queued_.load(std::memory_order_relaxed) >= options_.max_queued) {
    numbers_.overload.add();
    return refuse(overloaded("Too many requests wait; try again."));
  }
  auto shared = std::make_shared<Command>(std::move(command));
  make_fingerprint(*shared);
  if (entry->handler->prepare) return prepare(*entry, shared);
  push(PreparedCommand{std::move(shared), nullptr}, false);
}

void Engine::Impl::prepare(const Handlers::CommandEntry& entry, const CommandPtr& command) {
  const bool taken = preparers_.run([this, &entry, command] {
    Snapshot snapshot(store_);
    QueryContext ctx(snapshot, command->principal, clock_.now(), *entry.service->contract);
    Span span = begin_span(options_.traces, {.name = "prepare",
                                             .service = entry.service->name,
                                             .parent = command->traceparent,
                                             .may_begin_trace = false});
    Result<MessagePtr> prepared = guarded<MessagePtr>([&]() -> Result<MessagePtr> {
      // What is found out of a record is for its owner.
      if (const auto owned = owned_record(*command))
        TRY(owned->judge(snapshot.find_row(*owned->table, owned->key), ctx.principal()));
      return entry.handler->prepare(ctx, *command->request);
    });
    span.end();
    if (!prepared) return command->done({.result = std::unexpected(std::move(prepared).error())});
    push(PreparedCommand{command, std::move(*prepared)}, false);
  });
  if (taken) return;
  numbers_.overload.add();
  command->done({.result = std::unexpected(overloaded("Too many sign-ins wait; try again."))});
}

void Engine::Impl::run_input(EngineInput& input) {
  if (auto* command = std::get_if<PreparedCommand>(&input)) run_command(*command);
  else if (auto* result = std::get_if<EffectResult>(&input)) run_effect_result(*result);
  else if (auto* event = std::get_if<ForeignEvent>(&input)) accept_foreign(*event);
  // a ForeignCommit has done its work by waking the engine
}

// The handlers of a tick; false when what they read has changed under them.
bool Engine::Impl::run_tick(bool due, bool idle) {
  try {
    for (EngineInput& input : inputs_) run_input(input);
    if (due) fire_timers(), retry_deliveries();
    follow(idle && inputs_.empty() ? kFollowIdle : std::max(kFollowBusy, follow_queue_.size() / 8));
    finish_waiters();
    return true;
  } catch (const StoreConflict&) {
    host_.abandon_input();
    commit_conflicted();
    return false;
  } catch (const StoreUnavailable& away) {
    host_.abandon_input();
    store_error_ = away.error;
    log_error("engine.read_failed", store_error_.detail, {{"reason", store_error_.reason}});
    commit_failed(store_error_);
    return false;
  } catch (const std::exception& error) {  // of a row that is none: handlers' own were caught before
    host_.abandon_input();
    store_error_ = {.code = Code::kInternal,
                    .reason = "tick_failed",
                    .detail = "A record that the request needs is damaged."};
    log_error("engine.tick_failed", error.what());
    commit_failed(store_error_);
    return false;
  }
}

bool Engine::Impl::step(bool idle) {
  inputs_.clear();
  {
    const std::lock_guard lock(mutex_);
    if (inbox_.size() <= options_.max_tick_inputs) {
      inputs_.swap(inbox_);
    } else {
      const auto end = inbox_.begin() + std::ptrdiff_t(options_.max_tick_inputs);
      std::move(inbox_.begin(), end, std::back_inserter(inputs_));
      inbox_.erase(inbox_.begin(), end);
    }
    queued_.store(inbox_.size(), std::memory_order_relaxed);
  }
  const Time started = last_start_ = clock_.monotonic();
  for (EffectResult& late : effects_.expired(started)) inputs_.push_back(std::move(late));
  foreign_waits_.store(false, std::memory_order_relaxed);
  store_.begin_tick();
  if (options_.shared_store) expect_rows();
  take_news();
  // Queries of the engine see the state between two ticks.
  for (EngineInput& input : inputs_)
    if (auto* query = std::get_if<EngineQuery>(&input)) query->answer();
  const LogEnd end = store_.end();
  host_.begin_tick(clock_.now(), end.tick + 1, end.next_position);
  delivered_ = 0;
  ended_waiters_.clear();
  forget_indexes();
  traces_.discarded();
  const bool due = (!timers_.empty() && std::get<0>(*timers_.begin()) <= host_.now()) || !lanes_.empty();
  if (started >= retry_commit_at_) {
    if (!run_tick(due, idle)) return true;
  } else {
    commit_failed(store_error_);
    return false;  // what could not be refused waits until then
  }
  const Time handled = clock_.monotonic();
  if (!inputs_.empty())
    numbers_.handlers.observe(handled - started), numbers_.size.observe(int64_t(inputs_.size()));
  handler_us_.fetch_add(handled - started, std::memory_order_relaxed);
  const bool worked = !inputs_.empty() || !host_.tick_empty();
  if (host_.tick_empty() ? answers_stand() : commit()) {
    traces_.committed();
    end_trails();
    for (auto& [command, answer] : answers_) std::exchange(command->done, nullptr)(std::move(answer));
    answers_.clear();
  }
  effects_.dispatch(clock_.monotonic());
  awaits_.store(!waiters_.empty(), std::memory_order_relaxed);
  return worked;
}

// Of a tick that changed nothing: what it answered holds only as long as nobody else has changed anything.
bool Engine::Impl::answers_stand() {
  if (answers_.empty() || store_.current()) return true;
  commit_conflicted();
  return false;
}

bool Engine::Impl::commit() {
  Tick tick = host_.finish_tick();
  const Time started = clock_.monotonic();
  const auto result = store_.commit(tick);
  const Time ended = clock_.monotonic();
  numbers_.commits.observe(ended - started);
  commit_us_.fetch_add(ended - started, std::memory_order_relaxed);
  if (!result) {
    if (result.error().code == Code::kAborted) {
      commit_conflicted();
      return false;
    }
    store_error_ = result.error();
    log_error("engine.commit_failed", store_error_.detail, {{"reason", store_error_.reason}});
    commit_failed(store_error_);
    return false;
  }
  last_commit_ = ended;
  conflicts_in_row_ = 0;
  take_news();  // what this tick was moved behind
  committed(tick);
  return true;
}

void Engine::Impl::committed(const Tick& tick) {
  numbers_.ticks.add();
  numbers_.inputs.add(inputs_.size());
  numbers_.events.add(tick.events.size());
  index_changes();
  if (options_.partition_of) {
    for (const auto& [command, answer] : answers_) begin_trail(*command);
    follow_trails(tick.events, note_consumed());
  }
  results_.clear();
  if (!following_now_.empty()) {
    follows_ = std::move(following_to_);
    following_now_.clear();
  }
  if (!options_.shared_store)
    for (const Event& event : tick.events)
      if (!handlers_.followers(*event->type).empty()) follow_queue_.push_back(event);
  lag_ = follow_queue_.size(), effects_pending_ = effects_.pending(), timers_pending_ = timers_.size();
  deliveries_pending_ = lanes_.size();
  for (const auto& listener : listeners_) listener(tick.events);
}

Time Engine::Impl::next_due() const {
  const Time wall_ahead = clock_.now() - clock_.monotonic();
  const auto monotonic = [&](Time wall) { return std::max<Time>(wall, 0) - wall_ahead; };
  Time due = finished_waiters_.empty() ? INT64_MAX : 0;
  if (!timers_.empty()) due = std::min(due, monotonic(std::get<0>(*timers_.begin())));
  for (const auto& [lane, records] : lanes_)
    if (!records.empty()) due = std::min(due, monotonic(records.begin()->second.next_at()));
  for (const auto& [key, waiter] : waiters_) due = std::min(due, waiter.deadline);
  if (!follow_queue_.empty()) due = std::min(due, last_commit_ + kFollowDelay);
  if (queued_.load(std::memory_order_relaxed) > 0) due = std::min(due, retry_commit_at_);
  return std::min(due, effects_.next_due());
}

void Engine::Impl::loop() {
  pthread_setname_np(pthread_self(), "engine");
  while (true) {
    const Time now = clock_.monotonic();
    Time due = next_due();
    if (due <= now && effects_.pending() != 0 && due == effects_.next_due())
      due = now + 10 * kMillisecond;  // its target is busy
    bool idle = true;
    {
      std::unique_lock lock(mutex_);
      if (inbox_.empty() && due > now) {
        waiting_ = true;
        const Duration wait = std::min(due - now, kSecond);
        wake_.wait_for(lock, std::chrono::microseconds(wait),
                       [this] { return !inbox_.empty() || state_.load() >= State::kStopped; });
        waiting_ = false;
      }
      idle = inbox_.empty();
    }
    if (state_.load() >= State::kStopped) return;
    if (clock_.monotonic() < retry_commit_at_) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    if (const Duration early = last_start_ + options_.tick_interval - clock_.monotonic(); early > 0)
      std::this_thread::sleep_for(std::chrono::microseconds(std::min(early, options_.tick_interval)));
    step(idle);
  }
}

Result<Row> Engine::Impl::run_query(const Handlers::QueryEntry& entry, const Principal& principal,
                                    const google::protobuf::Message& request, bool on_engine) {
  Snapshot snapshot(store_, !on_engine);
  QueryContext ctx(snapshot, principal, clock_.now(), *entry.service->contract);
  return guarded<Row>([&]() -> Result<Row> {
    const contract::Method& method = *entry.handler->method;
    const auto opened = TRY(open_page_token(method, principal, request));
    Row answer = TRY(entry.handler->handle(ctx, opened ? *opened : request));
    return seal_page_token(method, principal, request, std::move(answer));
  });
}

Result<Row> Engine::Impl::query(const contract::Method& method, const Principal& principal,
                                const google::protobuf::Message& request) {
  const auto* entry = handlers_.query(method);
  if (entry == nullptr)
    return fail(Code::kUnimplemented, "not_served", "No service here answers " + method.name);
  if (!method.options.on_engine() || !thread_.joinable())
    return run_query(*entry, principal, request, method.options.on_engine());
  std::promise<Result<Row>> promise;
  push(EngineQuery{[&] { promise.set_value(run_query(*entry, principal, request, true)); }}, false);
  return promise.get_future().get();
}

}  // namespace micropay
