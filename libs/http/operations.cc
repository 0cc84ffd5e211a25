// /metrics, /health/live, /health/ready, /health/startup.
#include "libs/http/operations.h"

#include "libs/base/metrics.h"

namespace micropay {
namespace {

// Words of other programs (a database's error) may be in it.
void append_member(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out += fmt::format(R"(,"{}":")", name);
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    if (uint8_t(c) < ' ') out += fmt::format("\\u{:04x}", c);
    else out += c;
  }
  out += '"';
}

HttpResponse status(bool up, const Health& health = {}) {
  std::string body = up ? R"({"status":"UP")" : R"({"status":"DOWN")";
  if (!up) append_member(body, "reason", health.reason), append_member(body, "detail", health.detail);
  return {.status = up ? 200u : 503u,
          .headers = "Content-Type: application/json\r\nCache-Control: no-store\r\n",
          .body = body + "}"};
}

HttpResponse answer(std::string_view path, const Health& health) {
  if (path == "/health/live") return status(true);
  if (path == "/health/ready") return status(health.ready, health);
  if (path == "/health/startup") return status(health.started, health);
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
