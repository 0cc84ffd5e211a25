// Serves fixed documents: made and compressed once, then only sent.
#include "services/gateway/pages.h"

#include "libs/contract/documents.h"
#include "libs/contract/etag.h"
#include "libs/security/keys.h"
#include "services/gateway/answers.h"
#include "services/gateway/compression.h"
#include "services/gateway/docs_page.h"
#include "services/gateway/entity_tags.h"

namespace micropay::gateway {
namespace {

constexpr uint32_t kMethodNotAllowed = 405;
constexpr std::string_view kClosedPolicy = "default-src 'none'; frame-ancestors 'none'";

std::string safety_headers(std::string_view policy, std::string_view caching) {
  HttpResponse lines;
  lines.add("Content-Security-Policy", policy);
  lines.add("Cache-Control", caching);
  lines.add("X-Content-Type-Options", "nosniff");
  lines.add("X-Frame-Options", "DENY");
  lines.add("Referrer-Policy", "no-referrer");
  return std::move(lines.headers);
}

}  // namespace

Pages::Pages(const contract::Model& model, std::string_view version, const Authenticator& authenticator)
    : authenticator_(authenticator) {
  add("/openapi.json", "application/json", kClosedPolicy, contract::openapi(model, version));
  add("/events.json", "application/json", kClosedPolicy, events_json(model));
  add("/docs", "text/html; charset=utf-8", reference_policy(), reference_page());
}

void Pages::add(const std::string& path, std::string_view type, std::string_view policy,
                std::string content) {
  Page page;
  page.type = type;
  page.digest = contract::digest64(content);
  HttpResponse lines;
  lines.add("Content-Type", type);
  lines.add("Vary", "Accept-Encoding");
  page.headers = lines.headers + safety_headers(policy, "no-cache");
  page.zipped = std::make_shared<const std::string>(gzip(content));
  page.plain = std::make_shared<const std::string>(std::move(content));
  page.metrics = std::make_unique<RouteMetrics>("GET " + path);
  pages_.emplace(path, std::move(page));
}

bool Pages::handle(Exchange& exchange) {
  const HttpRequest& request = exchange.request();
  auto page = pages_.find(request.path);
  bool keys = request.path == "/.well-known/jwks.json", root = request.path == "/";
  if (page == pages_.end() && !keys && !root) return false;
  exchange.metrics = keys ? &keys_metrics_ : root ? &root_metrics_ : page->second.metrics.get();
  if (request.method != "GET" && request.method != "HEAD") {
    exchange.headers += "Allow: GET, HEAD\r\n";
    exchange.refuse(kMethodNotAllowed,
                    {.reason = "method_not_allowed", .detail = "This page can be read only."});
  } else if (root) {
    exchange.finish({.status = 302, .headers = "Location: /docs\r\n"});
  } else if (!acceptable(exchange, keys ? "application/json" : page->second.type)) {
    return true;
  } else if (const auto unready = keys ? authenticator_.unready() : std::nullopt) {
    exchange.refuse(*unready);  // an empty set would be kept by whoever asks
  } else if (keys) {
    exchange.own_headers = true;
    const std::string caching = fmt::format("public, max-age={}", kKeySetMaxAge / kSecond);
    HttpResponse response{.status = 200, .headers = safety_headers(kClosedPolicy, caching)};
    set_body(response, exchange, "application/json", authenticator_.jwks());
    exchange.finish(std::move(response));
  } else {
    serve(exchange, page->second);
  }
  return true;
}

void Pages::serve(Exchange& exchange, const Page& page) {
  exchange.own_headers = true;
  HttpResponse response{.status = 200, .headers = page.headers};
  const bool packed = accepts_gzip(exchange.request().list_header("accept-encoding"));
  const std::string etag = contract::format_etag(page.digest, packed);
  response.add("ETag", etag);
  if (none_match_names(exchange.request().list_header("if-none-match"), etag)) {
    response.status = 304;
  } else {
    if (packed) response.add("Content-Encoding", "gzip");
    response.shared_body = packed ? page.zipped : page.plain;
  }
  exchange.finish(std::move(response));
}

}  // namespace micropay::gateway
