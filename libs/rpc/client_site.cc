#include "libs/rpc/client_site.h"

#include "libs/base/log.h"
#include "libs/rpc/builtin.h"

namespace micropay::rpc {
namespace {

constexpr Duration kTickLength = 50 * kMillisecond;
constexpr Duration kReloadEvery = kSecond;
constexpr Duration kAwayFor = kSecond;  // then it is tried again
constexpr Duration kFirstBackoff = 50 * kMillisecond;
constexpr double kMostTokens = 100, kFirstTokens = 10;

// Repeating it changes nothing, whether or not it was carried out.
bool repeatable(const Command& command) { return command.method->query || !command.idempotency_key.empty(); }

Error unavailable(std::string_view reason, std::string detail, uint32_t retry_after_s) {
  return {.code = Code::kUnavailable,
          .reason = std::string(reason),
          .detail = std::move(detail),
          .retry_after_s = retry_after_s};
}

Error too_many_calls() { return unavailable("overloaded", "Too many calls are running.", 1); }

Answer refused(Error error) { return {.result = std::unexpected(std::move(error))}; }

}  // namespace

ClientSite::ClientSite(Loop& loop, std::shared_ptr<ClientCore> core) : loop_(loop), core_(std::move(core)) {
  random_.seed(core_->options.seed != 0 ? uint32_t(core_->options.seed) : std::random_device()());
}

ClientSite::~ClientSite() { end(); }

void ClientSite::begin() {
  ticker_ = std::make_unique<Ticker>(loop_, kTickLength, [this] { tick(); });
}

void ClientSite::end() {
  ticker_.reset();
  for (auto& connection : old_) connection->abandon();
  for (auto& [service, pool] : pools_) {
    tell(*pool, 0, 0);
    for (TargetPtr& target : pool->targets)
      if (target->connection) target->connection->abandon();
  }
  old_.clear(), later_.clear(), pools_.clear();
}

// Known instances keep their connection and what was learned of them.
void ClientSite::apply(const Targets& targets) {
  for (const contract::Service* service : contract::model().services()) {
    const auto named = targets.find(service->name);
    auto& pool = pools_[service];
    if (!pool)
      pool = std::make_unique<Pool>(Pool{.name = service->name, .targets = {}, .tokens = kFirstTokens});
    std::vector<TargetPtr> next;
    for (const TargetInfo& info : named == targets.end() ? std::vector<TargetInfo>() : named->second) {
      const auto known =
          std::ranges::find(pool->targets, info.address, [](const TargetPtr& one) { return one->address; });
      next.push_back(
          known != pool->targets.end() ? *known : std::make_shared<Target>(Target{.address = info.address}));
      next.back()->up = info.up;
    }
    for (const TargetPtr& target : pool->targets) {
      if (std::ranges::count(next, target) > 0 || !target->connection) continue;
      target->connection->retire();
      old_.push_back(std::move(target->connection));
    }
    pool->targets = std::move(next);
  }
}

bool ClientSite::usable(const Target& target, Time now) const {
  if (!target.up || !target.serving || !target.breaker.allows(now, core_->options.breaker)) return false;
  return (target.connection && target.connection->usable()) || now >= target.connect_at;
}

std::optional<Error> ClientSite::refusal(const contract::Service& service) const {
  if (running_ >= core_->options.max_calls) return too_many_calls();
  const auto pool = pools_.find(&service);
  if (pool == pools_.end()) return counted({.name = service.name}, "no_instance");
  const Time now = core_->clock.monotonic();
  if (std::ranges::any_of(pool->second->targets, [&](const TargetPtr& one) { return usable(*one, now); }))
    return std::nullopt;
  return counted(*pool->second, why_none(*pool->second, now));
}

// Commands go to those that do not send them away, if there is one.
ClientSite::TargetPtr ClientSite::choose(const Pool& pool, const OutCall& call) {
  if (!call.command.method->query)
    if (TargetPtr target = choose(pool, call, core_->clock.monotonic())) return target;
  return choose(pool, call, INT64_MAX);
}

// The better of two at random: as good as the best of all, without the herd that the best one attracts.
ClientSite::TargetPtr ClientSite::choose(const Pool& pool, const OutCall& call, Time home_since) {
  const Time now = core_->clock.monotonic();
  const TargetPtr* best = nullptr;
  const TargetPtr* second = nullptr;
  size_t seen = 0;
  for (const TargetPtr& target : pool.targets) {
    if (!usable(*target, now) || std::ranges::count(call.tried, target) > 0) continue;
    if (target->away_until > home_since) continue;
    ++seen;  // two of them, each with the same chance
    if (best == nullptr) best = &target;
    else if (second == nullptr) second = &target;
    else if (const size_t place = random_() % seen; place < 2) (place == 0 ? best : second) = &target;
  }
  if (second != nullptr && (*second)->running < (*best)->running) return *second;
  if (second != nullptr && (*second)->running == (*best)->running && random_() % 2 == 0) return *second;
  return best == nullptr ? nullptr : *best;
}

void ClientSite::call(OutCallPtr call) {
  const auto found = pools_.find(call->service);
  if (running_ >= core_->options.max_calls) {
    ++running_;
    return answer(std::move(call), refused(too_many_calls()));
  }
  ++running_;
  if (found == pools_.end()) {
    Error none = counted({.name = call->service->name}, "no_instance");
    return answer(std::move(call), refused(std::move(none)));
  }
  Pool& pool = *found->second;
  pool.tokens = std::min(kMostTokens, pool.tokens + core_->options.retry_percent / 100.0);
  attempt(pool, std::move(call));
}

void ClientSite::attempt(Pool& pool, OutCallPtr call) {
  const TargetPtr target = choose(pool, *call);
  if (target == nullptr)
    return answer(std::move(call), refused(counted(pool, why_none(pool, core_->clock.monotonic()))));
  ++call->attempts;
  if (core_->options.attempts > 1) call->tried.push_back(target);
  ++target->running;
  target->breaker.began(core_->clock.monotonic(), core_->options.breaker);
  connection_of(pool, target).send(std::move(call));
}

ClientConnection& ClientSite::connection_of(Pool& pool, const TargetPtr& target) {
  if (target->connection && target->connection->usable()) return *target->connection;
  if (target->connection) old_.push_back(std::move(target->connection));
  const std::weak_ptr<Target> weak = target;
  target->connection = std::make_shared<ClientConnection>(
      loop_, core_->options.keys, pool.name, core_->options.max_message_bytes,
      ClientConnection::Events{.finished =
                                   [this, &pool, weak](OutCallPtr call, const Outcome& outcome) {
                                     if (call->finished) return call->finished(*call, outcome);
                                     finished(pool, weak.lock(), std::move(call), outcome);
                                   },
                               .lost =
                                   [this, &pool, weak](const Loss& loss) {
                                     if (const auto one = weak.lock()) lost(pool, *one, loss);
                                   },
                               .opened =
                                   [&pool, weak] {
                                     const auto one = weak.lock();
                                     if (!one) return;
                                     one->backoff = 0;
                                     if (one->told.empty()) return;
                                     one->told.clear();
                                     log_info("rpc.connected", "An instance is reached again",
                                              {{"service", pool.name}, {"server.address", one->address}});
                                   }});
  target->connection->connect(target->address, core_->options.connect_timeout);
  return *target->connection;
}

void ClientSite::lost(const Pool& pool, Target& target, const Loss& loss) {
  target.backoff = std::min(std::max(2 * target.backoff, kFirstBackoff), core_->options.longest_backoff);
  target.connect_at = core_->clock.monotonic() + target.backoff;
  record_loss("client", loss.reason);
  if (std::exchange(target.told, loss.reason) == loss.reason) return;
  log_warn("rpc.connection_failed", "The connection to an instance failed",
           {{"service", pool.name},
            {"server.address", target.address},
            {"reason", loss.reason},
            {"told_by_peer", loss.told_by_peer},
            {"error.message", loss.detail}});
}

void ClientSite::judge(Target& target, const Outcome& outcome, const Answer& answer) {
  const bool refused = outcome.kind == Outcome::Kind::kAnswered && !answer.result &&
                       answer.result.error().code == Code::kUnavailable;
  if (refused) target.breaker.abandoned();  // it lives and says no: health and balance are for that
  else if (outcome.kind == Outcome::Kind::kAnswered) target.breaker.succeeded();
  else target.breaker.failed(core_->clock.monotonic(), core_->options.breaker);
}

bool ClientSite::may_repeat(Pool& pool, const OutCall& call, const Outcome& outcome, const Answer& answer) {
  if (call.attempts >= core_->options.attempts || core_->clock.monotonic() + kTickLength >= call.deadline)
    return false;
  if (outcome.kind == Outcome::Kind::kDeadline) return false;
  // An instance that says so itself has not carried it out.
  const bool refused = outcome.kind == Outcome::Kind::kAnswered && !answer.result &&
                       answer.result.error().code == Code::kUnavailable;
  if (outcome.kind == Outcome::Kind::kAnswered && !refused) return false;
  if (outcome.kind == Outcome::Kind::kLost && !repeatable(call.command)) return false;
  if (choose(pool, call) == nullptr) return false;
  // What an instance has not seen is no load on it: only the others are counted.
  const double cost = outcome.kind == Outcome::Kind::kNotSent ? 0 : 1;
  if (pool.tokens < cost) return false;
  pool.tokens -= cost;
  core_->retries.add();
  return true;
}

void ClientSite::finished(Pool& pool, const TargetPtr& target, OutCallPtr call, const Outcome& outcome) {
  Answer result = answer_of(pool, *call, outcome);
  if (target) {
    --target->running;
    if (call->away) target->away_until = core_->clock.monotonic() + kAwayFor;
    judge(*target, outcome, result);
  }
  if (may_repeat(pool, *call, outcome, result)) {
    if (outcome.kind == Outcome::Kind::kLost) call->maybe_done = true;
    return attempt(pool, std::move(call));
  }
  if (outcome.kind == Outcome::Kind::kNotSent || outcome.kind == Outcome::Kind::kLost)
    (void)counted(pool, "connection_lost");
  answer(std::move(call), std::move(result));
}

Answer ClientSite::answer_of(const Pool& pool, OutCall& call, const Outcome& outcome) const {
  const contract::Method& method = *call.command.method;
  if (outcome.kind == Outcome::Kind::kDeadline)
    return {.result = std::unexpected(Error{.code = Code::kDeadlineExceeded,
                                            .reason = "deadline_exceeded",
                                            .detail = "The service has not answered in time."})};
  if (outcome.kind == Outcome::Kind::kNotSent) return refused(no_instance(pool));
  if (outcome.kind == Outcome::Kind::kLost && !method.query)
    return {.result = std::unexpected(unavailable("outcome_unknown",
                                                  "The connection broke before the answer: look whether it "
                                                  "was done, or repeat it with the same Idempotency-Key.",
                                                  1))};
  if (outcome.kind == Outcome::Kind::kLost) return refused(no_instance(pool));
  if (call.too_large)
    return {.result = std::unexpected(Error{.code = Code::kInternal,
                                            .reason = "answer_too_large",
                                            .detail = "The answer is larger than a message may be."})};
  if (call.status.code != 0)
    return {.result = std::unexpected(error_of(call.status)),
            .replayed = call.replayed,
            .marks = std::move(call.marks)};
  const auto frame = first_frame(call.in, core_->options.max_message_bytes);
  auto message = std::shared_ptr<contract::Message>(method.make_response());
  if (!frame || frame->bytes == 0 ||
      !message->ParseFromArray(frame->message.data(), int(frame->message.size())))
    return {.result =
                std::unexpected(Error{.code = Code::kInternal,
                                      .reason = "malformed_answer",
                                      .detail = "The service's answer is no message of the contract."})};
  return {.result = Row(std::move(message)),
          .status = call.answer_status != 0 ? call.answer_status : method.success,
          .replayed = call.replayed,
          .marks = std::move(call.marks)};
}

// What is nearest to working says most: an instance that is there and does not answer, before one that is
// not.
std::string_view ClientSite::why_none(const Pool& pool, Time now) const {
  std::string_view why = "no_instance";
  for (const TargetPtr& target : pool.targets) {
    if (!target->up) continue;
    if (target->breaker.state(now, core_->options.breaker) == Breaker::State::kOpen) return "not_answering";
    if (!target->serving) why = "not_serving";
    else if (why != "not_serving") why = "unreachable";
  }
  return why;
}

// The fallback: at once, and with a word about when it may be worth while again.
Error ClientSite::no_instance(const Pool& pool) const {
  const Time now = core_->clock.monotonic();
  Duration wait = 0;
  for (const TargetPtr& target : pool.targets) {
    if (target->breaker.state(now, core_->options.breaker) != Breaker::State::kOpen) continue;
    const Duration left = target->breaker.retry_at(core_->options.breaker) - now;
    wait = wait == 0 ? left : std::min(wait, left);
  }
  return unavailable("upstream_unavailable",
                     fmt::format("The {} service cannot be reached at present.", pool.name),
                     uint32_t(std::max<Duration>(1, (wait + kSecond - 1) / kSecond)));
}

// An instance that answers that it cannot (its database is away) is none of these, nor is a call that another
// instance has answered then.
Error ClientSite::counted(const Pool& pool, std::string_view why) const {
  counter("micropay_rpc_client_unavailable_total", "Calls that no instance answered, and why",
          {{"service", pool.name}, {"reason", std::string(why)}})
      .add();
  return no_instance(pool);
}

void ClientSite::answer(OutCallPtr call, Answer answer) {
  --running_;
  const Code* code = answer.result ? nullptr : &answer.result.error().code;
  core_->metrics.record(*call->command.method, code, core_->clock.monotonic() - call->began);
  call->command.done(std::move(answer));
}

void ClientSite::tick() {
  const Time now = core_->clock.monotonic();
  const bool check = now >= check_at_;
  if (check) check_at_ = now + core_->options.health_period;
  Time reload_at = core_->reload_at;
  if (core_->options.keys != nullptr && now >= reload_at &&
      core_->reload_at.compare_exchange_strong(reload_at, now + kReloadEvery))
    core_->options.keys->reload_when_changed();
  for (auto& [service, pool] : pools_) {
    int64_t serving = 0, open = 0;
    for (const TargetPtr& target : std::vector<TargetPtr>(pool->targets)) {
      look_after(*pool, target, now, check);
      serving += usable(*target, now) ? 1 : 0;
      open += target->breaker.state(now, core_->options.breaker) == Breaker::State::kOpen ? 1 : 0;
    }
    tell(*pool, serving, open);
  }
  for (size_t i = old_.size(); i-- > 0;) {
    old_[i]->on_tick(now);
    if (old_[i]->closed()) old_.erase(old_.begin() + ptrdiff_t(i));
  }
}

void ClientSite::tell(Pool& pool, int64_t serving, int64_t open) {
  const auto of_state = [&](const char* state) {
    return &gauge("micropay_rpc_client_instances", "Instances as the clients here see them",
                  {{"service", pool.name}, {"state", state}});
  };
  if (pool.serving == nullptr && pool.targets.empty()) return;
  if (pool.serving == nullptr) pool.serving = of_state("serving"), pool.open = of_state("open");
  pool.serving->add(serving - std::exchange(pool.told_serving, serving));
  pool.open->add(open - std::exchange(pool.told_open, open));
}

// An instance is connected to before it is needed, and again after it was lost.
void ClientSite::look_after(Pool& pool, const TargetPtr& target, Time now, bool check) {
  if (target->connection) target->connection->on_tick(now);
  const auto& keys = core_->options.keys;
  if (target->connection && keys != nullptr && target->connection->generation() != keys->generation())
    target->connection->retire();  // a new certificate is shown by a new connection
  if (!target->up) return;
  const bool open = target->connection && target->connection->usable();
  if (!open && now < target->connect_at) return;
  if (!open) connection_of(pool, target);
  if (check && !target->checking) check_health(pool, target);
}

void ClientSite::check_health(Pool& pool, const TargetPtr& target) {
  target->checking = true;
  auto call = std::make_unique<OutCall>();
  call->path = kHealthCheckPath;
  append_frame(call->frame, std::string_view(health_request(pool.name)));
  call->began = core_->clock.monotonic();
  call->deadline = call->began + core_->options.connect_timeout;
  call->finished = [weak = std::weak_ptr(target), limit = core_->options.max_message_bytes](
                       OutCall& done, const Outcome& outcome) {
    const auto one = weak.lock();
    if (!one) return;
    one->checking = false;
    if (outcome.kind != Outcome::Kind::kAnswered) return;  // the connection's end says more
    const auto frame = first_frame(done.in, limit);
    one->serving = done.status.code == 0 && frame && says_serving(frame->message);
  };
  connection_of(pool, target).send(std::move(call));
}

}  // namespace micropay::rpc
