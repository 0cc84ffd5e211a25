// Correlation, the last touches of an answer, and what is counted and logged of it.
#include "services/gateway/exchange.h"

#include <random>

#include "libs/base/ids.h"
#include "libs/base/log.h"

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

bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

std::string_view common_headers() { return kHeaders; }

std::string correlation_id_of(std::string_view header, Time now) {
  bool visible = std::ranges::all_of(header, [](char c) { return c > ' ' && c < 127; });
  return visible && !header.empty() && header.size() <= 64 ? std::string(header) : new_correlation_id(now);
}

Exchange::Exchange(ExchangeRules& rules, HttpRequest&& request, Responder&& responder)
    : rules_(rules),
      request_(std::move(request)),
      responder_(std::move(responder)),
      began_(rules.clock.monotonic()),
      correlation_id_(correlation_id_of(request_.header("x-correlation-id"), rules.clock.now())) {}

// version-traceid-parentid-flags of W3C Trace Context; ids of zeros mean nothing.
std::string Exchange::traceparent() const {
  std::string_view text = request_.header("traceparent");
  if (text.size() != 55 || text[2] != '-' || text[35] != '-' || text[52] != '-') return {};
  std::string_view trace = text.substr(3, 32), parent = text.substr(36, 16);
  if (!is_hex(text.substr(0, 2)) || !is_hex(trace) || !is_hex(parent) || !is_hex(text.substr(53))) return {};
  if (text.starts_with("ff") || trace.find_first_not_of('0') == trace.npos) return {};
  if (parent.find_first_not_of('0') == parent.npos) return {};
  return std::string(text);
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
  return std::move(response);
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
  LogScope scope({.service = "gateway",
                  .trace_id = trace.empty() ? std::string_view() : std::string_view(trace).substr(3, 32),
                  .correlation_id = correlation_id_});
  write_log(level, "http.request", "Request answered",
            {{"http.request.method", request_.method},
             {"url.path", request_.path},
             {"route", match.route ? match.route->metrics->route() : std::string_view()},
             {"http.response.status_code", response.status},
             {"http.response.body.bytes", response.content().size()},
             {"event.duration", took * 1000},
             {"user.id", principal.user_id},
             {"client.address", request_.remote_address}});
}

}  // namespace micropay::gateway
