// The head of a request: request line, header lines, and what they say about body and connection.
#include "libs/http/request_parser.h"

#include <cstring>

namespace micropay {
namespace {

// Characters of a token (RFC 9110 5.6.2); a letter's value is its lower case, all others 0.
constexpr std::array<char, 256> kToken = [] {
  std::array<char, 256> table{};
  for (char c : std::string_view("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")) table[size_t(c)] = c;
  for (char c = 'A'; c <= 'Z'; ++c) table[size_t(c)] = static_cast<char>(c + 32);
  return table;
}();

constexpr ParseError kMalformedLine{400, "malformed_request_line",
                                    "The request line is not method, target, version."};
constexpr ParseError kMalformedTarget{400, "malformed_target",
                                      "The request target is not a valid path or http URL."};
constexpr ParseError kMalformedHeader{400, "malformed_header", "A header line is not well-formed."};
constexpr ParseError kBadFraming{400, "ambiguous_length",
                                 "Content-Length and Transfer-Encoding do not agree."};

bool is_token(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](char c) { return kToken[static_cast<unsigned char>(c)]; });
}

bool valid_escapes(std::string_view text) {
  auto hex = [](char c) { return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f'); };
  for (size_t at = text.find('%'); at != text.npos; at = text.find('%', at + 1)) {
    if (at + 2 >= text.size() || !hex(text[at + 1]) || !hex(text[at + 2])) return false;
    if (text[at + 1] == '0' && text[at + 2] == '0') return false;
  }
  return true;
}

// uri-host [ ":" port ] of RFC 9112 3.2; empty is allowed.
bool valid_host(std::string_view host) {
  constexpr std::string_view kAlso = "-._~%!$&'()*+,;=";  // besides letters and digits, of a reg-name
  bool bracketed = host.starts_with('[');
  size_t end = bracketed ? host.find(']') : std::min(host.find(':'), host.size());
  if (end == host.npos) return false;
  std::string_view name = host.substr(bracketed ? 1 : 0, bracketed ? end - 1 : end);
  std::string_view port = host.substr(bracketed ? end + 1 : end);
  auto alphanumeric = [](char c) { return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z'); };
  auto of_name = [&](char c) { return alphanumeric(c) || kAlso.find(c) != kAlso.npos; };
  auto of_address = [&](char c) { return alphanumeric(c) || c == ':' || c == '.'; };
  if (bracketed ? name.empty() || !std::ranges::all_of(name, of_address)
                : !std::ranges::all_of(name, of_name))
    return false;
  if (port.empty()) return true;
  port.remove_prefix(port.front() == ':' ? 1 : 0);
  return host[bracketed ? end + 1 : end] == ':' && port.size() <= 5 &&
         std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; });
}

// origin-form, absolute-form (its authority is dropped; Host says the same) or '*' of OPTIONS.
bool parse_target(std::string_view target, HttpRequest& request) {
  bool visible =
      std::ranges::all_of(target, [](char c) { return c > ' ' && c < 127 && c != '#' && c != '\\'; });
  if (target.empty() || !visible || !valid_escapes(target)) return false;
  bool absolute = false;
  for (std::string_view scheme : {"http://", "https://"}) {
    if (absolute || !equals_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
    absolute = true;
    target.remove_prefix(scheme.size());
    size_t authority = std::min(target.find_first_of("/?"), target.size());
    if (authority == 0 || !valid_host(target.substr(0, authority))) return false;
    target.remove_prefix(authority);
    if (target.empty()) target = "/";
  }
  bool root = absolute && target.front() == '?';  // "http://host?query" has an empty path, which means "/"
  if (!root && (target == "*" ? request.method != "OPTIONS" : target.front() != '/')) return false;
  request.target = target;
  size_t question = std::min(target.find('?'), target.size());
  request.path = root ? "/" : target.substr(0, question);
  request.query = target.substr(std::min(question + 1, target.size()));
  return true;
}

std::optional<ParseError> parse_request_line(std::string_view line, const HeadLimits& limits,
                                             HttpRequest& request, bool& http11) {
  size_t first = line.find(' '), last = line.rfind(' ');
  if (first == line.npos || first == last) return kMalformedLine;
  request.method = line.substr(0, first);
  std::string_view target = line.substr(first + 1, last - first - 1), version = line.substr(last + 1);
  if (!is_token(request.method) || request.method.size() > 32) return kMalformedLine;
  if (version.size() != 8 || !version.starts_with("HTTP/")) return kMalformedLine;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return ParseError{505, "unsupported_version", "This server speaks HTTP/1.1."};
  }
  http11 = version == "HTTP/1.1";
  if (target.size() > limits.max_target_bytes)
    return ParseError{414, "target_too_long", "The request target is too long."};
  if (!parse_target(target, request)) return kMalformedTarget;
  return {};
}

// Lower-cases the name in place.
bool parse_header_line(char* begin, char* end, HttpHeader& header) {
  char* at = begin;
  for (; at < end && *at != ':'; ++at) {
    char c = kToken[static_cast<unsigned char>(*at)];
    if (c == 0) return false;  // also a blank in front: a folded line
    *at = c;
  }
  if (at == begin || at == end) return false;
  header.name = {begin, static_cast<size_t>(at - begin)};
  for (++at; at < end && (*at == ' ' || *at == '\t');) ++at;
  while (end > at && (end[-1] == ' ' || end[-1] == '\t')) --end;
  for (const char* c = at; c < end; ++c) {
    if ((static_cast<unsigned char>(*c) < ' ' && *c != '\t') || *c == 127) return false;
  }
  header.value = {at, static_cast<size_t>(end - at)};
  return true;
}

// Headers whose repetition would leave open which one counts.
bool is_single(std::string_view name) {
  switch (name.size()) {
    case 4: return name == "host";
    case 12: return name == "content-type";
    case 13: return name == "authorization";
    case 14: return name == "content-length";
    case 15: return name == "idempotency-key";
    case 17: return name == "transfer-encoding";
    default: return false;
  }
}

std::optional<ParseError> parse_content_length(std::string_view text, uint64_t& length) {
  bool digits = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  if (text.empty() || !digits)
    return ParseError{400, "invalid_content_length", "Content-Length is not a number."};
  if (text.size() > 18) return ParseError{413, "body_too_large", "The body is too large."};
  length = 0;
  for (char c : text) length = length * 10 + static_cast<uint64_t>(c - '0');
  return {};
}

// 16 bytes as base64 (RFC 6455 4.1).
bool is_websocket_key(std::string_view key) {
  auto base64 = [](char c) {
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '+' || c == '/';
  };
  return key.size() == 24 && key.ends_with("==") && std::ranges::all_of(key.substr(0, 22), base64) &&
         std::string_view("AQgw").find(key[21]) != key.npos;  // the last four bits are not used
}

bool is_handshake(const HttpRequest& request) {
  size_t keys = 0;
  bool upgrade = false, websocket = false;
  for (auto [name, value] : request.headers) {
    if (name == "connection") upgrade = upgrade || has_token(value, "upgrade");
    else if (name == "upgrade") websocket = websocket || has_token(value, "websocket");
    else if (name == "sec-websocket-key") ++keys;
  }
  return upgrade && websocket && request.method == "GET" && keys == 1 &&
         is_websocket_key(request.header("sec-websocket-key")) &&
         request.header("sec-websocket-version") == "13";
}

// What the headers mean for reading on.
std::optional<ParseError> apply_headers(RequestHead& head) {
  HttpRequest& request = head.request;
  bool http11 = head.http11;
  bool has_length = false, has_host = false;
  request.keep_alive = http11;
  for (auto [name, value] : request.headers) {
    if (name == "content-length") {
      has_length = true;
      if (auto error = parse_content_length(value, head.content_length)) return error;
    } else if (name == "transfer-encoding") {
      if (!http11) return kBadFraming;
      head.chunked = equals_ignoring_case(value, "chunked");
      if (!head.chunked)
        return ParseError{501, "unsupported_transfer_encoding", "Only chunked is understood."};
    } else if (name == "connection") {
      if (has_token(value, "close")) request.keep_alive = false;
      else if (!http11 && has_token(value, "keep-alive")) request.keep_alive = true;
    } else if (name == "expect") {
      if (!equals_ignoring_case(value, "100-continue")) {
        return ParseError{417, "unsupported_expectation", "Only 100-continue is understood."};
      }
      head.expects_continue = http11;
    } else if (name == "host") {
      has_host = true;
      if (!valid_host(value)) return ParseError{400, "invalid_host", "The Host header is not valid."};
    }
  }
  if (head.chunked && has_length) return kBadFraming;
  if (http11 && !has_host) return ParseError{400, "missing_host", "HTTP/1.1 needs a Host header."};
  bool empty = !head.chunked && head.content_length == 0;
  request.websocket = http11 && empty && is_handshake(request);
  return {};
}

}  // namespace

std::optional<ParseError> HeadScanner::scan(std::string_view bytes, const HeadLimits& limits,
                                            size_t& length) {
  length = 0;
  while (scanned_ < bytes.size()) {
    const void* found = std::memchr(bytes.data() + scanned_, '\n', bytes.size() - scanned_);
    if (found == nullptr) break;
    auto at = static_cast<size_t>(static_cast<const char*>(found) - bytes.data());
    if (at == 0 || bytes[at - 1] != '\r') return ParseError{400, "bare_line_feed", "Lines end in CR LF."};
    bool empty_line = at == scanned_ + 1;
    scanned_ = at + 1;
    if (empty_line) {
      if (first_line_) return kMalformedLine;
      length = scanned_;
      break;
    }
    first_line_ = false;
  }
  if (length > limits.max_bytes || (length == 0 && bytes.size() > limits.max_bytes)) {
    return ParseError{431, "headers_too_large", "The request line and headers are too large."};
  }
  return {};
}

std::optional<ParseError> parse_head(std::string_view bytes, const HeadLimits& limits, RequestHead& head) {
  HttpRequest& request = head.request;
  request.head.assign(bytes.begin(), bytes.end() - 2);  // without the empty line
  char* at = request.head.data();
  char* end = at + request.head.size();
  bool first = true;
  uint32_t singles = 0;
  request.headers.reserve(12);
  while (at < end) {
    char* line_end = static_cast<char*>(std::memchr(at, '\n', static_cast<size_t>(end - at))) - 1;
    if (first) {
      auto error = parse_request_line({at, static_cast<size_t>(line_end - at)}, limits, request, head.http11);
      if (error) return error;
      first = false;
    } else {
      HttpHeader header;
      if (!parse_header_line(at, line_end, header)) return kMalformedHeader;
      if (request.headers.size() == limits.max_headers) {
        return ParseError{431, "too_many_headers", "The request has too many headers."};
      }
      if (is_single(header.name)) {
        uint32_t bit = 1u << header.name.size();
        if (singles & bit)
          return ParseError{400, "repeated_header", "A header that may stand once stands twice."};
        singles |= bit;
      }
      request.headers.push_back(header);
    }
    at = line_end + 2;
  }
  return apply_headers(head);
}

}  // namespace micropay
