// One request on its way through the gateway, and the end that all of them come to: common headers, metrics,
// access log.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "libs/base/trace.h"
#include "libs/contract/model.h"
#include "libs/http/server.h"
#include "libs/runtime/context.h"
#include "services/gateway/problem.h"
#include "services/gateway/router.h"
#include "services/gateway/settings.h"

namespace micropay::gateway {

class Exchange;
using ExchangePtr = std::shared_ptr<Exchange>;

// What all exchanges share; lives as long as the gateway.
struct ExchangeRules {
  const GatewaySettings& settings;
  const Clock& clock;
  TraceSink* traces = nullptr;
  RouteMetrics unmatched{"unmatched"};
  std::atomic<Time> shed_logged_at = 0;

  // Of what is shed one a second is logged: a line for each would cost more than the refusal, when there is
  // least to spare. All are counted in the metrics.
  bool logs_shed() {
    Time now = clock.monotonic(), last = shed_logged_at.load(std::memory_order_relaxed);
    return now - last >= kSecond && shed_logged_at.compare_exchange_strong(last, now);
  }
};

class Exchange {
 public:
  Exchange(ExchangeRules& rules, HttpRequest&& request, Responder&& responder);

  const HttpRequest& request() const { return request_; }
  HttpRequest& request() { return request_; }
  const Responder& responder() const { return responder_; }
  const std::string& correlation_id() const { return correlation_id_; }
  // Of the span of this request when it is recorded, else the caller's when it is valid, else empty.
  std::string traceparent() const;
  ProblemContext problem_context() const { return {correlation_id_, request_.path}; }

  RouteMatch match;
  RouteMetrics* metrics = nullptr;  // of a page; else of match.route
  Principal principal;
  std::string headers;              // lines every answer to this request carries: rate limits, CORS
  std::vector<std::string> fields;  // sparse fields asked for
  bool own_headers = false;         // the answer brings the common headers itself

  // All of these answer, once, from any thread.
  void finish(HttpResponse&& response);
  void refuse(const Error& error);
  void refuse(uint32_t status, const Error& error);
  // Completes an answer made on the I/O thread, for Responder::make.
  HttpResponse complete(HttpResponse&& response);

 private:
  void log(const HttpResponse& response, Duration took) const;
  void end_span(const HttpResponse& response, std::string_view route);

  ExchangeRules& rules_;
  HttpRequest request_;
  Responder responder_;
  Time began_;
  std::string correlation_id_;
  Span span_;
};

// A handler that throws is a defect of ours; it must not take the others' connections with it.
void guarded(Exchange& exchange, const std::function<void()>& handle);

// Header lines that every answer carries, those to malformed requests included.
std::string_view common_headers();
// The client's when it is 1 to 64 visible characters, else a new one.
std::string correlation_id_of(std::string_view header, Time now);

}  // namespace micropay::gateway
