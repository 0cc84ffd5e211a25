// How long an event takes from the poke after its commit to the one who takes it. The figures are printed;
// what is asserted is only that the way has no pause built in, which would be 100 ms and more.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "libs/kafka/kafka_twin.h"

namespace micropay::kafka {
namespace {

using namespace test;

Duration cpu_time() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto time = [](const timeval& value) { return Duration(value.tv_sec) * kSecond + value.tv_usec; };
  return time(usage.ru_utime) + time(usage.ru_stime);
}

TEST(Latency, OfOneEventAtATime) {
  SETTINGS_OR_SKIP(settings);
  Source source(settings);
  Consumer consumer;
  Subscriber subscriber(settings, consumer.options("balance", {source.topic}));
  ASSERT_TRUE(subscriber.open().has_value());
  source.add(100);
  ASSERT_TRUE(becomes_true([&] { return consumer.size() == 100; }));
  std::vector<Duration> taken;
  for (size_t i = 1; i <= 300; ++i) {
    const Time begun = system_clock().monotonic();
    source.add(1);
    ASSERT_TRUE(becomes_true([&] { return consumer.size() == 100 + i; }));
    taken.push_back(system_clock().monotonic() - begun);
  }
  std::ranges::sort(taken);
  fmt::print("publish to take: p50 {} us, p90 {} us, p99 {} us, longest {} us\n", taken[150], taken[270],
             taken[297], taken.back());
  EXPECT_LT(taken[150], 50 * kMillisecond);
}

TEST(Latency, ManyEventsShareTheWay) {
  SETTINGS_OR_SKIP(settings);
  Source source(settings);
  Consumer consumer;
  Subscriber subscriber(settings, consumer.options("balance", {source.topic}));
  ASSERT_TRUE(subscriber.open().has_value());
  source.add(100);
  ASSERT_TRUE(becomes_true([&] { return consumer.size() == 100; }));
  const Time begun = system_clock().monotonic();
  const Duration cpu = cpu_time();
  for (size_t i = 0; i < 20; ++i) source.add(1'000);
  ASSERT_TRUE(becomes_true([&] { return consumer.size() == 20'100; }, kMinute));
  const Duration took = system_clock().monotonic() - begun;
  fmt::print("20000 events in {} ms: {} us of CPU an event in this process, both sides\n",
             took / kMillisecond, double(cpu_time() - cpu) / 20'000);
}

}  // namespace
}  // namespace micropay::kafka
