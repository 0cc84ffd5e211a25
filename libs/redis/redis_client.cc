#include "libs/redis/redis_client.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <future>

#include "libs/base/check.h"
#include "libs/base/log.h"
#include "libs/base/metrics.h"
#include "libs/base/settings.h"

namespace micropay {
namespace {

constexpr size_t kMaxUnsentBytes = 8 << 20;
constexpr Duration kIdleWait = kSecond;

Time now() { return system_clock().monotonic(); }

std::unexpected<Error> redis_late() {
  return fail(Code::kDeadlineExceeded, "redis_late", "Redis did not answer in time.");
}

// A server that has become a replica, is loading, or wants a name again: another connection may do better.
bool ends_connection(std::string_view refusal) {
  return refusal.starts_with("READONLY") || refusal.starts_with("LOADING") || refusal.starts_with("NOAUTH");
}

}  // namespace

RedisSettings RedisSettings::read(Settings& settings) {
  RedisSettings values;
  values.url = settings.text("redis.url", "", "Redis as redis://host:port/database; empty: none");
  values.user = settings.text("redis.user", "", "ACL user of Redis; empty: its default user");
  values.password = settings.secret("redis.password", "Password of Redis");
  return values;
}

Result<RedisOptions> RedisSettings::options(std::string_view name) const {
  RedisOptions options{.target = TRY(RedisTarget::parse(url)), .name = std::string(name)};
  options.target.user = user;
  options.target.password = password;
  return options;
}

// Lives until the thread and everybody who was asked to call back have let go.
struct RedisClient::Impl : std::enable_shared_from_this<RedisClient::Impl> {
  struct Pending {
    RedisCommand command;  // empty once it is sent
    Time sent_at = 0, until = 0;
    Done done;  // empty once it is answered
  };
  explicit Impl(RedisOptions given);
  ~Impl() { ::close(wake_fd); }

  void send(RedisCommand command, Time until, Done done);
  void loop();
  bool connect();
  Result<void> turn();
  void take_queue();
  Result<void> take_replies();
  Result<void> expire(Time at);
  void answer(Pending& pending, Result<RedisReply> reply);
  void set_available(bool is);
  void lose(const Error& why);
  void say_away(const Error& why);
  void wait_for_change(Duration timeout);

  const RedisOptions options;
  const int wake_fd;
  std::vector<std::function<void(bool)>> listeners;
  std::thread thread;

  std::mutex mutex;
  mutable std::condition_variable changed;
  std::vector<Pending> queue;
  bool sleeping = false;
  std::atomic<bool> stopping{false}, available{false};
  std::atomic<size_t> pending_count{0};

  // The thread's own.
  std::optional<RedisConnection> connection;
  std::deque<Pending> under_way;  // in the order that they were sent, which is that of the replies
  std::vector<Pending> taken;
  Time next_deadline = INT64_MAX;
  Duration pause = 0;
  bool said_away = false;

  struct Numbers {
    explicit Numbers(const std::string& name) : labels{{"client", name}} {}
    Counter& outcome(std::string_view word) const {
      return counter("micropay_redis_commands_total", "Commands to Redis by outcome",
                     {labels[0], {"outcome", std::string(word)}});
    }
    MetricLabels labels;
    Counter &ok = outcome("ok"), &error = outcome("error"), &late = outcome("late"),
            &refused = outcome("refused");
    Gauge& available = gauge("micropay_redis_available", "1 while Redis answers", labels);
    Counter& connects = counter("micropay_redis_connects_total", "Connections to Redis opened", labels);
    Histogram& seconds =
        duration_histogram("micropay_redis_seconds", "Time from a command to its answer", labels);
  } numbers;
};

RedisClient::Impl::Impl(RedisOptions given)
    : options(std::move(given)), wake_fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), numbers(options.name) {
  CHECK(wake_fd >= 0);
}

void RedisClient::Impl::send(RedisCommand command, Time until, Done done) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex);
    if (available.load(std::memory_order_relaxed) && !stopping) {
      if (pending_count.load(std::memory_order_relaxed) < options.max_pending) {
        pending_count.fetch_add(1, std::memory_order_relaxed);
        queue.push_back({std::move(command), now(), until, std::move(done)});
        wake = std::exchange(sleeping, false);
      }
    } else {
      command.clear();
    }
  }
  if (wake) ::eventfd_write(wake_fd, 1);
  if (!done) return;
  numbers.refused.add();
  if (command.empty()) return done(redis_away());
  done(fail(Code::kUnavailable, "redis_overloaded", "Too many commands to Redis wait."));
}

void RedisClient::Impl::answer(Pending& pending, Result<RedisReply> reply) {
  if (!pending.done) return;
  pending_count.fetch_sub(1, std::memory_order_relaxed);
  if (reply) numbers.ok.add();
  else if (reply.error().code == Code::kDeadlineExceeded) numbers.late.add();
  else numbers.error.add();
  numbers.seconds.observe(now() - pending.sent_at);
  std::exchange(pending.done, nullptr)(std::move(reply));
}

void RedisClient::Impl::set_available(bool is) {
  {
    const std::lock_guard lock(mutex);
    if (available == is) return;
    available = is;
  }
  changed.notify_all();
  numbers.available.set(is ? 1 : 0);
  for (const auto& listener : listeners) listener(is);
}

void RedisClient::Impl::say_away(const Error& why) {
  if (stopping || std::exchange(said_away, true)) return;
  log_warn("redis.away", "Redis is away",
           {{"client", options.name}, {"address", options.target.address()}, {"error.message", why.detail}});
}

// The connection is over: nobody waits any longer.
void RedisClient::Impl::lose(const Error& why) {
  say_away(why);
  set_available(false);
  connection.reset();
  std::vector<Pending> queued;
  {
    const std::lock_guard lock(mutex);
    queued.swap(queue);
  }
  for (Pending& pending : under_way) answer(pending, redis_away());
  for (Pending& pending : queued) answer(pending, redis_away());
  under_way.clear();
  next_deadline = INT64_MAX;
}

void RedisClient::Impl::wait_for_change(Duration timeout) {
  std::unique_lock lock(mutex);
  changed.wait_for(lock, std::chrono::microseconds(timeout), [this] { return stopping.load(); });
}

bool RedisClient::Impl::connect() {
  auto opened = RedisConnection::open(options.target, options.name, options.connect_timeout, wake_fd);
  if (!opened) {
    say_away(opened.error());
    pause = std::clamp(2 * pause, options.first_pause, options.longest_pause);
    wait_for_change(pause);
    return false;
  }
  connection = std::move(*opened);
  pause = 0;
  numbers.connects.add();
  log_info("redis.connected", "Redis answers",
           {{"client", options.name}, {"address", options.target.address()}});
  said_away = false;
  set_available(true);
  return true;
}

void RedisClient::Impl::loop() {
  pthread_setname_np(pthread_self(), "redis");
  while (!stopping) {
    if (!connection && !connect()) continue;
    if (const auto went = turn(); !went) lose(went.error());
  }
  lose({});
}

// Once around: what is queued goes out, what came in is told, what is late is told as well.
Result<void> RedisClient::Impl::turn() {
  take_queue();
  TRY(connection->write_some());
  TRY(connection->read_some());
  TRY(take_replies());
  Time at = now();
  if (at >= next_deadline) TRY(expire(at));
  bool idle = false;
  {
    const std::lock_guard lock(mutex);
    idle = !stopping && (queue.empty() || connection->unsent_bytes() > kMaxUnsentBytes);
    sleeping = idle;
  }
  if (idle) connection->wait(std::clamp<Duration>(next_deadline - at, 0, kIdleWait), wake_fd);
  const std::lock_guard lock(mutex);
  sleeping = false;
  eventfd_t ignored = 0;
  ::eventfd_read(wake_fd, &ignored);
  return {};
}

void RedisClient::Impl::take_queue() {
  if (connection->unsent_bytes() > kMaxUnsentBytes) return;
  taken.clear();
  {
    const std::lock_guard lock(mutex);
    taken.swap(queue);
  }
  for (Pending& pending : taken) {
    connection->append(pending.command);
    pending.command.clear();
    next_deadline = std::min(next_deadline, pending.until);
    under_way.push_back(std::move(pending));
  }
}

Result<void> RedisClient::Impl::take_replies() {
  while (!under_way.empty()) {
    auto reply = connection->next();
    if (!reply) {
      if (reply.error().code != Code::kInternal || ends_connection(reply.error().detail))
        return std::unexpected(std::move(reply).error());
      answer(under_way.front(), std::unexpected(std::move(reply).error()));
    } else if (*reply) {
      answer(under_way.front(), *std::move(*reply));
    } else {
      return {};
    }
    under_way.pop_front();
  }
  if (!available && !stopping) {  // it has caught up
    log_info("redis.connected", "Redis answers again",
             {{"client", options.name}, {"address", options.target.address()}});
    said_away = false;
    set_available(true);
  }
  return {};
}

// The first deadline that passes is enough to send others away: they would only wait as long.
Result<void> RedisClient::Impl::expire(Time at) {
  next_deadline = INT64_MAX;
  if (under_way.empty()) return {};
  for (Pending& pending : under_way) {
    if (pending.done && pending.until <= at) {
      say_away({.detail = "an answer is late"});
      set_available(false);
      answer(pending, redis_late());
    } else if (pending.done) {
      next_deadline = std::min(next_deadline, pending.until);
    }
  }
  const Time give_up = under_way.front().until + options.give_up;
  if (give_up <= at) return fail(Code::kUnavailable, "redis_away", "the server does not answer");
  next_deadline = std::min(next_deadline, give_up);
  return {};
}

RedisClient::RedisClient(RedisOptions options) : impl_(std::make_shared<Impl>(std::move(options))) {}
RedisClient::~RedisClient() { stop(); }

void RedisClient::on_change(std::function<void(bool)> listener) {
  CHECK(!impl_->thread.joinable());
  impl_->listeners.push_back(std::move(listener));
}

void RedisClient::start() {
  impl_->thread = std::thread([impl = impl_] { impl->loop(); });
}

void RedisClient::stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->changed.notify_all();
  ::eventfd_write(impl_->wake_fd, 1);
  if (impl_->thread.joinable()) impl_->thread.join();
}

bool RedisClient::available() const { return impl_->available.load(std::memory_order_relaxed); }

bool RedisClient::wait_available(Duration timeout) const {
  std::unique_lock lock(impl_->mutex);
  return impl_->changed.wait_for(lock, std::chrono::microseconds(timeout),
                                 [this] { return impl_->available.load(); });
}

void RedisClient::send(RedisCommand command, Duration deadline, Done done) {
  impl_->send(std::move(command), now() + deadline, std::move(done));
}

void RedisClient::run(const RedisScript& script, std::span<const std::string> keys,
                      std::span<const std::string> args, Duration deadline, Done done) {
  const Time until = now() + deadline;
  RedisCommand command = {"EVALSHA", script.sha1, fmt::format("{}", keys.size())};
  command.reserve(command.size() + keys.size() + args.size());
  command.insert(command.end(), keys.begin(), keys.end());
  command.insert(command.end(), args.begin(), args.end());
  RedisCommand again = command;
  impl_->send(std::move(command), until,
              [weak = std::weak_ptr(impl_), text = &script.text, again = std::move(again), until,
               done = std::move(done)](Result<RedisReply> reply) mutable {
                const auto impl = weak.lock();
                if (reply || !impl || !reply.error().detail.starts_with("NOSCRIPT"))
                  return done(std::move(reply));
                again[0] = "EVAL";
                again[1] = *text;
                impl->send(std::move(again), until, std::move(done));
              });
}

Result<RedisReply> RedisClient::call(RedisCommand command, Duration deadline) {
  CHECK(std::this_thread::get_id() != impl_->thread.get_id());
  std::promise<Result<RedisReply>> promise;
  send(std::move(command), deadline, [&](Result<RedisReply> reply) { promise.set_value(std::move(reply)); });
  return promise.get_future().get();
}

Result<RedisReply> RedisClient::call(const RedisScript& script, std::span<const std::string> keys,
                                     std::span<const std::string> args, Duration deadline) {
  CHECK(std::this_thread::get_id() != impl_->thread.get_id());
  std::promise<Result<RedisReply>> promise;
  run(script, keys, args, deadline, [&](Result<RedisReply> reply) { promise.set_value(std::move(reply)); });
  return promise.get_future().get();
}

}  // namespace micropay
