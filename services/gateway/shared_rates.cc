#include "services/gateway/shared_rates.h"

#include <pthread.h>

#include "libs/base/log.h"
#include "libs/base/metrics.h"
#include "libs/redis/token_buckets.h"

namespace micropay::gateway {
namespace {

constexpr Duration kRound = 10 * kMillisecond;
constexpr Duration kDeadline = 50 * kMillisecond;

}  // namespace

// Lives until the last answer of Redis has come.
struct SharedRates::Impl : std::enable_shared_from_this<SharedRates::Impl> {
  Impl(RateLimits& given, RedisClient& with, const Clock& by) : limits(given), client(with), clock(by) {}

  void loop();
  void round();
  void send(std::vector<RateTaken> taken);
  void settle(const std::vector<RateTaken>& taken, const std::vector<BucketState>& states, Time asked_at);

  RateLimits& limits;
  RedisClient& client;
  const Clock& clock;
  TokenBuckets buckets{client};
  std::thread thread;
  std::mutex mutex;
  std::condition_variable changed;
  size_t under_way = 0;
  bool stopping = false;

  Gauge& shared = gauge("micropay_gateway_limits_shared", "1 while rate limits are shared through Redis");
  Counter& settled = counter("micropay_gateway_limits_settled_total", "Buckets settled with Redis");
  Counter& failed =
      counter("micropay_gateway_limits_unsettled_total", "Buckets that Redis did not answer for");
};

void SharedRates::Impl::settle(const std::vector<RateTaken>& taken, const std::vector<BucketState>& states,
                               Time asked_at) {
  for (size_t i = 0; i < std::min(taken.size(), states.size()); ++i)
    limits.settle(taken[i].key, asked_at + states[i].full_in_ns / 1000);
}

void SharedRates::Impl::send(std::vector<RateTaken> taken) {
  std::vector<BucketCharge> charges;
  charges.reserve(taken.size());
  for (const RateTaken& each : taken)
    charges.push_back(
        {.key = each.key == 0 ? "micropay:rate:all" : fmt::format("micropay:rate:{:016x}", each.key),
         .interval_ns = each.rate.interval_ns,
         .burst = each.rate.burst,
         .count = each.count,
         .owed = true});
  {
    const std::scoped_lock lock(mutex);
    ++under_way;
  }
  buckets.take(charges, kDeadline,
               [self = shared_from_this(), taken = std::move(taken),
                asked_at = clock.monotonic()](const Result<std::vector<BucketState>>& states) {
                 if (states) self->settle(taken, *states, asked_at);
                 (states ? self->settled : self->failed).add(taken.size());
                 const std::scoped_lock lock(self->mutex);
                 if (--self->under_way == 0) self->changed.notify_all();
               });
}

// A round ends before the next begins: what is under way would be counted by neither side.
void SharedRates::Impl::round() {
  if (!client.available()) return;  // what is taken meanwhile is collected when it is back
  std::vector<RateTaken> taken = limits.collect(clock.monotonic());
  for (size_t from = 0; from < taken.size(); from += TokenBuckets::kMostInOneCall) {
    const size_t to = std::min(taken.size(), from + TokenBuckets::kMostInOneCall);
    send({taken.begin() + std::ptrdiff_t(from), taken.begin() + std::ptrdiff_t(to)});
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [this] { return under_way == 0; });
}

void SharedRates::Impl::loop() {
  pthread_setname_np(pthread_self(), "rates");
  std::unique_lock lock(mutex);
  while (!stopping) {
    lock.unlock();
    round();
    lock.lock();
    changed.wait_for(lock, std::chrono::microseconds(kRound), [this] { return stopping; });
  }
}

SharedRates::SharedRates(RateLimits& limits, RedisClient& client, const Clock& clock)
    : impl_(std::make_shared<Impl>(limits, client, clock)) {
  client.on_change([shared = &impl_->shared](bool available) {
    shared->set(available ? 1 : 0);
    if (available) log_info("gateway.limits_shared", "Rate limits are shared by all gateways");
    else
      log_warn("gateway.limits_local", "Redis is away: each gateway holds its callers to the limits alone");
  });
}

SharedRates::~SharedRates() { stop(); }

void SharedRates::start() {
  impl_->thread = std::thread([impl = impl_] { impl->loop(); });
}

void SharedRates::stop() {
  {
    const std::scoped_lock lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->changed.notify_all();
  if (impl_->thread.joinable()) impl_->thread.join();
  impl_->shared.set(0);
}

void SharedRates::settle_now() { impl_->round(); }

}  // namespace micropay::gateway
