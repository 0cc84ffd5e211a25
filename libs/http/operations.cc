// /metrics, /health/live, /health/ready, /health/startup.
#include "libs/http/operations.h"

#include "libs/base/metrics.h"

namespace micropay {
namespace {

HttpResponse status(bool up) {
  return {.status = up ? 200u : 503u,
          .headers = "Content-Type: application/json\r\nCache-Control: no-store\r\n",
          .body = up ? R"({"status":"UP"})" : R"({"status":"DOWN"})"};
}

HttpResponse answer(std::string_view path, const Health& health) {
  if (path == "/health/live") return status(true);
  if (path == "/health/ready") return status(health.ready);
  if (path == "/health/startup") return status(health.started);
  if (path == "/metrics") {
    return {.status = 200,
            .headers = "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n",
            .body = render_metrics()};
  }
  return {.status = 404,
          .headers = "Content-Type: text/plain\r\n",
          .body = "/metrics /health/live /health/ready /health/startup\n"};
}

}  // namespace

HttpHandler operations_handler(std::function<Health()> health) {
  return [health = std::move(health)](HttpRequest&& request, const Responder& responder) {
    if (request.method != "GET" && request.method != "HEAD") {
      return responder.send({.status = 405, .headers = "Allow: GET, HEAD\r\n"});
    }
    responder.send(answer(request.path, health()));
  };
}

}  // namespace micropay
