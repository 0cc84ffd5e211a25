// Limits of several gateways over one Redis: the script decides as the local limits do, and what is settled
// keeps the sum of all within the limit and the stated overshoot.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <random>

#include "libs/redis/redis_twin.h"
#include "libs/redis/token_buckets.h"
#include "services/gateway/shared_rates.h"

namespace micropay::gateway {
namespace {

constexpr Duration kLong = 10 * kSecond;

RateLimitSettings limits_of(std::string_view standard, std::string_view global = "1000000/s") {
  const Rate other = *parse_rate("1/s");
  return {.on = true,
          .standard = *parse_rate(standard),
          .auth = other,
          .payment = other,
          .read = other,
          .global = *parse_rate(global)};
}

std::vector<BucketState> taken(TokenBuckets& buckets, const std::vector<BucketCharge>& charges, Time now) {
  std::promise<Result<std::vector<BucketState>>> promise;
  buckets.take(charges, kLong, [&](auto states) { promise.set_value(std::move(states)); }, now);
  auto states = promise.get_future().get();
  EXPECT_TRUE(states.has_value());
  return states.value_or(std::vector<BucketState>());
}

class OverRedis : public testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_REDIS();
    client_ = std::make_unique<RedisClient>(shared_redis(2));
    client_->start();
    ASSERT_TRUE(client_->wait_available(kLong));
  }
  std::unique_ptr<RedisClient> client_;
};

TEST_F(OverRedis, TheScriptDecidesAsTheLocalLimitsDo) {
  TokenBuckets buckets(*client_);
  for (const std::string_view text : {"10/s burst 5", "3/s burst 7", "50000/s burst 20", "7/m burst 2"}) {
    const Rate rate = *parse_rate(text);
    RateLimits local(limits_of(text));
    std::mt19937 random(7);
    Time now = 1'800'000'000 * kSecond;
    int refused = 0;
    for (int i = 0; i < 500; ++i) {
      now += Duration(random() % uint32_t(rate.interval_ns / 1000));
      if (random() % 300 == 0) now += rate.burst * rate.interval_ns / 1000;
      const RateDecision expected = local.take(STANDARD, "anna", now);
      const auto states = taken(
          buckets, {{.key = std::string(text), .interval_ns = rate.interval_ns, .burst = rate.burst}}, now);
      ASSERT_EQ(states.size(), 1u);
      ASSERT_EQ(states[0].allowed, expected.allowed) << text << " at request " << i;
      ASSERT_LE(std::abs(states[0].full_in_ns / 1'000'000'000 - expected.reset_s), 1) << text << " " << i;
      refused += expected.allowed ? 0 : 1;
    }
    EXPECT_GT(refused, 5) << text;
  }
}

TEST_F(OverRedis, TheScriptTakesFromSeveralBucketsAndStopsAtTheFirstThatRefuses) {
  TokenBuckets buckets(*client_);
  const int64_t second = 1'000'000'000;
  const Time now = 1'800'000'000 * kSecond;
  const BucketCharge wide{.key = "wide", .interval_ns = second, .burst = 10};
  const BucketCharge narrow{.key = "narrow", .interval_ns = second, .burst = 1};
  auto states = taken(buckets, {wide, narrow}, now);
  ASSERT_EQ(states.size(), 2u);
  EXPECT_TRUE(states[0].allowed && states[1].allowed);
  states = taken(buckets, {narrow, wide}, now);
  ASSERT_EQ(states.size(), 1u);
  EXPECT_FALSE(states[0].allowed);
  states = taken(buckets, {wide, narrow}, now);  // the first is charged although the second refuses
  ASSERT_EQ(states.size(), 2u);
  EXPECT_EQ(states[0].full_in_ns, 2 * second);
  EXPECT_FALSE(states[1].allowed);
  BucketCharge owed = narrow;
  owed.owed = true, owed.count = 2;
  EXPECT_EQ(taken(buckets, {owed}, now)[0].full_in_ns, 3 * second);
  owed.count = 100;
  EXPECT_EQ(taken(buckets, {owed}, now)[0].full_in_ns, 4 * second);           // no debt of more than 3 bursts
  EXPECT_EQ(taken(buckets, {wide}, now - kHour)[0].full_in_ns, 40 * second);  // a clock that went back
}

TEST_F(OverRedis, OneGatewaySeesWhatAnotherTook) {
  ManualClock clock;
  RateLimits one(limits_of("1/m burst 10")), two(limits_of("1/m burst 10"));
  RedisClient client(shared_redis(2));
  SharedRates shared_one(one, client, clock), shared_two(two, client, clock);
  client.start();
  ASSERT_TRUE(client.wait_available(kLong));
  const auto left = [&](RateLimits& limits) {
    return limits.take(STANDARD, "anna", clock.monotonic()).remaining;
  };
  for (int i = 0; i < 4; ++i) left(one);
  shared_one.settle_now();
  EXPECT_EQ(left(two), 9);  // it has not asked yet
  shared_two.settle_now();
  EXPECT_EQ(left(two), 4);
  EXPECT_EQ(left(one), 5);
  shared_two.settle_now(), shared_one.settle_now(), left(two), shared_two.settle_now();
  EXPECT_EQ(left(two), 1);
}

// The overshoot that shared_rates.h states, and that it is paid back.
TEST_F(OverRedis, TwoGatewaysTogetherKeepToTheLimit) {
  constexpr int64_t kPerSecond = 200, kBurst = 50;
  RateLimits one(limits_of("200/s burst 50")), two(limits_of("200/s burst 50"));
  RedisClient client_one(shared_redis(3)), client_two(shared_redis(3));
  SharedRates shared_one(one, client_one, system_clock()), shared_two(two, client_two, system_clock());
  client_one.start(), client_two.start();
  ASSERT_TRUE(client_one.wait_available(kLong) && client_two.wait_available(kLong));
  shared_one.start(), shared_two.start();
  const Time began = system_clock().monotonic(), ends = began + 2 * kSecond;
  std::atomic<int64_t> allowed = 0, allowed_late = 0;
  const auto press = [&](RateLimits& limits) {
    for (Time now = began; now < ends; now = system_clock().monotonic()) {
      if (!limits.take(STANDARD, "anna", now).allowed) continue;
      ++allowed;
      if (now >= ends - kSecond) ++allowed_late;
    }
  };
  {
    std::jthread first([&] { press(one); }), second([&] { press(two); });
  }
  shared_one.stop(), shared_two.stop();
  EXPECT_LE(allowed, 2 * kPerSecond + kBurst + kBurst);
  EXPECT_GE(allowed, 2 * kPerSecond * 9 / 10);
  // Once the first burst is paid back, each gives at most what one round holds beyond the rate.
  EXPECT_LE(allowed_late, kPerSecond * 5 / 4);
}

TEST_F(OverRedis, WithoutRedisEachGatewayLimitsAloneAndSettlesLater) {
  RedisProcess server;
  RateLimits one(limits_of("1/m burst 10")), two(limits_of("1/m burst 10"));
  RedisClient client(server.options());
  SharedRates shared_one(one, client, system_clock()), shared_two(two, client, system_clock());
  client.start();
  ASSERT_TRUE(client.wait_available(kLong));
  const auto take = [](RateLimits& limits, std::string_view caller = "anna") {
    return limits.take(STANDARD, caller, system_clock().monotonic());
  };
  for (int i = 0; i < 6; ++i) take(one);
  shared_one.settle_now();
  server.kill();
  const Time until = system_clock().monotonic() + kLong;
  while (client.available() && system_clock().monotonic() < until) std::this_thread::yield();
  shared_one.settle_now();
  EXPECT_EQ(take(one).remaining, 3);  // nothing is forgotten here
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(take(one).allowed);
  EXPECT_FALSE(take(one).allowed);
  server.start();  // which has forgotten everything
  ASSERT_TRUE(client.wait_available(kLong));
  shared_one.settle_now();
  EXPECT_FALSE(take(one).allowed);
  take(two);
  shared_two.settle_now();
  EXPECT_EQ(take(two).remaining, 10 - 4 - 1 - 1);  // it is told what was taken since Redis forgot
}

// Were a decision to wait for Redis, each would take its deadline of 50 ms. Looked at are most of them, not
// the slowest: that one belongs to whoever else the machine is busy for.
TEST_F(OverRedis, APausedRedisDelaysNobody) {
  RedisProcess server;
  RateLimits limits(limits_of("1000000/s"));
  RedisClient client(server.options());
  SharedRates shared(limits, client, system_clock());
  client.start();
  ASSERT_TRUE(client.wait_available(kLong));
  shared.start();
  server.pause();
  int decisions = 0, slow = 0;
  const Time until = system_clock().monotonic() + kLong;
  for (Time now = 0; (decisions < 1'000 || client.available()) && now < until; ++decisions) {
    now = system_clock().monotonic();
    limits.take(STANDARD, "anna", now);
    limits.take_global(now);
    slow += system_clock().monotonic() - now >= 20 * kMillisecond ? 1 : 0;
  }
  EXPECT_FALSE(client.available());
  EXPECT_LT(slow * 20, decisions);
  server.resume();
  EXPECT_TRUE(client.wait_available(kLong));
}

TEST(RateLimits, CollectsWhatWasTakenAndIsStillMissing) {
  RateLimits limits(limits_of("10/s burst 5", "10/s burst 100"));
  const Time now = kSecond;
  EXPECT_TRUE(limits.collect(now).empty());
  for (int i = 0; i < 7; ++i) limits.take(STANDARD, "anna", now);  // two are refused
  limits.take(STANDARD, "bert", now);
  limits.take_global(now);
  const auto taken = limits.collect(now);
  std::vector<int64_t> counts;
  for (const RateTaken& each : taken) counts.push_back(each.count);
  EXPECT_THAT(counts, testing::UnorderedElementsAre(1, 1, 5));
  EXPECT_TRUE(limits.collect(now).empty());
  for (int i = 0; i < 3; ++i) limits.take(STANDARD, "cleo", now);
  EXPECT_EQ(limits.collect(now + 200 * kMillisecond)[0].count, 1);  // two have flowed back
  for (int i = 0; i < 3; ++i) limits.take(STANDARD, "dora", now);
  EXPECT_TRUE(limits.collect(now + kSecond).empty());
}

}  // namespace
}  // namespace micropay::gateway
