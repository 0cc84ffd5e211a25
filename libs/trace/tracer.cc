#include "libs/trace/tracer.h"

#include <pthread.h>
#include <sys/random.h>

#include <charconv>

#include "libs/base/check.h"
#include "libs/base/log.h"
#include "libs/base/metrics.h"
#include "libs/base/settings.h"
#include "libs/trace/http_post.h"
#include "libs/trace/span_json.h"

namespace micropay {
namespace {

constexpr int64_t kMillion = 1'000'000;
constexpr Duration kStopGrace = 2 * kSecond;

// xorshift64*, seeded by the system for each thread: ids have to differ, not to be secret.
uint64_t next_random() {
  static thread_local uint64_t state = [] {
    uint64_t seed = 0;
    CHECK(::getrandom(&seed, sizeof seed, 0) == sizeof seed);
    return seed | 1;
  }();
  state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
  return state * 0x2545F4914F6CDD1Dull;
}

// OTLP/HTTP names them; Zipkin's servers mean the same.
bool worth_repeating(uint32_t status) {
  return status == 0 || status == 429 || status == 502 || status == 503 || status == 504;
}

std::unexpected<Error> invalid(std::string detail) {
  return fail(Code::kInvalidArgument, "invalid_setting", std::move(detail));
}

}  // namespace

std::optional<int64_t> parse_sampling(std::string_view text) {
  const bool percent = text.ends_with('%');
  if (percent) text.remove_suffix(1);
  double part = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), part, std::chars_format::fixed);
  if (text.empty() || end.ec != std::errc() || end.ptr != text.data() + text.size()) return {};
  if (percent) part /= 100;
  if (!(part >= 0 && part <= 1)) return {};
  return int64_t(part * kMillion + 0.5);
}

TraceSettings TraceSettings::read(Settings& settings) {
  TraceSettings values;
  values.exporter = settings.choice("trace.exporter", "none", {"none", "otlp", "zipkin"},
                                    "Where spans go: nowhere, to an OTLP collector, to Zipkin");
  values.endpoint = settings.text("trace.endpoint", "",
                                  "URL of the collector; empty: http://127.0.0.1:4318/v1/traces of OTLP, "
                                  "http://127.0.0.1:9411/api/v2/spans of Zipkin");
  values.sampling = settings.text("trace.sampling", "1",
                                  "Part of the traces beginning here that are recorded, such as 0.01 or 1%");
  settings.live("trace.sampling", [per_million = values.per_million](const std::string& text) {
    const auto sampled = parse_sampling(text);
    if (sampled) per_million.set(*sampled);
    return sampled.has_value();
  });
  return values;
}

Result<TraceOptions> TraceSettings::options() const {
  TraceOptions options;
  const auto sampled = parse_sampling(sampling);
  if (!sampled) return invalid(fmt::format("trace.sampling: '{}' is no part like 0.01 or 1%", sampling));
  per_million.set(*sampled);
  options.sampled_per_million = per_million;
  if (exporter == "none") return options;
  const bool zipkin = exporter == "zipkin";
  options.exporter = zipkin ? TraceExporter::kZipkin : TraceExporter::kOtlp;
  options.endpoint = !endpoint.empty() ? endpoint
                     : zipkin          ? "http://127.0.0.1:9411"
                                       : "http://127.0.0.1:4318";
  const size_t scheme = options.endpoint.find("://");
  if (!options.endpoint.starts_with("http://") && !options.endpoint.starts_with("https://"))
    return invalid("trace.endpoint: it begins with http:// or https://");
  if (options.endpoint.ends_with('/')) options.endpoint.pop_back();
  if (options.endpoint.find('/', scheme + 3) == std::string::npos)
    options.endpoint += zipkin ? "/api/v2/spans" : "/v1/traces";
  return options;
}

struct Tracer::Impl final : TraceSink {
  Impl(TraceOptions given, const Clock& by)
      : options(std::move(given)), clock(by), per_million(options.sampled_per_million) {}

  bool sample_root() override {
    const int64_t part = per_million.get();
    return part >= kMillion || (part > 0 && int64_t(next_random() % kMillion) < part);
  }
  uint64_t new_number() override {
    const uint64_t number = next_random();
    return number != 0 ? number : 1;
  }
  Time now() const override { return clock.now(); }
  void take(std::unique_ptr<SpanRecord> span) override;

  void loop();
  void send(const std::vector<std::unique_ptr<SpanRecord>>& batch);
  bool give_up() const { return stopping && clock.monotonic() >= stop_until; }

  const TraceOptions options;
  const Clock& clock;
  Live<int64_t> per_million;
  std::unique_ptr<HttpPost> post;
  std::thread thread;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::unique_ptr<SpanRecord>> queue;
  std::atomic<bool> stopping{false};
  std::atomic<Time> stop_until{0};
  bool said_away = false;

  static Counter& spans(std::string_view outcome) {
    return counter("micropay_trace_spans_total", "Spans recorded, by what became of them",
                   {{"outcome", std::string(outcome)}});
  }
  Counter &exported = spans("exported"), &dropped = spans("dropped"), &refused = spans("refused"),
          &lost = spans("lost");
  Counter& retries = counter("micropay_trace_retries_total", "Batches of spans that were sent again");
};

void Tracer::Impl::take(std::unique_ptr<SpanRecord> span) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex);
    if (queue.size() < options.max_queued && !stopping) {
      queue.push_back(std::move(span));
      wake = queue.size() == options.batch;
    }
  }
  if (span) dropped.add();
  if (wake) changed.notify_one();
}

void Tracer::Impl::loop() {
  pthread_setname_np(pthread_self(), "trace");
  std::vector<std::unique_ptr<SpanRecord>> batch;
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait_for(lock, std::chrono::microseconds(options.delay),
                     [this] { return stopping || queue.size() >= options.batch; });
    while (!queue.empty()) {
      const auto end = queue.begin() + std::ptrdiff_t(std::min(queue.size(), options.batch));
      batch.assign(std::move_iterator(queue.begin()), std::move_iterator(end));
      queue.erase(queue.begin(), end);
      lock.unlock();
      send(batch);
      batch.clear();
      lock.lock();
    }
    if (stopping) return;
  }
}

void Tracer::Impl::send(const std::vector<std::unique_ptr<SpanRecord>>& batch) {
  const std::string body = options.exporter == TraceExporter::kZipkin ? zipkin_json(batch) : otlp_json(batch);
  Duration pause = options.first_pause;
  for (uint32_t attempt = 1;; ++attempt) {
    const HttpPost::Answer answer = post->send(body, options.timeout, [this] { return give_up(); });
    if (answer.status >= 200 && answer.status < 300) {
      if (std::exchange(said_away, false)) log_info("trace.exported", "Spans are taken again");
      return exported.add(batch.size());
    }
    if (!std::exchange(said_away, true))
      log_warn("trace.not_exported", "Spans are not taken",
               {{"url.full", options.endpoint},
                {"http.response.status_code", answer.status},
                {"error.message", answer.problem}});
    if (!worth_repeating(answer.status)) return refused.add(batch.size());
    if (attempt >= options.attempts || give_up()) return lost.add(batch.size());
    retries.add();
    std::unique_lock lock(mutex);
    const Duration wait = pause / 2 + Duration(next_random() % uint64_t(pause / 2 + 1));
    changed.wait_for(lock, std::chrono::microseconds(wait), [this] { return stopping.load(); });
    pause *= 2;
  }
}

Tracer::Tracer(TraceOptions options, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(options), clock)) {}
Tracer::~Tracer() { stop(); }

TraceSink* Tracer::sink() { return impl_->options.exporter == TraceExporter::kNone ? nullptr : impl_.get(); }

void Tracer::start() {
  if (sink() == nullptr) return;
  impl_->post = std::make_unique<HttpPost>(impl_->options.endpoint);
  impl_->thread = std::thread([this] { impl_->loop(); });
}

void Tracer::stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->stopping) return;
    impl_->stop_until = impl_->clock.monotonic() + kStopGrace;
    impl_->stopping = true;
  }
  impl_->changed.notify_all();
  if (impl_->thread.joinable()) impl_->thread.join();
}

void Tracer::sample(int64_t per_million) { impl_->per_million.set(per_million); }

size_t Tracer::queued() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->queue.size();
}

}  // namespace micropay
