// What is sampled, what reaches a collector, and what becomes of spans when it is slow, away or refuses.
#include "libs/trace/tracer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libs/base/metrics.h"
#include "libs/base/settings.h"
#include "libs/http/server.h"
#include "libs/trace/span_json.h"

namespace micropay {
namespace {

using testing::ElementsAre;

constexpr Duration kLong = 10 * kSecond;
constexpr std::string_view kSampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

template <typename Condition>
bool soon(Condition holds) {
  const Clock& clock = system_clock();
  for (const Time until = clock.monotonic() + kLong; clock.monotonic() < until;) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

uint64_t spans(std::string_view outcome) {
  return counter("micropay_trace_spans_total", "Spans recorded, by what became of them",
                 {{"outcome", std::string(outcome)}})
      .value();
}

// Answers with the statuses given, then 202; keeps what it took.
class Collector {
 public:
  explicit Collector(std::vector<uint32_t> statuses = {})
      : statuses_(std::move(statuses)),
        server_({}, [this](HttpRequest&& request, const Responder& responder) {
          const std::lock_guard lock(mutex_);
          const uint32_t status = asked_ < statuses_.size() ? statuses_[asked_] : 202;
          ++asked_;
          if (status < 300) bodies_.push_back(std::move(request.body)), paths_.emplace_back(request.path);
          responder.send({.status = status});
        }) {
    EXPECT_TRUE(server_.start().has_value());
  }
  std::string url(std::string_view path) const { return fmt::format("http://{}{}", server_.address(), path); }
  size_t asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  std::vector<std::string> bodies() const {
    const std::lock_guard lock(mutex_);
    return bodies_;
  }
  std::vector<std::string> paths() const {
    const std::lock_guard lock(mutex_);
    return paths_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<uint32_t> statuses_;
  size_t asked_ = 0;
  std::vector<std::string> bodies_, paths_;
  HttpServer server_;
};

TraceOptions options(const std::string& endpoint) {
  return {.exporter = TraceExporter::kZipkin,
          .endpoint = endpoint,
          .sampled_per_million = 1'000'000,
          .delay = 5 * kMillisecond,
          .first_pause = 5 * kMillisecond};
}

void record(Tracer& tracer, int count = 1) {
  for (int i = 0; i < count; ++i) begin_span(tracer.sink(), {.name = "work", .service = "payment"}).end();
}

TEST(TraceSettings, SamplingIsLive) {
  Settings settings;
  const TraceOptions options = *TraceSettings::read(settings).options();
  EXPECT_TRUE(settings.finish());
  EXPECT_EQ(settings.take_over({{"trace.sampling", "1%"}}, "x").applied.size(), 1u);
  EXPECT_EQ(options.sampled_per_million.get(), 10'000);
  EXPECT_EQ(settings.take_over({{"trace.sampling", "2"}}, "x").refused.size(), 1u);
  EXPECT_EQ(options.sampled_per_million.get(), 10'000);
}

TEST(TraceSettings, AreReadAndChecked) {
  const auto read = [](std::initializer_list<const char*> given) -> std::string {
    Settings settings;
    for (const char* assignment : given) EXPECT_TRUE(settings.set(assignment));
    const auto options = TraceSettings::read(settings).options();
    if (!options) return options.error().reason;
    return fmt::format("{} {} {}", int(options->exporter), options->endpoint,
                       options->sampled_per_million.get());
  };
  EXPECT_EQ(read({}), "0  1000000");
  EXPECT_EQ(read({"trace.exporter=otlp", "trace.sampling=0.01"}), "1 http://127.0.0.1:4318/v1/traces 10000");
  EXPECT_EQ(read({"trace.exporter=zipkin", "trace.endpoint=http://zipkin:9411/", "trace.sampling=1%"}),
            "2 http://zipkin:9411/api/v2/spans 10000");
  EXPECT_EQ(read({"trace.exporter=otlp", "trace.endpoint=https://a/b"}), "1 https://a/b 1000000");
  for (const char* bad : {"trace.sampling=2", "trace.sampling=-0.1", "trace.sampling=x",
                          "trace.sampling=101%", "trace.sampling=0.1x", "trace.sampling="})
    EXPECT_EQ(read({bad}), "invalid_setting") << bad;
  EXPECT_EQ(read({"trace.exporter=otlp", "trace.endpoint=file:///etc/passwd"}), "invalid_setting");
}

TEST(Tracer, SamplesThePartThatIsSaid) {
  Tracer tracer({.exporter = TraceExporter::kOtlp, .endpoint = "http://127.0.0.1:1/", .max_queued = 1},
                system_clock());
  const auto sampled = [&](int64_t per_million) {
    tracer.sample(per_million);
    int count = 0;
    for (int i = 0; i < 100'000; ++i) {
      Span span = begin_span(tracer.sink(), {.name = "a", .service = "b"});
      count += span.recorded() ? 1 : 0;
      span.drop();
    }
    return count;
  };
  EXPECT_EQ(sampled(0), 0);
  EXPECT_EQ(sampled(1'000'000), 100'000);
  const int tenth = sampled(100'000);  // 10,000 ± 6 standard deviations of 95
  EXPECT_GT(tenth, 9'400);
  EXPECT_LT(tenth, 10'600);
  tracer.sample(0);
  EXPECT_TRUE(begin_span(tracer.sink(), {.name = "a", .service = "b", .parent = kSampled}).recorded());
  EXPECT_EQ(Tracer({}, system_clock()).sink(), nullptr);
}

TEST(Tracer, SendsWhatWasRecordedInBatches) {
  Collector collector;
  Tracer tracer(options(collector.url("/api/v2/spans")), system_clock());
  const uint64_t before = spans("exported");
  record(tracer, 1'500);
  tracer.start();
  EXPECT_TRUE(soon([&] { return spans("exported") - before == 1'500; }));
  EXPECT_EQ(collector.bodies().size(), 3u);
  EXPECT_THAT(collector.paths(), testing::Each("/api/v2/spans"));
}

TEST(Tracer, SendsWhatIsLeftWhenItStops) {
  Collector collector;
  TraceOptions late = options(collector.url("/"));
  late.delay = kHour;
  Tracer tracer(late, system_clock());
  tracer.start();
  record(tracer, 3);
  tracer.stop();
  ASSERT_EQ(collector.bodies().size(), 1u);
  simdjson::dom::parser parser;
  EXPECT_EQ(parser.parse(collector.bodies()[0]).get_array().value().size(), 3u);
}

TEST(Tracer, TriesAgainWhatIsWorthIt) {
  Collector collector({503, 429});
  Tracer tracer(options(collector.url("/")), system_clock());
  const uint64_t before = spans("exported");
  record(tracer);
  tracer.start();
  EXPECT_TRUE(soon([&] { return spans("exported") - before == 1; }));
  EXPECT_EQ(collector.asked(), 3u);
}

TEST(Tracer, DropsWhatIsRefused) {
  Collector collector({400});
  Tracer tracer(options(collector.url("/")), system_clock());
  const uint64_t before = spans("refused"), exported = spans("exported");
  record(tracer);
  tracer.start();
  EXPECT_TRUE(soon([&] { return spans("refused") - before == 1; }));
  record(tracer);
  EXPECT_TRUE(soon([&] { return spans("exported") - exported == 1; }));
  EXPECT_EQ(collector.asked(), 2u);
}

// Takes connections and says nothing.
class SilentServer {
 public:
  SilentServer() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    EXPECT_EQ(::listen(fd_, 5), 0);
    url_ = fmt::format("http://127.0.0.1:{}/", ntohs(address.sin_port));
  }
  ~SilentServer() { ::close(fd_); }
  const std::string& url() const { return url_; }

 private:
  int fd_;
  std::string url_;
};

TEST(Tracer, ADeadTargetNeitherHoldsUpNorGrows) {
  const SilentServer silent;
  for (const std::string& url : {std::string("http://127.0.0.1:1/"), silent.url()}) {
    TraceOptions dead = options(url);
    dead.max_queued = 1'000;
    Tracer tracer(dead, system_clock());
    tracer.start();
    const uint64_t dropped = spans("dropped"), lost = spans("lost");
    const Time began = system_clock().monotonic();
    record(tracer, 100'000);
    EXPECT_LT(system_clock().monotonic() - began, 5 * kSecond) << url;
    EXPECT_LE(tracer.queued(), 1'000u);
    EXPECT_GT(spans("dropped") - dropped, 90'000u) << url;
    const Time stopped = system_clock().monotonic();
    tracer.stop();
    EXPECT_LT(system_clock().monotonic() - stopped, 5 * kSecond) << url;
    EXPECT_GT(spans("lost"), lost) << url;
  }
}

SpanRecord sample() {
  SpanRecord span;
  span.context = *parse_traceparent(kSampled);
  span.parent_span_id = 0xb;
  span.name = "POST \"/x\"\n";
  span.service = "payment";
  span.kind = SpanKind::kServer;
  span.began = 1'700'000'000'000'001, span.ended = 1'700'000'000'000'301;
  span.attributes = {{.key = "http.response.status_code", .number = 402}, {.key = "reason", .text = "a\\b"}};
  span.links.push_back(*parse_traceparent(kSampled));
  span.tracestate = "a=b";
  span.failure = "declined";
  return span;
}

std::vector<std::unique_ptr<SpanRecord>> two_services() {
  std::vector<std::unique_ptr<SpanRecord>> spans;
  spans.push_back(std::make_unique<SpanRecord>(sample()));
  spans.push_back(std::make_unique<SpanRecord>(sample()));
  spans.back()->service = "balance", spans.back()->parent_span_id = 0, spans.back()->failure.clear();
  return spans;
}

TEST(SpanJson, IsWhatZipkinReads) {
  simdjson::dom::parser parser;
  const std::string json = zipkin_json(two_services());
  const auto first = parser.parse(json).at(0);
  EXPECT_EQ(first["traceId"].get_string().value(), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(first["id"].get_string().value(), "b7ad6b7169203331");
  EXPECT_EQ(first["parentId"].get_string().value(), "000000000000000b");
  EXPECT_EQ(first["name"].get_string().value(), "POST \"/x\"\n");
  EXPECT_EQ(first["kind"].get_string().value(), "SERVER");
  EXPECT_EQ(first["timestamp"].get_int64().value(), 1'700'000'000'000'001);
  EXPECT_EQ(first["duration"].get_int64().value(), 300);
  EXPECT_EQ(first["localEndpoint"]["serviceName"].get_string().value(), "payment");
  EXPECT_EQ(first["tags"]["http.response.status_code"].get_string().value(), "402");
  EXPECT_EQ(first["tags"]["reason"].get_string().value(), "a\\b");
  EXPECT_EQ(first["tags"]["error"].get_string().value(), "declined");
  const auto second = parser.parse(json).at(1);
  EXPECT_FALSE(second["parentId"].get_string().error() == simdjson::SUCCESS);
  EXPECT_FALSE(second["tags"]["error"].get_string().error() == simdjson::SUCCESS);
}

TEST(SpanJson, IsWhatOtlpReads) {
  simdjson::dom::parser parser;
  const std::string json = otlp_json(two_services());
  const auto resources = parser.parse(json)["resourceSpans"];
  const auto service = [&](size_t at) {
    return std::string(
        resources.at(at)["resource"]["attributes"].at(0)["value"]["stringValue"].get_string().value());
  };
  EXPECT_THAT((std::vector{service(0), service(1)}), ElementsAre("balance", "payment"));
  const auto span = resources.at(1)["scopeSpans"].at(0)["spans"].at(0);
  EXPECT_EQ(span["traceId"].get_string().value(), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(span["parentSpanId"].get_string().value(), "000000000000000b");
  EXPECT_EQ(span["kind"].get_int64().value(), 2);
  EXPECT_EQ(span["startTimeUnixNano"].get_string().value(), "1700000000000001000");
  EXPECT_EQ(span["endTimeUnixNano"].get_string().value(), "1700000000000301000");
  EXPECT_EQ(span["attributes"].at(0)["value"]["intValue"].get_string().value(), "402");
  EXPECT_EQ(span["attributes"].at(1)["value"]["stringValue"].get_string().value(), "a\\b");
  EXPECT_EQ(span["links"].at(0)["spanId"].get_string().value(), "b7ad6b7169203331");
  EXPECT_EQ(span["status"]["code"].get_int64().value(), 2);
  EXPECT_EQ(span["traceState"].get_string().value(), "a=b");
}

}  // namespace
}  // namespace micropay
