// The router over the contracts as they are, and the rate limiter on a clock of its own.
#include "services/gateway/router.h"

#include <gtest/gtest.h>

#include "services/gateway/rate_gate.h"

namespace micropay::gateway {
namespace {

TEST(Router, FindsEveryRouteOfTheContracts) {
  Router router(contract::model().methods());
  ASSERT_GT(router.routes().size(), 20u);
  for (const auto& route : router.routes()) {
    std::string path = route->method->path;
    for (size_t open; (open = path.find('{')) != path.npos;)
      path.replace(open, path.find('}') - open + 1, "v1");
    RouteMatch match = router.match(route->method->verb, path);
    ASSERT_NE(match.route, nullptr) << path;
    EXPECT_EQ(match.route->method->name, route->method->name);
    for (size_t i = 0; i < route->method->variables.size(); ++i) EXPECT_EQ(match.variables[i], "v1");
  }
}

TEST(Router, PrefersLiteralsAndTellsVerbs) {
  Router router(contract::model().methods());
  EXPECT_EQ(router.match("GET", "/api/v1/users/me").route->method->name, "GetMe");
  EXPECT_EQ(router.match("GET", "/api/v1/users/mex").route->method->name, "GetUser");
  EXPECT_EQ(router.match("HEAD", "/api/v1/users/me").route->method->name, "GetMe");
  EXPECT_EQ(router.match("DELETE", "/api/v1/users/me").allowed, "GET, HEAD, PATCH, OPTIONS");
  for (std::string_view path : {"", "/", "/api", "/api/v1/users/", "/api/v1//users", "/api/v1/users/me/",
                                "/api/v1/Users", "/api/v1/users/me/x/y/z", "/api/v1/users/../accounts"}) {
    RouteMatch match = router.match("GET", path);
    EXPECT_EQ(match.route, nullptr) << path;
    EXPECT_EQ(match.allowed, "") << path;
  }
}

TEST(Rate, IsReadFromText) {
  EXPECT_EQ(parse_rate("20/s burst 40")->burst, 40);
  EXPECT_EQ(parse_rate("20/s")->interval_ns, 50'000'000);
  EXPECT_EQ(parse_rate("30/m")->burst, 30);
  EXPECT_EQ(parse_rate("60/h")->interval_ns, 60'000'000'000);
  for (std::string_view text :
       {"", "20", "20/", "/s", "20/d", "0/s", "-1/s", "20/s burst", "20/s burst 0", "20/s burst x"}) {
    EXPECT_FALSE(parse_rate(text)) << text;
  }
}

RateLimitSettings limits() {
  return {.on = true,
          .standard = *parse_rate("10/s burst 5"),
          .auth = *parse_rate("1/m burst 1"),
          .payment = *parse_rate("1/s burst 1"),
          .read = *parse_rate("1/s burst 1"),
          .global = *parse_rate("1000/s burst 3")};
}

TEST(RateLimits, TakesFromABucketThatFillsAgain) {
  RateLimits buckets(limits());
  Time now = 1'000 * kSecond;
  for (int left = 4; left >= 0; --left) {
    RateDecision decision = buckets.take(STANDARD, "anna", now);
    EXPECT_TRUE(decision.allowed);
    EXPECT_EQ(decision.remaining, left);
  }
  RateDecision refused = buckets.take(STANDARD, "anna", now);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.retry_after_s, 1);
  EXPECT_TRUE(buckets.take(STANDARD, "bert", now).allowed);
  EXPECT_TRUE(buckets.take(PAYMENT, "anna", now).allowed);
  EXPECT_TRUE(buckets.take(STANDARD, "anna", now + 100 * kMillisecond)
                  .allowed);  // one more after a tenth of a second
  EXPECT_FALSE(buckets.take(STANDARD, "anna", now + 100 * kMillisecond).allowed);
  EXPECT_EQ(buckets.take(STANDARD, "anna", now + 10 * kSecond).remaining, 4);  // never more than the burst
}

// A class that took from another's rate went unseen: sign-ins at the standard rate.
TEST(RateLimits, EachClassHasItsOwnRate) {
  const RateLimitSettings settings{.on = true,
                                   .standard = *parse_rate("1/m burst 2"),
                                   .auth = *parse_rate("1/m burst 3"),
                                   .payment = *parse_rate("1/m burst 5"),
                                   .read = *parse_rate("1/m burst 7"),
                                   .global = *parse_rate("1000/s")};
  for (const auto& [rate_class, burst] :
       {std::pair(STANDARD, 2), std::pair(AUTH, 3), std::pair(PAYMENT, 5), std::pair(READ, 7)}) {
    RateLimits buckets(settings);
    for (int i = 0; i < burst; ++i) EXPECT_TRUE(buckets.take(rate_class, "anna", kSecond).allowed) << burst;
    const RateDecision refused = buckets.take(rate_class, "anna", kSecond);
    EXPECT_FALSE(refused.allowed) << RateClass_Name(rate_class);
    EXPECT_EQ(refused.limit, burst) << RateClass_Name(rate_class);
  }
}

// Whoever has one address of an IPv6 network has 2^64 of them.
TEST(RateLimits, AnIpv6NetworkIsOneCaller) {
  EXPECT_EQ(address_of("2001:db8:1:2::1"), address_of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
  EXPECT_NE(address_of("2001:db8:1:2::1"), address_of("2001:db8:1:3::1"));
  EXPECT_EQ(address_of("fe80::1%eth0"), address_of("fe80::2%eth1"));
  EXPECT_EQ(address_of("192.0.2.1"), "192.0.2.1");
}

TEST(RateLimits, LimitsEverybodyTogether) {
  RateLimits buckets(limits());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(buckets.take_global(kSecond).allowed);
  EXPECT_FALSE(buckets.take_global(kSecond).allowed);
  EXPECT_TRUE(buckets.take_global(kSecond + kMillisecond).allowed);
}

TEST(RateLimits, ForgetsIdleCallersAndBoundsItsMemory) {
  RateLimits buckets(limits());
  Time now = kSecond;
  for (int i = 0; i < 400'000; ++i) buckets.take(AUTH, std::to_string(i), now);
  EXPECT_LT(buckets.buckets(), 16u * 20'001);
  now += 2 * kMinute;
  for (int i = 0; i < 100'000; ++i) buckets.take(AUTH, std::to_string(i % 100), now);
  for (int i = 0; i < 100'000; ++i) buckets.take(AUTH, std::to_string(i), now += kMinute);
  EXPECT_LT(buckets.buckets(), 40'000u);
}

}  // namespace
}  // namespace micropay::gateway
