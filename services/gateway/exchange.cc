// Correlation, the last touches of an answer, and what is counted and logged of it.
#include "services/gateway/exchange.h"

#include <random>

#include "libs/base/ids.h"
#include "libs/base/log.h"
#include "libs/contract/card_number.h"
#include "libs/store/store.h"

namespace micropay::gateway {
namespace {

constexpr std::string_view kHeaders =
    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n"
    "Referrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n";
constexpr uint32_t kUnavailableStatus = 503;
constexpr std::string_view kTlsHeader = "Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n";

std::string new_correlation_id(Time now) {
  static thread_local IdGenerator generator = [] {
    std::random_device random;
    return IdGenerator(static_cast<uint64_t>(random()) << 32 | random());
  }();
  return generator.next(now);
}

std::string callers_traceparent(const HttpRequest& request) {
  std::string_view text = request.header("traceparent");
  if (text.empty()) return {};
  const auto context = parse_traceparent(text);
  return context ? format_traceparent(*context) : std::string();
}

Span request_span(const ExchangeRules& rules, const HttpRequest& request) {
  if (rules.traces == nullptr) return {};
  std::string parent = callers_traceparent(request);
  if (!parent.empty() && !rules.settings.trace_callers) {
    auto context = *parse_traceparent(parent);
    context.sampled = rules.traces->sample_root();
    parent = format_traceparent(context);
  }
  Span span =
      begin_span(rules.traces,
                 {.name = request.method, .service = "gateway", .kind = SpanKind::kServer, .parent = parent});
  if (span.recorded()) span.tracestate(request.header("tracestate"));
  return span;
}

}  // namespace

std::string_view common_headers() { return kHeaders; }

std::string correlation_id_of(std::string_view header, Time now) {
  bool visible = std::ranges::all_of(header, [](char c) { return c > ' ' && c < 127; });
  const bool fits = visible && !header.empty() && header.size() <= 64 && !contract::holds_card_number(header);
  return fits ? std::string(header) : new_correlation_id(now);
}

Exchange::Exchange(ExchangeRules& rules, HttpRequest&& request, Responder&& responder)
    : rules_(rules),
      request_(std::move(request)),
      responder_(std::move(responder)),
      began_(rules.clock.monotonic()),
      correlation_id_(correlation_id_of(request_.header("x-correlation-id"), rules.clock.now())),
      span_(request_span(rules, request_)) {}

std::string Exchange::traceparent() const {
  return span_.recorded() ? span_.traceparent() : callers_traceparent(request_);
}

HttpResponse Exchange::complete(HttpResponse&& response) {
  response.headers.reserve(response.headers.size() + headers.size() + kHeaders.size() + 128);
  response.add("X-Correlation-Id", correlation_id_);
  response.headers += headers;
  if (!own_headers) response.headers += kHeaders;
  if (rules_.settings.behind_tls) response.headers += kTlsHeader;
  response.pause = response.status == kUnavailableStatus;
  Duration took = rules_.clock.monotonic() - began_;
  RouteMetrics* counted = match.route ? match.route->metrics.get() : metrics ? metrics : &rules_.unmatched;
  counted->record(response.status, took);
  AccessLog mode = rules_.settings.access_log;
  bool failed = response.status >= 500 && (!response.pause || rules_.logs_shed());
  bool notable = failed || took >= rules_.settings.slow;
  if (mode == AccessLog::kOn || (mode == AccessLog::kErrors && notable)) log(response, took);
  if (span_.recorded()) end_span(response, counted->route());
  return std::move(response);
}

void Exchange::end_span(const HttpResponse& response, std::string_view route) {
  span_.rename(route);
  span_.set("http.request.method", request_.method);
  span_.set("url.path", contract::without_card_numbers(request_.path));
  span_.set("http.response.status_code", int64_t(response.status));
  span_.set("correlation_id", correlation_id_);
  if (response.status >= 500) span_.fail(status_phrase(response.status));
  span_.end();
}

void Exchange::finish(HttpResponse&& response) { responder_.send(complete(std::move(response))); }

void Exchange::refuse(const Error& error) { finish(problem_response(error, problem_context())); }

void Exchange::refuse(uint32_t status, const Error& error) {
  finish(problem_response(status, error, problem_context()));
}

// The path without its query: a query may name people (?email=).
void Exchange::log(const HttpResponse& response, Duration took) const {
  LogLevel level = response.status >= 500 ? LogLevel::kError : LogLevel::kInfo;
  if (!log_enabled(level)) return;
  std::string trace = traceparent();
  const std::string path = contract::without_card_numbers(request_.path);
  LogScope scope({.service = "gateway",
                  .trace_id = trace.empty() ? std::string_view() : std::string_view(trace).substr(3, 32),
                  .correlation_id = correlation_id_});
  write_log(level, "http.request", "Request answered",
            {{"http.request.method", request_.method},
             {"url.path", path},
             {"route", match.route ? match.route->metrics->route() : std::string_view()},
             {"http.response.status_code", response.status},
             {"http.response.body.bytes", response.content().size()},
             {"event.duration", took * 1000},
             {"user.id", principal.user_id},
             {"client.address", request_.remote_address}});
}

void guarded(Exchange& exchange, const std::function<void()>& handle) {
  try {
    handle();
  } catch (const StoreUnavailable& away) {  // of who calls
    exchange.refuse(away.error);
  } catch (const std::exception& problem) {
    log_error("gateway.failed", "A request met an exception",
              {{"error.message", problem.what()}, {"correlation_id", exchange.correlation_id()}});
    exchange.refuse(
        {.code = Code::kInternal, .reason = "internal", .detail = "The request met an unexpected state."});
  }
}

}  // namespace micropay::gateway
