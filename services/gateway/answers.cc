// Builds responses.
#include "services/gateway/answers.h"

#include "libs/contract/etag.h"
#include "libs/contract/json.h"
#include "services/gateway/compression.h"

namespace micropay::gateway {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr size_t kUsualBytes = 700;  // of a record as JSON

bool compressible(std::string_view type) {
  return type.starts_with("application/json") || type.starts_with("text/") ||
         type.starts_with("application/javascript");
}

// A file: its bytes and type are fields of the answer; nothing in them may end up as a header of its own.
HttpResponse media_response(const Exchange& exchange, const contract::Message& message) {
  const contract::Descriptor* type = message.GetDescriptor();
  auto text = [&](const std::string& name) {
    const contract::FieldDescriptor* field = type->FindFieldByName(name);
    return field == nullptr ? std::string() : message.GetReflection()->GetString(message, field);
  };
  HttpResponse response;
  std::string name = text("file_name");
  bool plain = std::ranges::all_of(name, [](char c) { return c > ' ' && c < 127 && c != '"' && c != '\\'; });
  if (!name.empty() && plain)
    response.add("Content-Disposition", fmt::format("attachment; filename=\"{}\"", name));
  set_body(response, exchange, text("content_type"),
           text(exchange.match.route->method->options.media_field()));
  return response;
}

std::string path_of(const contract::Method& read, const contract::Message& message) {
  size_t open = read.path.find('{'), close = read.path.find('}');
  const contract::FieldDescriptor* key = read.resource->key[0];
  return read.path.substr(0, open) + percent_encode(contract::field_text(message, *key)) +
         read.path.substr(close + 1);
}

}  // namespace

void set_body(HttpResponse& response, const Exchange& exchange, std::string_view content_type,
              std::string body) {
  response.add("Content-Type", content_type);
  if (body.size() >= kMinCompressedBytes && compressible(content_type)) {
    response.add("Vary", "Accept-Encoding");
    if (accepts_gzip(exchange.request().header("accept-encoding"))) {
      response.add("Content-Encoding", "gzip");
      response.body = gzip(body);
      return;
    }
  }
  response.body = std::move(body);
}

bool none_match_names(std::string_view if_none_match, std::string_view etag) {
  if (if_none_match.empty()) return false;
  return if_none_match == "*" || if_none_match.find(etag) != if_none_match.npos;
}

HttpResponse query_response(const Exchange& exchange, const Row& row) {
  const contract::Method& method = *exchange.match.route->method;
  if (!method.options.media_field().empty()) return media_response(exchange, *row);
  contract::JsonOptions options;
  for (const std::string& field : exchange.fields) options.fields.push_back(field);
  HttpResponse response{.status = method.success};
  std::string json;
  json.reserve(kUsualBytes);
  contract::append_json(json, *row, options);
  if (method.verb == "GET") {
    std::string etag = contract::format_etag(contract::digest64(json));
    response.add("ETag", etag);
    if (none_match_names(exchange.request().header("if-none-match"), etag)) {
      response.status = 304;
      return response;
    }
  }
  set_body(response, exchange, kJson, std::move(json));
  return response;
}

HttpResponse command_response(const Exchange& exchange, const Answer& answer) {
  const Route& route = *exchange.match.route;
  HttpResponse response;
  if (!answer.result) {
    response = problem_response(answer.result.error(), exchange.problem_context());
  } else {
    const contract::Message& message = **answer.result;
    response.status = answer.status;
    if (response.status == 202 && has_token(exchange.request().header("prefer"), "respond-async")) {
      response.add("Preference-Applied", "respond-async");
    }
    bool has_key = route.read != nullptr && (response.status == 201 || response.status == 202);
    if (has_key) response.add("Location", path_of(*route.read, message));
    if (response.status != 204) {
      std::string json;
      json.reserve(kUsualBytes);
      contract::append_json(json, message);
      if (route.method->resource != nullptr)
        response.add("ETag", contract::format_etag(contract::digest64(json)));
      set_body(response, exchange, kJson, std::move(json));
    }
  }
  if (answer.replayed) response.add("Idempotent-Replayed", "true");
  return response;
}

}  // namespace micropay::gateway
