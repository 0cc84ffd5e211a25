#include "libs/redis/redis_subscriber.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "libs/base/check.h"
#include "libs/base/log.h"

namespace micropay {
namespace {

constexpr Duration kSilence = 2 * kSecond;  // then a PING; as long again, then the connection is given up

Time now() { return system_clock().monotonic(); }

}  // namespace

Result<RedisReply> ask(RedisConnection& connection, const RedisCommand& command, Duration timeout) {
  const Time until = now() + timeout;
  connection.append(command);
  while (now() < until) {
    TRY(connection.write_some());
    connection.wait(std::max<Duration>(0, until - now()), -1);
    TRY(connection.read_some());
    if (auto reply = TRY(connection.next())) return *std::move(reply);
  }
  return redis_away();
}

struct RedisSubscriber::Impl {
  Impl(RedisOptions given, std::string on, Listener with)
      : options(std::move(given)),
        channel(std::move(on)),
        listener(std::move(with)),
        wake_fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    CHECK(wake_fd >= 0);
  }
  ~Impl() { ::close(wake_fd); }

  void loop();
  Result<void> hear();
  Result<void> take(const RedisReply& reply);

  const RedisOptions options;
  const std::string channel;
  const Listener listener;
  const int wake_fd;
  std::thread thread;
  std::mutex mutex;
  std::condition_variable changed;
  std::atomic<bool> stopping{false};
  bool subscribed = false;
};

void RedisSubscriber::Impl::loop() {
  pthread_setname_np(pthread_self(), "redis-sub");
  Duration pause = 0;
  bool said = false;
  while (!stopping) {
    const auto heard = hear();
    if (std::exchange(subscribed, false)) {
      pause = 0;
      said = false;
      if (listener.on_lost) listener.on_lost();
    }
    if (stopping) return;
    if (!std::exchange(said, true))
      log_warn("redis.unsubscribed", "Redis is away",
               {{"channel", channel},
                {"address", options.target.address()},
                {"error.message", heard ? std::string() : heard.error().detail}});
    pause = std::clamp(2 * pause, options.first_pause, options.longest_pause);
    std::unique_lock lock(mutex);
    changed.wait_for(lock, std::chrono::microseconds(pause), [this] { return stopping.load(); });
  }
}

// One connection, until it is over.
Result<void> RedisSubscriber::Impl::hear() {
  auto connection =
      TRY(RedisConnection::open(options.target, options.name, options.connect_timeout, wake_fd));
  connection.append({"SUBSCRIBE", channel});
  Time heard_at = now();
  bool asked = false;
  while (!stopping) {
    TRY(connection.write_some());
    connection.wait(std::max<Duration>(0, heard_at + kSilence - now()), wake_fd);
    TRY(connection.read_some());
    while (auto reply = TRY(connection.next())) {
      heard_at = now(), asked = false;
      TRY(take(*reply));
    }
    if (now() < heard_at + kSilence) continue;
    if (asked) return redis_away();
    connection.append({"PING"});
    heard_at = now(), asked = true;
  }
  return {};
}

// ["subscribe", channel, count], ["message", channel, text], ["pong", ""]
Result<void> RedisSubscriber::Impl::take(const RedisReply& reply) {
  if (reply.list.size() < 3) return {};
  if (reply.list[0].text == "message") {
    listener.on_message(reply.list[2].text);
  } else if (reply.list[0].text == "subscribe") {
    auto reader = TRY(RedisConnection::open(options.target, options.name, options.connect_timeout, wake_fd));
    TRY(listener.on_subscribed(reader));
    subscribed = true;
    log_info("redis.subscribed", "Redis is heard",
             {{"channel", channel}, {"address", options.target.address()}});
  }
  return {};
}

RedisSubscriber::RedisSubscriber(RedisOptions options, std::string channel, Listener listener)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(channel), std::move(listener))) {}
RedisSubscriber::~RedisSubscriber() { stop(); }

void RedisSubscriber::start() {
  impl_->thread = std::thread([this] { impl_->loop(); });
}

void RedisSubscriber::stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->changed.notify_all();
  ::eventfd_write(impl_->wake_fd, 1);
  if (impl_->thread.joinable()) impl_->thread.join();
}

}  // namespace micropay
