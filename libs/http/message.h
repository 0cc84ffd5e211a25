// A request as the server hands it over and the answer it takes back. Plain values; nothing here does I/O.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace micropay {

struct HttpHeader {
  std::string_view name;   // lower case
  std::string_view value;  // without blanks around it
};

// Moves, never copies: the views point into `head`, whose bytes stay where they are when it moves.
struct HttpRequest {
  std::string_view method;  // "GET"; any token
  std::string_view target;  // as sent, in origin form
  std::string_view path;    // starts with '/'; still percent-encoded, escapes are well-formed
  std::string_view query;   // behind the '?', still encoded
  std::vector<HttpHeader> headers;
  std::string body;            // chunked bodies are put together
  std::string remote_address;  // "127.0.0.1"
  bool keep_alive = true;
  bool websocket = false;  // a complete WebSocket handshake: Responder::accept may be used
  std::vector<char> head;

  HttpRequest() = default;
  HttpRequest(HttpRequest&&) = default;
  HttpRequest& operator=(HttpRequest&&) = default;

  // The first header of that lower-case name, empty when there is none.
  std::string_view header(std::string_view name) const;
  bool has_header(std::string_view name) const;
  // All lines of that name as one list (RFC 9110 5.3).
  std::string list_header(std::string_view name) const;
};

struct HttpResponse {
  uint32_t status = 200;
  std::string headers;  // complete lines: "ETag: \"1\"\r\n"
  std::string body;
  std::shared_ptr<const std::string> shared_body = {};  // instead of body, for what many answers share
  bool close = false;                                   // end the connection afterwards
  bool pause = false;  // the client was told to come later: read its next request up to a tick later

  // Neither may contain line breaks: what comes from outside is checked by the caller.
  void add(std::string_view name, std::string_view value);
  std::string_view content() const { return shared_body ? std::string_view(*shared_body) : body; }
};

std::string_view status_phrase(uint32_t status);

// "%41b" -> "Ab"; '+' is a blank when `form` (query strings). None when an escape is broken or the result is
// not UTF-8.
std::optional<std::string> percent_decode(std::string_view text, bool form);
std::string percent_encode(std::string_view text);  // everything but unreserved characters

// name=value pairs of a query string, decoded, in order; none when one is malformed.
std::optional<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query);

// Whether a comma-separated header value has the token, whatever its case.
bool has_token(std::string_view list, std::string_view lower_case_token);
bool equals_ignoring_case(std::string_view text, std::string_view lower_case);
bool is_utf8(std::string_view text);

}  // namespace micropay
