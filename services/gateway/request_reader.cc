// Reads requests; the heavy work is libs/contract's.
#include "services/gateway/request_reader.h"

#include "libs/contract/etag.h"
#include "libs/contract/json.h"
#include "libs/contract/validate.h"

namespace micropay::gateway {
namespace {

using contract::FieldDescriptor;

std::unexpected<Error> invalid(std::string reason, std::string detail, std::string field = {}) {
  return fail(Code::kInvalidArgument, std::move(reason), std::move(detail), std::move(field));
}

std::string_view media_type(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (content_type.ends_with(' ')) content_type.remove_suffix(1);
  return content_type;
}

// The message whose fields `fields=` names: the items of a list, else the answer itself.
const contract::Descriptor* shown_message(const contract::Method& method) {
  if (!method.list) return method.response;
  for (int i = 0; i < method.response->field_count(); ++i) {
    const FieldDescriptor* field = method.response->field(i);
    if (field->is_repeated() && field->message_type() != nullptr) return field->message_type();
  }
  return method.response;
}

Result<std::vector<std::string>> read_fields(const contract::Method& method, std::string_view text) {
  std::vector<std::string> names;
  const contract::Descriptor* shown = shown_message(method);
  while (!text.empty()) {
    size_t end = std::min(text.find(','), text.size());
    std::string name(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    const FieldDescriptor* field = shown->FindFieldByCamelcaseName(name);
    if (field == nullptr || contract::options_of(*field).internal() ||
        contract::options_of(*field).secret()) {
      return invalid("unknown_parameter", fmt::format("fields: '{}' is no field of the answer", name),
                     "fields");
    }
    names.push_back(std::move(name));
  }
  if (names.empty()) return invalid("unknown_parameter", "fields: names at least one field", "fields");
  return names;
}

// `offset` is the other way to say where a page begins.
Result<void> read_offset(contract::Message& message, std::string_view text) {
  bool digits = !text.empty() && text.size() <= 9 && text.find_first_not_of("0123456789") == text.npos;
  if (!digits) return invalid("invalid_type", "offset: must be a whole number", "offset");
  auto set = contract::set_from_text(message, "pageToken", fmt::format("offset:{}", text));
  if (!set)
    return invalid("duplicate_field", "offset: pageToken says already where the page begins", "offset");
  return {};
}

Result<void> read_parameter(const contract::Method& method, const std::string& name, const std::string& text,
                            ReadRequest& out) {
  contract::Message& message = *out.message;
  bool reads = method.verb == "GET";
  if (reads && name == "fields" && method.request->FindFieldByCamelcaseName(name) == nullptr) {
    out.fields = TRY(read_fields(method, text));
    return {};
  }
  if (reads && name == "offset" && method.list && method.request->FindFieldByName("page_token") != nullptr) {
    return read_offset(message, text);
  }
  // The handlers' own way to say ?offset=, and no client's: tokens are opaque.
  if (reads && name == "pageToken" && method.list && text.starts_with("offset:"))
    return invalid("invalid_page_token", "The token is not from an earlier page of this list.", "pageToken");
  auto set =
      reads ? contract::set_from_text(message, name, text)
            : Result<void>(invalid("unknown_field",
                                   fmt::format("{}: this method takes its input in the body", name), name));
  if (set) return {};
  Error error = std::move(set).error();
  if (error.reason == "unknown_field" || error.reason == "read_only_field")
    error.reason = "unknown_parameter";
  return std::unexpected(std::move(error));
}

}  // namespace

Result<void> read_path(const RouteMatch& match, contract::Message& message) {
  const auto& variables = match.route->method->variables;
  for (size_t i = 0; i < variables.size(); ++i) {
    auto text = percent_decode(match.variables[i], false);
    if (!text) return invalid("invalid_format", "is not UTF-8", std::string(variables[i]->json_name()));
    TRY(contract::set_from_text(message, variables[i]->json_name(), *text));
  }
  return {};
}

std::optional<Error> check_content(const HttpRequest& request) {
  if (request.body.empty()) return {};
  std::string_view encoding = request.header("content-encoding");
  if (!encoding.empty() && !equals_ignoring_case(encoding, "identity")) {
    return fail(Code::kInvalidArgument, "unsupported_encoding",
                "Send the body as it is, without Content-Encoding.")
        .error();
  }
  std::string_view type = media_type(request.header("content-type"));
  bool json = equals_ignoring_case(type, "application/json") ||
              equals_ignoring_case(type, "application/merge-patch+json");
  if (json) return {};
  return fail(Code::kInvalidArgument, "unsupported_media_type",
              "Send the body with Content-Type: application/json.")
      .error();
}

Result<ReadRequest> read_request(const RouteMatch& match, const HttpRequest& request) {
  const contract::Method& method = *match.route->method;
  ReadRequest out{.message = method.make_request()};
  if (method.verb == "GET") {
    if (!request.body.empty()) return invalid("unexpected_body", "A GET has no body.");
  } else {
    TRY(contract::parse_json(request.body, *out.message));
  }
  TRY(read_path(match, *out.message));
  if (!request.query.empty()) {
    auto pairs = parse_query(request.query);
    if (!pairs) return invalid("malformed_query", "The query string is not well-formed.");
    for (const auto& [name, text] : *pairs) TRY(read_parameter(method, name, text, out));
  }
  TRY(contract::validate(*out.message));
  return out;
}

Result<CommandHeaders> read_command_headers(const HttpRequest& request) {
  CommandHeaders headers;
  if (request.has_header("idempotency-key")) {
    std::string_view key = request.header("idempotency-key");
    bool visible = std::ranges::all_of(key, [](char c) { return c > ' ' && c < 127; });
    if (key.empty() || key.size() > 255 || !visible) {
      return invalid("invalid_idempotency_key", "Idempotency-Key is 1 to 255 visible ASCII characters.",
                     "Idempotency-Key");
    }
    headers.idempotency_key = key;
    headers.sent_digest = contract::digest64(
        fmt::format("{} {}\n{:016x}", request.method, request.target, contract::digest64(request.body)));
  }
  std::string_view if_match = request.header("if-match");
  if (if_match.find(',') != if_match.npos) {
    return invalid("invalid_if_match", "If-Match takes one entity tag here.", "If-Match");
  }
  if (!if_match.empty() && if_match != "*") {
    auto digest = contract::parse_etag(if_match);
    if (!digest)
      return fail(Code::kPreconditionFailed, "etag_mismatch", "The entity tag is none of this resource.");
    headers.if_match = *digest;
  }
  headers.respond_async = has_token(request.header("prefer"), "respond-async");
  return headers;
}

}  // namespace micropay::gateway
