// Metrics: their text form, and that nothing is lost when threads count at once.
#include "libs/base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace micropay {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Metrics, RendersTheTextFormat) {
  counter("test_payments_total", "Payments\nby \\ outcome", {{"outcome", "say \"no\""}}).add(3);
  counter("test_payments_total", "", {{"outcome", "ok"}}).add();
  gauge("test_queue_depth", "Inputs waiting").set(-2);
  EXPECT_THAT(render_metrics(), HasSubstr("# HELP test_payments_total Payments\\nby \\\\ outcome\n"
                                          "# TYPE test_payments_total counter\n"
                                          "test_payments_total{outcome=\"ok\"} 1\n"
                                          "test_payments_total{outcome=\"say \\\"no\\\"\"} 3\n"));
  EXPECT_THAT(render_metrics(), HasSubstr("# TYPE test_queue_depth gauge\ntest_queue_depth -2\n"));
}

TEST(Metrics, HistogramsAreCumulativeAndBoundsInclusive) {
  Histogram& sizes = histogram("test_tick_inputs", "Inputs of a tick", {{"engine", "a"}}, {1, 10});
  for (const int64_t value : {1, 2, 10, 11}) sizes.observe(value);
  EXPECT_EQ(sizes.count(), 4u);
  EXPECT_EQ(sizes.sum(), 24);
  EXPECT_THAT(render_metrics(), HasSubstr("test_tick_inputs_bucket{engine=\"a\",le=\"1\"} 1\n"
                                          "test_tick_inputs_bucket{engine=\"a\",le=\"10\"} 3\n"
                                          "test_tick_inputs_bucket{engine=\"a\",le=\"+Inf\"} 4\n"
                                          "test_tick_inputs_sum{engine=\"a\"} 24\n"
                                          "test_tick_inputs_count{engine=\"a\"} 4\n"));
}

TEST(Metrics, DurationsAreShownInSeconds) {
  duration_histogram("test_commit_seconds", "One commit").observe(1500);
  EXPECT_THAT(render_metrics(), HasSubstr("test_commit_seconds_bucket{le=\"0.001\"} 0\n"));
  EXPECT_THAT(render_metrics(), HasSubstr("test_commit_seconds_bucket{le=\"0.0025\"} 1\n"));
  EXPECT_THAT(render_metrics(), HasSubstr("test_commit_seconds_sum 0.0015\n"));
}

TEST(Metrics, TheSameNameAndLabelsAreOneMetric) {
  EXPECT_EQ(&counter("test_same_total", ""), &counter("test_same_total", ""));
  EXPECT_NE(&counter("test_same_total", ""), &counter("test_same_total", "", {{"a", "b"}}));
}

TEST(Metrics, CallbacksAreSummedAndEndWithTheirHandle) {
  GaugeCallback first = gauge_callback("test_rows", "Rows", {}, [] { return 1.5; });
  {
    GaugeCallback second = gauge_callback("test_rows", "Rows", {}, [] { return 2.0; });
    GaugeCallback moved = std::move(second);
    EXPECT_THAT(render_metrics(), HasSubstr("\ntest_rows 3.5\n"));
  }
  EXPECT_THAT(render_metrics(), HasSubstr("\ntest_rows 1.5\n"));
  first = GaugeCallback();
  EXPECT_THAT(render_metrics(), Not(HasSubstr("\ntest_rows ")));
}

TEST(Metrics, CountsOfManyThreadsAddUp) {
  Counter& counted = counter("test_threads_total", "");
  Histogram& observed = histogram("test_threads_sizes", "", {}, {10});
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < 10'000; ++n) counted.add(), observed.observe(n % 20);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counted.value(), 40'000u);
  EXPECT_EQ(observed.count(), 40'000u);
}

TEST(Metrics, TheProcessIsIncluded) {
  for (const char* name :
       {"\nprocess_cpu_seconds_total ", "\nprocess_resident_memory_bytes ", "\nprocess_open_fds "})
    EXPECT_THAT(render_metrics(), HasSubstr(name));
}

TEST(MetricsDeathTest, NamesAndTypesMustAgree) {
  counter("test_type_total", "");
  EXPECT_DEATH(counter("test_without_suffix", ""), "CHECK");
  EXPECT_DEATH(gauge("test_type_total", ""), "CHECK");
  EXPECT_DEATH(counter("test bad_total", ""), "CHECK");
  EXPECT_DEATH(duration_histogram("test_ms", ""), "CHECK");
}

}  // namespace
}  // namespace micropay
