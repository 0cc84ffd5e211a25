// Writes problem documents.
#include "services/gateway/problem.h"

#include "libs/contract/card_number.h"
#include "libs/contract/json.h"

namespace micropay::gateway {
namespace {

using contract::append_json_string;

// What somebody sent may come back in it (the name of a field, a path): never the number of a card.
void append_member(std::string& out, std::string_view name, std::string_view value) {
  out += ',';
  append_json_string(out, name);
  out += ':';
  append_json_string(out, contract::without_card_numbers(value));
}

std::string challenge(const Error& error) {
  if (error.reason == "unauthenticated") return R"(Bearer realm="micropay")";
  std::string_view text =
      error.reason == "token_expired" ? "The token has expired" : "The token is not valid";
  return fmt::format(R"(Bearer realm="micropay", error="invalid_token", error_description="{}")", text);
}

}  // namespace

HttpResponse problem_response(const Error& error, const ProblemContext& context) {
  return problem_response(http_status(error.code), error, context);
}

HttpResponse problem_response(uint32_t status, const Error& error, const ProblemContext& context) {
  HttpResponse response{.status = status, .headers = "Content-Type: application/problem+json\r\n"};
  uint32_t retry_after_s = error.retry_after_s == 0 && status == 503 ? 1 : error.retry_after_s;
  if (retry_after_s > 0) response.add("Retry-After", std::to_string(retry_after_s));
  if (status == 401) response.add("WWW-Authenticate", challenge(error));
  std::string& body = response.body;
  body += "{\"type\":";
  append_json_string(body, "/docs#problem-" + error.reason);
  append_member(body, "title", status_phrase(status));
  fmt::format_to(std::back_inserter(body), ",\"status\":{}", status);
  if (!error.detail.empty()) append_member(body, "detail", error.detail);
  append_member(body, "code", error.reason);
  if (!error.field.empty()) append_member(body, "field", error.field);
  append_member(body, "correlationId", context.correlation_id);
  append_member(body, "instance", context.instance);
  for (const auto& [name, value] : error.extensions) append_member(body, name, value);
  body += '}';
  return response;
}

Error no_route(std::string_view path, const std::function<bool(std::string_view)>& is_route) {
  std::string detail = "There is no such route.";
  const std::string_view bare = path.substr(0, path.find_last_not_of('/') + 1);
  if (bare.size() != path.size() && !bare.empty() && is_route(bare))
    detail += fmt::format(" Without the slash at its end there is: {}", bare);
  return {.code = Code::kNotFound, .reason = "route_not_found", .detail = std::move(detail)};
}

}  // namespace micropay::gateway
