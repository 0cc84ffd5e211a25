// The engine's parts in one place; engine.cc (threads, inbox, the tick), commands.cc (idempotency, waiting),
// deliveries.cc (events, timers, effects, dead letters), foreign.cc (other instances), trails.cc (marks),
// first_start.cc (services that are new here), and recovery.cc (opening, ticks that failed) implement it.
// Nobody else includes this.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>
#include <variant>

#include "libs/runtime/access.h"
#include "libs/runtime/effects.h"
#include "libs/runtime/engine.h"
#include "libs/runtime/engine_numbers.h"
#include "libs/runtime/handlers.h"
#include "libs/runtime/host.h"
#include "libs/runtime/inputs.h"
#include "libs/runtime/tick_trace.h"
#include "libs/runtime/watermarks.h"
#include "libs/runtime/workers.h"

namespace micropay {

struct Engine::Impl {
  Impl(const EngineOptions& options, Store& store, const Clock& clock, std::vector<Service> services);

  // --- engine.cc ---
  void loop();
  bool step(bool idle);
  bool run_tick(bool due, bool idle);
  void run_input(EngineInput& input);
  bool answers_stand();
  bool commit();
  void committed(const Tick& tick);
  bool push(EngineInput input, bool bounded);
  Time next_due() const;
  void submit(Command command);
  Result<Row> query(const contract::Method& method, const Principal& principal,
                    const google::protobuf::Message& request);
  Result<Row> run_query(const Handlers::QueryEntry& entry, const Principal& principal,
                        const google::protobuf::Message& request, bool on_engine);
  void prepare(const Handlers::CommandEntry& entry, const CommandPtr& command);
  // --- commands.cc ---
  struct Waiter {
    CommandPtr command;
    std::string idempotency_id;
    std::string row_key;
    Time deadline = 0;
    uint64_t since_tick = 0;  // the tick that began to wait
    enum class Found : uint8_t { kNothing, kFinal, kPause } found = Found::kNothing;
    Found elsewhere = Found::kNothing;  // of what another instance committed: no conflict undoes that
  };
  const IdempotencyRecord* remembered(const Command& command);
  static std::optional<OwnedRecord> owned_record(const Command& command);
  Result<void> judge_parties(const Command& command);
  void run_command(PreparedCommand& input);
  Answer replay(const Command& command, const IdempotencyRecord& record);
  bool waits_elsewhere(const IdempotencyRecord& record);
  Waiter::Found outcome_of(const contract::Method& method, const EventRecord& event) const;
  void settle(const CommandPtr& command, std::string idempotency_id, const MessagePtr& response,
              size_t first_event);
  void finish(const CommandPtr& command, const std::string& idempotency_id, Row row, uint32_t status,
              bool final);
  Result<Row> judged(const contract::Method& method, Row row, bool final) const;
  IdempotencyRecord new_record(const Command& command) const;
  void keep(const Command& command, IdempotencyRecord record);
  void remember(const Command& command, const Answer& answer);
  void notice_waiters(const EventRecord& event, bool elsewhere = false);
  void finish_waiters();
  void answer(const CommandPtr& command, Answer answer) { answers_.emplace_back(command, std::move(answer)); }
  Result<void> check_match(const Command& command);
  // --- deliveries.cc ---
  using Lane = std::pair<std::string, std::string>;  // consumer, event key: order within is kept
  void drain();
  void deliver(const Event& event, const std::vector<Reaction>& reactions);
  Result<void> run_reaction(const Reaction& reaction, const EventRecord& event);
  void hold(const Reaction& reaction, const EventRecord& event, uint32_t attempts, const Error& error);
  void retry_deliveries();
  bool retry_head(std::map<uint64_t, DeliveryRecord>& lane);
  void accept_foreign(const ForeignEvent& foreign);
  void note_taken_in(const EventRecord& event);
  void follow(size_t budget);
  void fire_timers();
  void run_effect_result(EffectResult& result);
  void end_effect(const EffectRecord& record, const Service& service, const Service::EffectHandler& handler,
                  const AnyOutcome& outcome);
  void dead_letter(DeadLetter::Kind kind, std::string_view service, std::string_view type,
                   std::string_view key, const Error& error, uint32_t attempts, std::string_view correlation,
                   const google::protobuf::Message& payload);
  Result<void> redrive(Context& ctx, const DeadLetter& letter);
  Service runtime_service();
  void index_changes();
  // --- foreign.cc ---
  void take_foreign_soon();
  void wake_for_foreign();
  void expect_rows();
  void take_news();
  void index_foreign(const Tick& tick);
  void place_timer(Time due, const std::string& key);
  void drop_timer(Time due, const std::string& key);
  void commit_conflicted();
  void wait_on();
  // --- trails.cc ---
  using Consumed = std::map<std::pair<const contract::Service*, uint32_t>, uint64_t>;  // positions
  Consumed note_consumed(const Tick* foreign = nullptr);
  void follow_trails(const std::vector<Event>& events, const Consumed& consumed);
  void begin_trail(const Command& command);
  void end_trails();
  Result<void> load_watermarks();
  // --- first_start.cc ---
  Result<void> begin_services();
  Result<void> begin(const Service& service, const LogEnd& end);
  Result<void> begin_hearing(const LogEnd& end);
  Result<void> run_seeds(const Service& service);
  Result<bool> has_no_rows(const Service& service) const;
  // --- recovery.cc ---
  Result<void> open();
  Result<void> load();
  Result<void> load_deliveries();
  void keep_lane(const Lane& lane);
  void forget_indexes();
  void restore_indexes();
  Result<void> load_timers();
  Result<void> load_effects();
  Result<void> load_followers();
  bool ask_again(const EffectResult& result);
  void commit_failed(const Error& error);

  const EngineOptions options_;
  Store& store_;
  const Clock& clock_;
  std::vector<Service> services_;
  Handlers handlers_;
  Watermarks watermarks_;
  Host host_;
  TickTrace traces_;
  Workers preparers_, effect_workers_;
  EffectRunner effects_;

  // Inbox: the only part that other threads write to.
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<EngineInput> inbox_;
  bool waiting_ = false;
  std::atomic<size_t> queued_{0};
  std::atomic<uint64_t> unanswered_{0};
  std::atomic<Engine::State> state_{Engine::State::kNew};
  std::thread thread_;
  // Of the tick under way.
  std::deque<EngineInput> inputs_;
  std::vector<std::pair<CommandPtr, Answer>> answers_;
  size_t delivered_ = 0;               // of host_.emitted()
  std::vector<EffectResult> results_;  // effect results taken in
  std::vector<Event> following_now_;
  std::vector<std::string> finished_waiters_;                  // keys
  std::vector<std::pair<std::string, Waiter>> ended_waiters_;  // answered in this tick

  std::unordered_map<std::string, Waiter> waiters_;  // by event key
  std::unordered_map<std::string, Marks> trails_;    // by correlation id, of commands without an answer
  std::set<std::tuple<Time, std::string>> timers_;   // due, encoded key
  std::map<Lane, std::map<uint64_t, DeliveryRecord>> lanes_;
  // What the present tick took from both, to be put back when its commit fails.
  std::vector<std::tuple<Time, std::string>> fired_;
  std::map<Lane, std::map<uint64_t, DeliveryRecord>> lanes_before_;
  std::deque<Event> follow_queue_;
  std::map<const Service*, ConsumerRecord> follows_;       // as they are committed
  std::map<const Service*, ConsumerRecord> following_to_;  // as this tick leaves them
  std::vector<std::function<void(const std::vector<Event>&)>> listeners_;
  std::vector<std::function<void()>> foreign_listeners_;
  std::vector<ExpectedRow> expected_;
  std::unordered_map<std::string, Time> asked_again_;     // by idempotency record: when, monotonic
  Time last_commit_ = 0;                                  // monotonic
  Time last_start_ = 0;                                   // of a tick
  std::unordered_map<std::string, Time> foreign_timers_;  // due of those that another instance set
  std::atomic<bool> foreign_waits_{false};                // a ForeignCommit is in the inbox
  std::atomic<bool> awaits_{false};                       // waiters_ has some
  uint32_t conflicts_in_row_ = 0;
  Time retry_commit_at_ = 0;
  Error store_error_;  // of the last commit that failed

  EngineNumbers numbers_;
  std::atomic<int64_t> handler_us_{0}, commit_us_{0};
  std::atomic<size_t> lag_{0}, effects_pending_{0}, deliveries_pending_{0}, timers_pending_{0};
};

template <typename T>
const T* find_row(Host& host, const std::string& text_key) {
  const contract::Table& table = detail::table_of<T>();
  return static_cast<const T*>(host.work().find(table, detail::encode_key(table, {text_key})));
}

}  // namespace micropay
