// Builds responses.
#include "services/gateway/answers.h"

#include "libs/contract/etag.h"
#include "libs/contract/json.h"
#include "libs/http/accept.h"
#include "services/gateway/compression.h"
#include "services/gateway/entity_tags.h"

namespace micropay::gateway {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr uint32_t kNotModified = 304, kNotAcceptable = 406;
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

// Only a GET: a command has done something, whatever its client had before.
bool not_modified(const Exchange& exchange, std::string_view etag) {
  const std::string_view verb = exchange.request().method;
  if (verb != "GET" && verb != "HEAD") return false;
  return none_match_names(exchange.request().list_header("if-none-match"), etag);
}

std::string path_of(const contract::Method& read, const contract::Message& message) {
  size_t open = read.path.find('{'), close = read.path.find('}');
  const contract::FieldDescriptor* key = read.resource->key[0];
  return read.path.substr(0, open) + percent_encode(contract::field_text(message, *key)) +
         read.path.substr(close + 1);
}

}  // namespace

void set_body(HttpResponse& response, const Exchange& exchange, std::string_view content_type,
              std::string body, uint64_t digest) {
  response.add("Content-Type", content_type);
  const bool either = body.size() >= kMinCompressedBytes && compressible(content_type);
  const bool packed = either && accepts_gzip(exchange.request().list_header("accept-encoding"));
  if (either) response.add("Vary", "Accept-Encoding");
  if (digest != 0) {  // before it is packed: who has it does not get it again
    const std::string etag = contract::format_etag(digest, packed);
    response.add("ETag", etag);
    if (not_modified(exchange, etag)) {
      response.status = kNotModified;
      return;
    }
  }
  if (packed) response.add("Content-Encoding", "gzip");
  response.body = packed ? gzip(body) : std::move(body);
}

bool acceptable(Exchange& exchange, std::string_view content_type) {
  const std::string_view type = content_type.substr(0, content_type.find(';'));
  if (media_weight(exchange.request().list_header("accept"), type) > 0) return true;
  exchange.refuse(kNotAcceptable,
                  {.reason = "not_acceptable",
                   .detail = fmt::format("This is answered as {}: say so in Accept, or leave it out.", type),
                   .field = "Accept"});
  return false;
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
  const uint64_t digest = method.verb == "GET" ? contract::digest64(json) : 0;
  const std::string if_match = exchange.request().list_header("if-match");
  if (digest != 0 && !if_match.empty() && !if_match_names(if_match, digest))
    return problem_response({.code = Code::kPreconditionFailed,
                             .reason = "etag_mismatch",
                             .detail = "The record has changed since it was read: read it again."},
                            exchange.problem_context());
  set_body(response, exchange, kJson, std::move(json), digest);
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
      const uint64_t digest = route.method->resource != nullptr ? contract::digest64(json) : 0;
      set_body(response, exchange, kJson, std::move(json), digest);
    }
  }
  if (answer.replayed) response.add("Idempotent-Replayed", "true");
  return response;
}

}  // namespace micropay::gateway
