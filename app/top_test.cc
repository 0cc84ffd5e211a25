// What `micropay top` makes of two readings of /metrics: the format read back, percentiles, rates, a platform
// that was started anew in between, and one that has none of the metrics.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/metrics_text.h"
#include "app/ops_client.h"
#include "app/top_screen.h"
#include "libs/base/metrics.h"

namespace micropay::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

constexpr std::string_view kBefore = R"(# HELP http_server_requests_total HTTP requests by route and status
# TYPE http_server_requests_total counter
http_server_requests_total{route="POST /api/v1/payments",status="201"} 100
http_server_requests_total{route="GET /api/v1/payments/{id}",status="200"} 7
http_server_request_duration_seconds_bucket{route="POST /api/v1/payments",le="0.001"} 100
http_server_request_duration_seconds_bucket{route="POST /api/v1/payments",le="0.01"} 100
http_server_request_duration_seconds_bucket{route="POST /api/v1/payments",le="+Inf"} 100
http_server_request_duration_seconds_sum{route="POST /api/v1/payments"} 0.05
micropay_engine_ticks_total 50
)";
constexpr std::string_view kNow = R"(
http_server_requests_total{route="POST /api/v1/payments",status="201"} 500
http_server_requests_total{route="POST /api/v1/payments",status="402"} 20
http_server_requests_total{route="POST /api/v1/payments",status="503"} 10
http_server_requests_total{route="GET /api/v1/payments/{id}",status="200"} 7
http_server_requests_total{route="GET /api/v1/payments/{id}",status="500"} 4
http_server_request_duration_seconds_bucket{route="POST /api/v1/payments",le="0.001"} 300
http_server_request_duration_seconds_bucket{route="POST /api/v1/payments",le="0.01"} 500
http_server_request_duration_seconds_bucket{route="POST /api/v1/payments",le="+Inf"} 500
http_server_request_duration_seconds_sum{route="POST /api/v1/payments"} 2.05
micropay_engine_ticks_total 70
micropay_projection_lag_ticks{service="audit"} 3
micropay_projection_lag_ticks{service="payment"} 0
process_resident_memory_bytes 1.5e+08
process_start_time_seconds 1000
)";

TopFigures figures_of(std::string_view before, std::string_view now) {
  return top_figures({parse_metrics(before), 0, 0}, {parse_metrics(now), 2 * kSecond, 1060 * kSecond});
}

TEST(MetricsText, ReadsWhatTheRegistryWrites) {
  Counter& counted = counter("top_test_total", "Counted", {{"kind", "a \"quoted\" one"}});
  counted.add(3);
  Histogram& took = duration_histogram("top_test_seconds", "Took", {{"kind", "x"}});
  for (int i = 0; i < 99; ++i) took.observe(80);
  took.observe(400 * kMillisecond);
  gauge("top_test_lag", "Lag", {{"service", "payment"}}).set(-4);
  const MetricsText read = parse_metrics(render_metrics());
  EXPECT_EQ(read.sum("top_test_total"), 3);
  EXPECT_EQ(read.sum("top_test"), 0);
  EXPECT_THAT(read.by_label("top_test_lag", "service"), ElementsAre(Pair("payment", -4)));
  const HistogramText histogram = read.histogram("top_test_seconds", {R"(kind="x")"});
  EXPECT_EQ(histogram.count(), 100);
  EXPECT_NEAR(histogram.sum(), 99 * 80e-6 + 0.4, 1e-9);
  EXPECT_NEAR(histogram.percentile(0.5), 75e-6, 2e-6);  // within the bucket of 50 to 100 µs
  EXPECT_NEAR(histogram.percentile(1), 0.5, 1e-9);      // the bucket's bound
  EXPECT_EQ(read.histogram("top_test_seconds", {R"(kind="y")"}).count(), 0);
  EXPECT_GT(read.sum("process_start_time_seconds"), 1.7e9);
}

TEST(MetricsText, LeavesOutWhatIsNoSample) {
  const MetricsText read =
      parse_metrics("\n# a\nnovalue\nbad x\nname{a=\"b\" 1\ngood 2\nnot_a_number NaN\nlast 3");
  EXPECT_EQ(read.sum("good") + read.sum("last"), 5);
  EXPECT_EQ(read.sum("bad") + read.sum("not_a_number"), 0);
  EXPECT_TRUE(parse_metrics("<html>\n").empty());
}

TEST(HistogramText, PercentilesAtTheEdges) {
  EXPECT_EQ(HistogramText().percentile(0.99), 0);
  HistogramText beyond;
  beyond.add(0.5, 0);
  beyond.add(std::numeric_limits<double>::infinity(), 10);
  EXPECT_EQ(beyond.percentile(0.5), 0.5);  // all that is known: more than the last bound
}

TEST(Top, WorksOutRatesAndLatenciesBetweenTheReadings) {
  const TopFigures figures = figures_of(kBefore, kNow);
  EXPECT_EQ(figures.completed, 200);
  EXPECT_EQ(figures.failed, 10);
  EXPECT_EQ(figures.refused, 5);
  EXPECT_EQ(figures.server_errors, 2);
  EXPECT_EQ(figures.payments.rate, 200);
  EXPECT_NEAR(figures.payments.p50, 0.001, 1e-9);
  EXPECT_NEAR(figures.payments.p90, 0.0082, 1e-9);  // 160 of the upper 200, by a straight line
  EXPECT_EQ(figures.ticks, 10);
  EXPECT_EQ(figures.uptime_seconds, 60);
  EXPECT_THAT(figures.projections, ElementsAre(Pair("audit", 3), Pair("payment", 0)));
}

TEST(Top, CountsFromZeroAfterARestart) {
  const TopFigures figures = figures_of(kNow, kBefore);
  EXPECT_EQ(figures.completed, 50);
  EXPECT_EQ(figures.payments.rate, 50);
  EXPECT_EQ(figures.ticks, 25);
}

TEST(Top, ShowsAPlatformWithoutAnyOfIt) {
  const TopFigures nothing = figures_of("a 1\n", "a 1\n");
  EXPECT_EQ(nothing.payments.p99, 0);
  EXPECT_THAT(top_json("here", nothing), HasSubstr(R"("paymentsPerSecond":0,)"));
  EXPECT_GT(top_screen("here", nothing, false).size(), 10u);
}

TEST(Top, ScreenHasEscapesWithColoursOnly) {
  const TopFigures figures = figures_of(kBefore, kNow);
  const std::string plain = fmt::format("{}", fmt::join(top_screen("h:1", figures, false), "\n"));
  EXPECT_EQ(plain.find('\033'), plain.npos);
  for (const char* part : {"h:1", "200/s", "10/s", "150.0 MB", "audit 3"})
    EXPECT_THAT(plain, HasSubstr(part));
  const std::string coloured = fmt::format("{}", fmt::join(top_screen("h:1", figures, true), "\n"));
  EXPECT_NE(coloured.find('\033'), coloured.npos);
}

TEST(OpsClient, RefusesWhatIsNoAddressAndWhereNobodyListens) {
  const auto code = [](const std::string& address) {
    return get_from_ops(address, "/metrics", kSecond).error().code;
  };
  EXPECT_EQ(code("9080"), Code::kInvalidArgument);
  EXPECT_EQ(code("127.0.0.1:"), Code::kInvalidArgument);
  EXPECT_EQ(code("127.0.0.1:1"), Code::kUnavailable);
}

}  // namespace
}  // namespace micropay::app
