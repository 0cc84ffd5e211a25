#include "libs/runtime/effects.h"

#include "libs/base/check_scope.h"
#include "libs/base/metrics.h"
#include "libs/base/trace.h"
#include "libs/runtime/stored.h"

namespace micropay {

namespace {
BreakerPolicy breaker_of(const EffectPolicy& policy) {
  return {.failures = policy.breaker_failures, .open = policy.breaker_open};
}
}  // namespace

EffectRunner::EffectRunner(const Handlers& handlers, Executor executor, Done done, TraceSink* traces)
    : handlers_(handlers), executor_(std::move(executor)), done_(std::move(done)), traces_(traces) {}
EffectRunner::~EffectRunner() = default;

Duration EffectRunner::backoff(const EffectPolicy& policy, uint32_t attempts, std::string_view id) {
  Duration wait = policy.first_backoff;
  for (uint32_t i = 1; i < attempts && wait < policy.max_backoff; ++i) wait *= 2;
  wait = std::min(wait, policy.max_backoff);
  // Jitter of up to a quarter, from the id: two effects that failed together do not come back together.
  const size_t spread = std::hash<std::string_view>{}(id) + attempts * 7919;
  return wait - wait / 4 + Duration(spread % size_t(wait / 2 + 1));
}

void EffectRunner::add(const EffectRecord& record) {
  if (running_.contains(record.id())) return;  // its end decides what comes next
  remove(record.id());
  waiting_[record.id()] = {record, record.next_at()};
  due_.emplace(record.next_at(), record.id());
}

void EffectRunner::remove(const std::string& id) {
  const auto at = waiting_.find(id);
  if (at == waiting_.end()) return;
  const auto [from, to] = due_.equal_range(at->second.due);
  for (auto due = from; due != to; ++due)
    if (due->second == id) {
      due_.erase(due);
      break;
    }
  waiting_.erase(at);
}

void EffectRunner::forget_waiting() {
  waiting_.clear();
  due_.clear();
}

void EffectRunner::dispatch(Time now) {
  for (auto at = due_.begin(); at != due_.end() && at->first <= now;) {
    const EffectRecord& record = waiting_.at(at->second).record;
    const auto* entry = handlers_.effect(record.type());
    if (entry == nullptr) {  // of a service that does not run here
      ++at;
      continue;
    }
    Target& target = targets_[record.target()];
    const EffectPolicy& policy = entry->second->policy;
    if (target.running >= policy.concurrency || !target.breaker.allows(now, breaker_of(policy))) {
      ++at;
      continue;
    }
    target.breaker.began(now, breaker_of(policy));
    ++target.running;
    const EffectRecord copy = record;
    waiting_.erase(at->second);
    at = due_.erase(at);
    start(copy, *entry->second, now);
  }
}

void EffectRunner::start(const EffectRecord& record, const Service::EffectHandler& handler, Time now) {
  running_[record.id()] = {record.target(), &handler.policy, record.attempts(), now + handler.policy.timeout};
  const MessagePtr request = read_stored(*handler.type, record.request());
  if (request == nullptr)
    return done_({record.id(), record.attempts(), {AnyOutcome::Kind::kFailed, nullptr, kUnreadable}});
  executor_([this, handler = &handler, request, id = record.id(), attempt = record.attempts(),
             poll = record.unknown(), service = record.service(), parent = record.traceparent()] {
    Span span = begin_span(traces_, {.name = request->GetDescriptor()->name(),
                                     .service = service,
                                     .kind = SpanKind::kClient,
                                     .parent = parent,
                                     .may_begin_trace = false});
    span.set("attempt", int64_t(attempt) + 1);
    AnyOutcome outcome;
    try {
      const CheckScope scope;
      outcome = handler->perform(*request, id, poll);
    } catch (const std::exception& error) {
      outcome = {AnyOutcome::Kind::kUnknown, nullptr, error.what()};
    }
    if (outcome.kind != AnyOutcome::Kind::kDone) span.fail(outcome.error);
    span.end();
    done_({id, attempt, std::move(outcome)});
  });
}

bool EffectRunner::finished(const EffectResult& result, Time now) {
  const auto at = running_.find(result.id);
  if (at == running_.end() || at->second.attempt != result.attempt) return false;
  Target& target = targets_[at->second.target];
  --target.running;
  const bool answered =
      result.outcome.kind == AnyOutcome::Kind::kDone || result.outcome.kind == AnyOutcome::Kind::kFailed;
  if (answered) target.breaker.succeeded();
  else target.breaker.failed(now, breaker_of(*at->second.policy));
  running_.erase(at);
  return true;
}

std::vector<EffectResult> EffectRunner::expired(Time now) {
  std::vector<EffectResult> results;
  for (const auto& [id, running] : running_)
    if (running.deadline <= now)
      results.push_back({id, running.attempt, {AnyOutcome::Kind::kUnknown, nullptr, "no answer in time"}});
  return results;
}

Time EffectRunner::next_due() const {
  Time next = INT64_MAX;
  if (!due_.empty()) next = due_.begin()->first;
  for (const auto& [id, running] : running_) next = std::min(next, running.deadline);
  return next;
}

}  // namespace micropay
