// What follows from events in the engine: reactions in the tick, followers behind it, retries in order of
// their key, timers, effect results, and dead letters for what fails for good.
#include "libs/base/log.h"
#include "libs/runtime/engine_impl.h"
#include "libs/runtime/stored.h"

namespace micropay {
namespace {

constexpr Duration kFirstRetry = 200 * kMillisecond;
constexpr Duration kLongestRetry = kMinute;

Duration retry_after(uint32_t attempts) {
  Duration wait = kFirstRetry;
  for (uint32_t i = 1; i < attempts && wait < kLongestRetry; ++i) wait *= 2;
  return std::min(wait, kLongestRetry);
}

Event restored(const StoredEnvelope& envelope) {
  const contract::Event* type = contract::model().event(envelope.type());
  if (type == nullptr) return nullptr;
  auto event = std::make_shared<EventRecord>();
  event->envelope = Envelope::of(envelope);
  event->type = type;
  std::shared_ptr<google::protobuf::Message> message(type->make());
  if (!message->ParseFromString(envelope.data())) return nullptr;
  event->message = std::move(message);
  return event;
}

Error unreadable(std::string_view what) {
  return {.code = Code::kInternal,
          .reason = fmt::format("unreadable_{}", what),
          .detail = fmt::format("The {} cannot be read: its row is damaged.", what)};
}

std::unexpected<Error> not_handled(const std::string& type) {
  return fail(Code::kFailedPrecondition, "not_redrivable", fmt::format("Nothing here handles {}.", type));
}

}  // namespace

// Delivers what was emitted, and what that emits, until all is quiet: a whole saga is one tick.
void Engine::Impl::drain() {
  while (delivered_ < host_.emitted().size()) {
    const Event event = host_.emitted()[delivered_++];
    deliver(event, handlers_.reactions(*event->type));
    if (options_.shared_store) deliver(event, handlers_.followers(*event->type));
    if (!waiters_.empty()) notice_waiters(*event);
  }
}

void Engine::Impl::deliver(const Event& event, const std::vector<Reaction>& reactions) {
  for (const Reaction& reaction : reactions) {
    if (!lanes_.empty() && lanes_.contains({reaction.service->name, std::string(event->envelope.key())})) {
      hold(reaction, *event, 0, {});
      continue;
    }
    if (const auto result = run_reaction(reaction, *event); !result)
      hold(reaction, *event, 1, result.error());
  }
}

Result<void> Engine::Impl::run_reaction(const Reaction& reaction, const EventRecord& event) {
  const Envelope& envelope = event.envelope;
  const InputFrame frame{.service = reaction.service->contract,
                         .principal = &system_principal(),
                         .correlation_id = envelope.correlation_id(),
                         .causation_id = envelope.id(),
                         .traceparent = traces_.begin({.name = envelope.type(),
                                                       .service = reaction.service->name,
                                                       .kind = SpanKind::kConsumer,
                                                       .parent = envelope.traceparent(),
                                                       .may_begin_trace = false}),
                         .actor = envelope.actor(),
                         .envelope = &envelope};
  traces_.set("event.key", envelope.key());
  if (options_.topic_of && traces_.recording() && envelope.service() != reaction.service->name)
    traces_.processes(options_.topic_of(envelope.service()), envelope);
  auto result = host_.run(frame, [&](Context& ctx) { return reaction.handler->handle(ctx, event); });
  traces_.end(result);
  return result;
}

// The event waits, and with it all later ones of its key for this consumer.
void Engine::Impl::hold(const Reaction& reaction, const EventRecord& event, uint32_t attempts,
                        const Error& error) {
  DeliveryRecord record;
  record.set_service(reaction.service->name);
  record.set_event_key(std::string(event.envelope.key()));
  record.set_position(event.envelope.position());
  event.envelope.store(*record.mutable_envelope());
  event.message->SerializeToString(record.mutable_envelope()->mutable_data());
  record.set_attempts(attempts);
  record.set_next_at(host_.now() + (attempts == 0 ? 0 : retry_after(attempts)));
  if (attempts != 0) record.set_last_error(fmt::format("{}: {}", error.reason, error.detail));
  // No row has such a key, whoever made the event: it cannot wait to be tried again.
  if (record.event_key().find('\0') != std::string::npos)
    return dead_letter(DeadLetter::EVENT, record.service(), record.envelope().type(), {}, error, attempts,
                       record.envelope().correlation_id(), record.envelope());
  host_.put(record);
  keep_lane({record.service(), record.event_key()});
  lanes_[{record.service(), record.event_key()}].emplace(record.position(), record);
}

void Engine::Impl::retry_deliveries() {
  for (auto at = lanes_.begin(); at != lanes_.end();) {
    if (!at->second.empty() && at->second.begin()->second.next_at() <= host_.now()) keep_lane(at->first);
    while (!at->second.empty() && at->second.begin()->second.next_at() <= host_.now())
      if (!retry_head(at->second)) break;
    at = at->second.empty() ? lanes_.erase(at) : std::next(at);
  }
}

// Tries the first of a lane; true when it is done with, one way or the other.
bool Engine::Impl::retry_head(std::map<uint64_t, DeliveryRecord>& lane) {
  DeliveryRecord record = lane.begin()->second;
  numbers_.retries.add();
  const Event event = restored(record.envelope());
  Result<void> result =
      event ? Result<void>() : fail(Code::kInternal, "unreadable_event", "The event cannot be read.");
  if (event)
    for (const Reaction& reaction : handlers_.of_service(*event->type, record.service()))
      if (result) result = run_reaction(reaction, *event);
  const contract::Table& table = detail::table_or_die(DeliveryRecord::descriptor());
  if (!result) {
    record.set_attempts(record.attempts() + 1);
    record.set_last_error(fmt::format("{}: {}", result.error().reason, result.error().detail));
    record.set_next_at(host_.now() + retry_after(record.attempts()));
    // What only waits for something (another service's event that is late) is no failure, however often.
    if (record.attempts() < options_.delivery_attempts || result.error().code == Code::kUnavailable) {
      host_.put(record);
      lane.begin()->second = record;
      return false;
    }
    dead_letter(DeadLetter::EVENT, record.service(), record.envelope().type(), record.event_key(),
                result.error(), record.attempts(), record.envelope().correlation_id(), record.envelope());
  }
  host_.work().erase(table, table.key_of(record));
  lane.erase(lane.begin());
  drain();
  return true;
}

// An event of another process becomes part of this log as it is, once: its position has to be beyond the
// watermark of its source and partition.
void Engine::Impl::accept_foreign(const ForeignEvent& foreign) {
  const Envelope& envelope = foreign.event->envelope;
  const std::string source = fmt::format("source:{}/{}", envelope.service(), foreign.partition);
  const auto* seen = find_row<ConsumerRecord>(host_, source);
  if (seen != nullptr && envelope.position() <= seen->position()) return;
  ConsumerRecord mark;
  mark.set_service(source);
  mark.set_position(envelope.position());
  mark.set_offset(foreign.offset);
  host_.put(mark);
  if (!foreign.heard) return;
  host_.adopt(*foreign.event);
  note_taken_in(*foreign.event);
  drain();
}

// What an event of a topic causes has spans of its own; one that is only kept, for a projection to read, has
// this.
void Engine::Impl::note_taken_in(const EventRecord& event) {
  if (!options_.topic_of || !handlers_.reactions(*event.type).empty() ||
      !handlers_.followers(*event.type).empty())
    return;
  const Envelope& envelope = event.envelope;
  traces_.begin({.name = envelope.type(),
                 .service = services_.front().name,
                 .kind = SpanKind::kConsumer,
                 .parent = envelope.traceparent(),
                 .may_begin_trace = false});
  traces_.processes(options_.topic_of(envelope.service()), envelope);
  traces_.end(Result<void>(), TickTrace::Until::kDurable);
}

void Engine::Impl::follow(size_t budget) {
  if (budget == 0 || follow_queue_.empty()) return;
  following_to_ = follows_;
  for (; budget > 0 && !follow_queue_.empty(); --budget) {
    following_now_.push_back(std::move(follow_queue_.front()));
    follow_queue_.pop_front();
    const Event& event = following_now_.back();
    for (const Reaction& reaction : handlers_.followers(*event->type)) {
      ConsumerRecord& record = following_to_[reaction.service];
      if (event->envelope.position() < record.position()) continue;
      deliver(event, {reaction});
      record.set_followed(record.followed() + 1);
    }
    drain();
  }
  const uint64_t next = following_now_.back()->envelope.position() + 1;
  for (auto& [service, record] : following_to_) {
    record.set_position(std::max(next, record.position()));
    host_.put(record);
  }
}

void Engine::Impl::fire_timers() {
  const contract::Table& table = detail::table_or_die(TimerRecord::descriptor());
  while (!timers_.empty() && std::get<0>(*timers_.begin()) <= host_.now()) {
    const std::string key = std::get<1>(*timers_.begin());
    fired_.push_back(*timers_.begin());
    timers_.erase(timers_.begin());
    const Row row = host_.work().share(table, key);
    if (row == nullptr) continue;
    const auto& record = static_cast<const TimerRecord&>(*row);
    if (record.due() > host_.now())
      continue;  // it was moved; its new place in the index comes with the commit
    const auto* entry = handlers_.timer(record.type());
    if (entry == nullptr) continue;  // of a service that does not run here
    host_.work().erase(table, key);
    const MessagePtr message = read_stored(*entry->second->type, record.message());
    if (message == nullptr) {
      dead_letter(DeadLetter::TIMER, record.service(), record.type(), record.timer_key(), unreadable("timer"),
                  1, record.correlation_id(), record);
      continue;
    }
    const InputFrame frame{
        .service = entry->first->contract,
        .principal = &system_principal(),
        .correlation_id = record.correlation_id(),
        .causation_id = record.correlation_id(),
        .traceparent = traces_.begin({.name = record.type(), .service = entry->first->name}),
        .actor = "system"};
    const auto result = host_.run(frame, [&](Context& ctx) { return entry->second->handle(ctx, *message); });
    traces_.end(result);
    if (!result)
      dead_letter(DeadLetter::TIMER, record.service(), record.type(), record.timer_key(), result.error(), 1,
                  record.correlation_id(), record);
    drain();
  }
}

void Engine::Impl::run_effect_result(EffectResult& result) {
  if (!result.accepted && !effects_.finished(result, clock_.monotonic())) return;  // late: it was given up
  result.accepted = true;
  results_.push_back(result);
  const auto* present = find_row<EffectRecord>(host_, result.id);
  if (present == nullptr) return;
  EffectRecord record = *present;
  const auto* entry = handlers_.effect(record.type());
  if (entry == nullptr)
    return;  // the row says another type than what was carried out: it waits for its service
  const auto& [service, handler] = *entry;
  record.set_attempts(record.attempts() + 1);
  record.set_last_error(result.outcome.error);
  const Duration wait = EffectRunner::backoff(handler->policy, record.attempts(), record.id());
  record.set_next_at(clock_.monotonic() + wait);
  using Kind = AnyOutcome::Kind;
  if (result.outcome.kind == Kind::kUnknown) {
    const bool first = !record.unknown();
    record.set_unknown(true);
    host_.put(record);
    if (first) end_effect(record, *service, *handler, result.outcome);
  } else if (result.outcome.kind == Kind::kRetry && record.attempts() < handler->policy.max_attempts) {
    record.set_unknown(false);
    host_.put(record);
  } else {
    AnyOutcome last = result.outcome;
    if (last.kind == Kind::kRetry) last.kind = Kind::kFailed;
    if (last.kind == Kind::kFailed && last.error != EffectRunner::kUnreadable)
      dead_letter(DeadLetter::EFFECT, record.service(), record.type(), record.id(),
                  {.code = Code::kUnavailable, .reason = "effect_failed", .detail = last.error},
                  record.attempts(), record.correlation_id(), record);
    host_.work().erase(detail::table_or_die(EffectRecord::descriptor()),
                       detail::table_or_die(EffectRecord::descriptor()).key_of(record));
    end_effect(record, *service, *handler, last);
  }
}

void Engine::Impl::end_effect(const EffectRecord& record, const Service& service,
                              const Service::EffectHandler& handler, const AnyOutcome& outcome) {
  const MessagePtr request = read_stored(*handler.type, record.request());
  if (request == nullptr)  // nothing was carried out, and there is nobody to tell what became of what
    return dead_letter(DeadLetter::EFFECT, record.service(), record.type(), record.id(), unreadable("effect"),
                       record.attempts(), record.correlation_id(), record);
  const InputFrame frame{.service = service.contract,
                         .principal = &system_principal(),
                         .correlation_id = record.correlation_id(),
                         .causation_id = record.causation_id(),
                         .traceparent = traces_.begin({.name = record.type(),
                                                       .service = service.name,
                                                       .parent = record.traceparent(),
                                                       .may_begin_trace = false}),
                         .actor = record.actor()};
  const auto result =
      host_.run(frame, [&](Context& ctx) { return handler.on_outcome(ctx, *request, outcome); });
  traces_.end(result);
  if (!result)
    dead_letter(DeadLetter::EFFECT, record.service(), record.type(), record.id(), result.error(),
                record.attempts(), record.correlation_id(), record);
  drain();
}

void Engine::Impl::dead_letter(DeadLetter::Kind kind, std::string_view service, std::string_view type,
                               std::string_view key, const Error& error, uint32_t attempts,
                               std::string_view correlation, const google::protobuf::Message& payload) {
  DeadLetter letter;
  letter.set_id(host_.new_id());
  letter.set_service(std::string(service));
  letter.set_kind(kind);
  letter.set_type(std::string(type));
  letter.set_key(std::string(key));
  letter.set_reason(error.reason);
  letter.set_detail(error.detail);
  letter.set_attempts(attempts);
  letter.set_created_at(host_.now());
  letter.set_correlation_id(std::string(correlation));
  payload.SerializeToString(letter.mutable_payload());
  log_error("engine.dead_letter", "something failed for good, and staff has to look at it",
            {{"dead_letter_id", letter.id()},
             {"service", letter.service()},
             {"type", letter.type()},
             {"reason", letter.reason()}});
  host_.put(letter);
  numbers_.dead_letters.add();
}

// Gives a dead letter to the machinery it fell out of.
Result<void> Engine::Impl::redrive(Context& ctx, const DeadLetter& letter) {
  switch (letter.kind()) {
    case DeadLetter::EVENT: {
      DeliveryRecord record = TRY(delivery_in(letter));
      record.set_next_at(ctx.now());
      host_.put(record);
      if (!handlers_.runs(record.service())) return {};  // it waits for a process that has the service
      keep_lane({record.service(), record.event_key()});
      lanes_[{record.service(), record.event_key()}].emplace(record.position(), record);
      return {};
    }
    case DeadLetter::EFFECT: {
      EffectRecord record = TRY(effect_in(letter));
      if (handlers_.effect(record.type()) == nullptr) return not_handled(record.type());
      record.set_attempts(0);
      record.set_unknown(
          true);  // it may have happened, and what followed from it failed: it is asked for first
      record.set_next_at(clock_.monotonic());
      host_.put(record);
      return {};
    }
    case DeadLetter::TIMER: {
      TimerRecord record = TRY(timer_in(letter));
      if (handlers_.timer(record.type()) == nullptr) return not_handled(record.type());
      record.set_due(ctx.now());
      host_.put(record);
      return {};
    }
    default:
      return fail(Code::kFailedPrecondition, "not_redrivable", "A projection is repaired by rebuilding it.");
  }
}

// The engine's own indexes follow what was committed.
void Engine::Impl::index_changes() {
  const contract::Table& timers = detail::table_or_die(TimerRecord::descriptor());
  host_.work().each_changed(timers, [&](const Row& before, const Row& after) {
    if (before) drop_timer(static_cast<const TimerRecord&>(*before).due(), timers.key_of(*before));
    if (after) place_timer(static_cast<const TimerRecord&>(*after).due(), timers.key_of(*after));
  });
  host_.work().each_changed(detail::table_or_die(EffectRecord::descriptor()),
                            [&](const Row& before, const Row& after) {
                              if (after) effects_.add(static_cast<const EffectRecord&>(*after));
                              else if (before)
                                effects_.remove(static_cast<const EffectRecord&>(*before).id());
                            });
}

}  // namespace micropay
