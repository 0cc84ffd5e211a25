// Wires the parts of the gateway to its two servers.
#include "services/gateway/gateway.h"

#include "libs/base/log.h"
#include "libs/http/operations.h"
#include "services/gateway/api.h"
#include "services/gateway/live.h"
#include "services/gateway/pages.h"
#include "services/gateway/shared_rates.h"

namespace micropay::gateway {
namespace {

constexpr size_t kReplayThreads = 1, kMaxQueuedReplays = 1'000;

HttpOptions public_options(const GatewaySettings& settings) {
  return {.listen = settings.listen,
          .threads = settings.io_threads,
          .max_connections = settings.max_connections,
          .max_body_bytes = settings.max_body_bytes,
          .max_arriving_bytes = settings.max_arriving_bytes,
          .header_timeout = std::min(settings.request_timeout, 10 * kSecond),
          .body_timeout = settings.request_timeout,
          .idle_timeout = settings.idle_timeout,
          .write_timeout = settings.request_timeout,
          .max_queued_messages = 2'000};
}

}  // namespace

struct Gateway::Impl {
  Impl(GatewaySettings given, Parts with)
      : settings(std::move(given)),
        parts(std::move(with)),
        rules{settings, parts.clock, parts.traces},
        replays(kReplayThreads, kMaxQueuedReplays),
        callers(parts.authenticator, parts.clock,
                [this](size_t loop, std::function<void()> job) { server->post(loop, std::move(job)); }),
        rates(settings.rate_limits, parts.clock),
        access(contract::model()),
        api(settings, parts.backend, callers, rates, contract::model()),
        pages(contract::model(), parts.version, parts.authenticator),
        live({parts.events, callers, replays, rates, access, parts.clock,
              [this](size_t loop, std::function<void()> job) { server->post(loop, std::move(job)); },
              settings.max_streams_per_user},
             settings.io_threads) {
    if (parts.redis != nullptr)
      shared_rates = std::make_unique<SharedRates>(rates.limits(), *parts.redis, parts.clock);
  }

  Result<void> start();
  void handle(HttpRequest&& request, Responder&& responder);
  void route(const ExchangePtr& exchange);
  HttpResponse malformed(uint32_t status, std::string_view reason, std::string_view detail);
  Health health() const;

  GatewaySettings settings;
  Parts parts;
  ExchangeRules rules;
  RouteMetrics malformed_metrics{"malformed"};
  WorkerPool replays;
  Callers callers;
  RateGate rates;
  const contract::EventAccess access;
  Api api;
  Pages pages;
  LiveStreams live;
  std::unique_ptr<SharedRates> shared_rates;
  std::atomic<bool> refusing = false;
  std::unique_ptr<HttpServer> server;
  std::unique_ptr<HttpServer> operations;
};

Result<void> Gateway::Impl::start() {
  if (!settings.rate_limits.problems.empty()) {
    return fail(Code::kInvalidArgument, "invalid_setting", settings.rate_limits.problems.front());
  }
  HttpOptions options = public_options(settings);
  options.problem = [this](uint32_t status, std::string_view reason, std::string_view detail) {
    return malformed(status, reason, detail);
  };
  options.on_second = [this](size_t loop) { live.on_second(loop); };
  server =
      std::make_unique<HttpServer>(std::move(options), [this](HttpRequest&& request, Responder responder) {
        handle(std::move(request), std::move(responder));
      });
  operations =
      std::make_unique<HttpServer>(HttpOptions{.listen = settings.ops_listen, .max_connections = 200},
                                   operations_handler([this] { return health(); }));
  TRY(operations->start());
  TRY(parts.backend.start(*server));
  TRY(server->start());
  if (shared_rates) shared_rates->start();
  return {};
}

void Gateway::Impl::handle(HttpRequest&& request, Responder&& responder) {
  auto exchange = std::make_shared<Exchange>(rules, std::move(request), std::move(responder));
  guarded(*exchange, [&] { route(exchange); });
}

void Gateway::Impl::route(const ExchangePtr& exchange) {
  std::string_view path = exchange->request().path;
  if (path.starts_with("/api/")) return api.handle(exchange);
  if (path == "/ws") return live.handle(exchange);
  if (!rates.take_global(*exchange) || pages.handle(*exchange)) return;
  if (path == "*") {  // OPTIONS *: the server as a whole
    return exchange->finish(
        {.status = 204, .headers = "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"});
  }
  exchange->refuse(
      no_route(path, [this](std::string_view bare) { return bare == "/ws" || pages.has(bare); }));
}

// What was not understood well enough to become an exchange.
HttpResponse Gateway::Impl::malformed(uint32_t status, std::string_view reason, std::string_view detail) {
  std::string correlation_id = correlation_id_of({}, parts.clock.now());
  Error error{.reason = std::string(reason), .detail = std::string(detail)};
  HttpResponse response = problem_response(status, error, {correlation_id, {}});
  response.add("X-Correlation-Id", correlation_id);
  response.headers += common_headers();
  malformed_metrics.record(status, 0);
  return response;
}

Health Gateway::Impl::health() const {
  Engine::State state = parts.backend.state();
  bool running = state == Engine::State::kRunning;
  Health health{.started = running || state == Engine::State::kDraining};
  if (refusing || !running) {
    health.reason = refusing ? "draining" : "starting";
  } else if (const auto why = parts.authenticator.unready()) {
    health.reason = why->reason, health.detail = why->detail;
  } else {
    health.ready = true;
  }
  return health;
}

Gateway::Gateway(GatewaySettings settings, Parts parts)
    : impl_(std::make_shared<Impl>(std::move(settings), std::move(parts))) {
  impl_->parts.events.on_committed([weak = std::weak_ptr(impl_)](const EventBatch& events) {
    if (auto impl = weak.lock()) impl->live.publish(events);
  });
  impl_->parts.authenticator.on_revoked([weak = std::weak_ptr(impl_)](const std::string& id) {
    if (auto impl = weak.lock()) impl->live.revoked(id);
  });
}

Gateway::~Gateway() { stop(0); }

Result<void> Gateway::start() { return impl_->start(); }
void Gateway::refuse_new() { impl_->refusing = true; }

void Gateway::stop(Duration grace) {
  impl_->refusing = true;
  if (impl_->server) impl_->server->stop(grace);
  if (impl_->shared_rates) impl_->shared_rates->stop();
  impl_->parts.backend.stop();
  impl_->replays.stop();
  impl_->callers.stop();
  if (impl_->operations) impl_->operations->stop(0);
}

std::string Gateway::address() const { return impl_->server ? impl_->server->address() : std::string(); }
std::string Gateway::ops_address() const {
  return impl_->operations ? impl_->operations->address() : std::string();
}

}  // namespace micropay::gateway
