#include "libs/http/error_response.h"

namespace micropay {
namespace {

// Reasons and our own details are plain words; what a client sent may stand in a detail, though.
void append_json_text(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '"' || c == '\\') (out += '\\') += c;
    else if (static_cast<unsigned char>(c) < 0x20)
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", int(c));
    else out += c;
  }
}

}  // namespace

HttpResponse error_response(uint32_t status, const Error& error) {
  HttpResponse response{.status = status};
  response.add("Content-Type", "application/problem+json");
  response.add("Cache-Control", "no-store");
  if (error.retry_after_s > 0) response.add("Retry-After", fmt::format("{}", error.retry_after_s));
  std::string& body = response.body;
  body = fmt::format(R"({{"status":{},"title":"{}","code":")", status, status_phrase(status));
  append_json_text(body, error.reason);
  body += R"(","detail":")";
  append_json_text(body, is_utf8(error.detail) ? std::string_view(error.detail) : std::string_view());
  if (!error.field.empty()) {
    body += R"(","field":")";
    append_json_text(body, error.field);
  }
  body += "\"}";
  return response;
}

HttpResponse error_response(const Error& error) { return error_response(http_status(error.code), error); }

HttpResponse malformed_response(uint32_t status, std::string_view reason, std::string_view detail) {
  return error_response(status, {.reason = std::string(reason), .detail = std::string(detail)});
}

}  // namespace micropay
