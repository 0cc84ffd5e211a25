// Which headers a browser needs to see.
#include "services/gateway/cors.h"

namespace micropay::gateway {

bool Cors::allows(std::string_view origin) const {
  return !origin.empty() &&
         std::ranges::any_of(origins_, [&](const std::string& one) { return one == "*" || one == origin; });
}

std::string Cors::headers(const HttpRequest& request) const {
  if (origins_.empty()) return {};
  HttpResponse lines;
  lines.add("Vary", "Origin");
  std::string_view origin = request.header("origin");
  if (allows(origin)) {
    lines.add("Access-Control-Allow-Origin", origin);
    lines.add(
        "Access-Control-Expose-Headers",
        "ETag, Location, Idempotent-Replayed, Preference-Applied, RateLimit-Limit, RateLimit-Remaining, "
        "RateLimit-Reset, Retry-After, X-Correlation-Id");
  }
  return std::move(lines.headers);
}

HttpResponse Cors::preflight(const HttpRequest& request, std::string_view allowed_verbs) const {
  HttpResponse response{.status = 204};
  response.add("Allow", allowed_verbs);
  if (allows(request.header("origin")) && request.has_header("access-control-request-method")) {
    response.add("Access-Control-Allow-Methods", allowed_verbs);
    response.add(
        "Access-Control-Allow-Headers",
        "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer, X-Correlation-Id, "
        "traceparent");
    response.add("Access-Control-Max-Age", "600");
  }
  return response;
}

}  // namespace micropay::gateway
