// Requests as bytes: what is accepted, and what is refused with which status and reason. Every body is also
// read byte by byte, since the network cuts where it likes.
#include "libs/http/request_parser.h"

#include <gtest/gtest.h>

namespace micropay {
namespace {

// Head and body as the connection reads them; the error's reason, or "ok".
std::string read_request(std::string_view bytes, size_t step, RequestHead& head, std::string& body,
                         HeadLimits limits = {}) {
  HeadScanner scanner;
  size_t length = 0, seen = 0;
  while (length == 0) {
    if (seen == bytes.size()) return "incomplete";
    seen = std::min(seen + step, bytes.size());
    if (auto error = scanner.scan(bytes.substr(0, seen), limits, length)) return std::string(error->reason);
  }
  if (auto error = parse_head(bytes.substr(0, length), limits, head)) return std::string(error->reason);
  BodyReader reader;
  reader.start(head, 1000);
  bytes.remove_prefix(length);
  while (!reader.done()) {
    if (bytes.empty()) return "incomplete";
    std::string_view part = bytes.substr(0, std::min(step, bytes.size()));
    size_t before = part.size();
    if (auto error = reader.feed(part, body)) return std::string(error->reason);
    bytes.remove_prefix(before - part.size());
  }
  return bytes.empty() ? "ok" : "rest";
}

struct Case {
  const char* bytes;
  const char* outcome;
};

class RequestBytes : public testing::TestWithParam<Case> {};

TEST_P(RequestBytes, AreJudgedTheSameHoweverTheyArrive) {
  for (size_t step : {1ul, 7ul, 100'000ul}) {
    RequestHead head;
    std::string body;
    EXPECT_EQ(read_request(GetParam().bytes, step, head, body), GetParam().outcome) << GetParam().bytes;
  }
}

#define H "Host: a\r\n"
INSTANTIATE_TEST_SUITE_P(
    Heads, RequestBytes,
    testing::Values(Case{"GET / HTTP/1.1\r\n" H "\r\n", "ok"}, Case{"GET / HTTP/1.0\r\n\r\n", "ok"},
                    Case{"GET http://a.b:80/x?y HTTP/1.1\r\n" H "\r\n", "ok"},
                    Case{"OPTIONS * HTTP/1.1\r\n" H "\r\n", "ok"},
                    Case{"GET HTTP://a.b HTTP/1.1\r\n" H "\r\n", "ok"},
                    Case{"GET http://[::1]:80?x HTTP/1.1\r\n" H "\r\n", "ok"},
                    Case{"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "ok"},
                    Case{"GET / HTTP/1.1\r\nHost:\r\n\r\n", "ok"},
                    Case{"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", "invalid_host"},
                    Case{"GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", "invalid_host"},
                    Case{"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "invalid_host"},
                    Case{"GET / HTTP/1.1\r\nHost: [::1]80\r\n\r\n", "invalid_host"},
                    Case{"GET / HTTP/1.1\r\nHost: a?b\r\n\r\n", "invalid_host"},
                    Case{"GET http://a:b/ HTTP/1.1\r\n" H "\r\n", "malformed_target"},
                    Case{"GET / HTTP/1.1\n" H "\r\n", "bare_line_feed"},
                    Case{"GET / HTTP/1.1\r\nHost: a\n\r\n", "bare_line_feed"},
                    Case{"GET / HTTP/1.1\r\n" H "\n", "bare_line_feed"},
                    Case{"GET /\r\n" H "\r\n", "malformed_request_line"},
                    Case{"GET  / HTTP/1.1\r\n" H "\r\n", "malformed_target"},
                    Case{"G(T / HTTP/1.1\r\n" H "\r\n", "malformed_request_line"},
                    Case{" GET / HTTP/1.1\r\n" H "\r\n", "malformed_request_line"},
                    Case{"GET / http/1.1\r\n" H "\r\n", "malformed_request_line"},
                    Case{"GET / HTTP/2.0\r\n" H "\r\n", "unsupported_version"},
                    Case{"GET / HTTP/1.9\r\n" H "\r\n", "unsupported_version"},
                    Case{"GET a HTTP/1.1\r\n" H "\r\n", "malformed_target"},
                    Case{"GET * HTTP/1.1\r\n" H "\r\n", "malformed_target"},
                    Case{"CONNECT a:80 HTTP/1.1\r\n" H "\r\n", "malformed_target"},
                    Case{"GET /%zz HTTP/1.1\r\n" H "\r\n", "malformed_target"},
                    Case{"GET /%00 HTTP/1.1\r\n" H "\r\n", "malformed_target"},
                    Case{"GET /a#b HTTP/1.1\r\n" H "\r\n", "malformed_target"},
                    Case{"GET /\\ HTTP/1.1\r\n" H "\r\n", "malformed_target"},
                    Case{"GET http://u@h/ HTTP/1.1\r\n" H "\r\n", "malformed_target"},
                    Case{"GET /\x80 HTTP/1.1\r\n" H "\r\n", "malformed_target"},
                    Case{"GET http:///x HTTP/1.1\r\n" H "\r\n", "malformed_target"},
                    Case{"GET / HTTP/1.1\r\n\r\n", "missing_host"},
                    Case{"GET / HTTP/1.1\r\n" H H "\r\n", "repeated_header"},
                    Case{"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "invalid_host"},
                    Case{"GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n", "malformed_header"},
                    Case{"GET / HTTP/1.1\r\n" H "X : a\r\n\r\n", "malformed_header"},
                    Case{"GET / HTTP/1.1\r\n" H ": a\r\n\r\n", "malformed_header"},
                    Case{"GET / HTTP/1.1\r\n" H "X\r\n\r\n", "malformed_header"},
                    Case{"GET / HTTP/1.1\r\n" H "X: a\rb\r\n\r\n", "malformed_header"},
                    Case{"GET / HTTP/1.1\r\n" H "X: a\x01\r\n\r\n", "malformed_header"},
                    Case{"GET / HTTP/1.1\r\n" H "Expect: more\r\n\r\n", "unsupported_expectation"}));

INSTANTIATE_TEST_SUITE_P(
    Lengths, RequestBytes,
    testing::Values(
        Case{"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc", "ok"},
        Case{"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nab", "incomplete"},
        Case{"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "repeated_header"},
        Case{"POST / HTTP/1.1\r\n" H "Content-Length: 3, 3\r\n\r\nabc", "invalid_content_length"},
        Case{"POST / HTTP/1.1\r\n" H "Content-Length: +3\r\n\r\nabc", "invalid_content_length"},
        Case{"POST / HTTP/1.1\r\n" H "Content-Length: 0x3\r\n\r\nabc", "invalid_content_length"},
        Case{"POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\nabc", "invalid_content_length"},
        Case{"POST / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999\r\n\r\n", "body_too_large"},
        Case{"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
             "ambiguous_length"},
        Case{"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
             "ambiguous_length"},
        Case{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "ambiguous_length"},
        Case{"POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n",
             "unsupported_transfer_encoding"},
        Case{"POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n", "unsupported_transfer_encoding"},
        Case{"POST / HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n", "malformed_header"},
        Case{"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
             "repeated_header"}));

#define CHUNKED "POST / HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n"
INSTANTIATE_TEST_SUITE_P(
    Chunks, RequestBytes,
    testing::Values(
        Case{CHUNKED "3\r\nabc\r\n0\r\n\r\n", "ok"},
        Case{CHUNKED "1;x=\"y\"\r\na\r\n0;z\r\nT: v\r\n\r\n", "ok"}, Case{CHUNKED "0\r\n\r\nGET", "rest"},
        Case{CHUNKED "3\r\nabcd\r\n0\r\n\r\n", "malformed_chunk"},
        Case{CHUNKED "3\nabc\r\n0\r\n\r\n", "malformed_chunk"}, Case{CHUNKED "\r\n\r\n", "malformed_chunk"},
        Case{CHUNKED "-1\r\n", "malformed_chunk"}, Case{CHUNKED "0x1\r\na\r\n", "malformed_chunk"},
        Case{CHUNKED "1 \r\na\r\n", "malformed_chunk"}, Case{CHUNKED "1;a\nb\r\n", "malformed_chunk"},
        Case{CHUNKED "1;\ra\r\n", "malformed_chunk"}, Case{CHUNKED "3\r\nabc\n0\r\n\r\n", "malformed_chunk"},
        Case{CHUNKED "0\r\nT: v\n\r\n", "malformed_chunk"}, Case{CHUNKED "123456789\r\n", "body_too_large"},
        Case{CHUNKED "fff\r\n", "body_too_large"}, Case{CHUNKED "0\r\nT: v", "incomplete"}));

TEST(RequestParser, TellsPartsOfTheRequest) {
  RequestHead head;
  std::string body;
  std::string_view bytes =
      "POST /a/%41?x=1&y HTTP/1.1\r\nhOsT: h\r\nAuthorization: \t Bearer t  \r\nConnection: foo, Close\r\n"
      "Transfer-Encoding: chunked\r\nX-Empty:\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
  ASSERT_EQ(read_request(bytes, 1, head, body), "ok");
  HttpRequest request = std::move(head.request);  // the views must survive a move
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/a/%41?x=1&y");
  EXPECT_EQ(request.path, "/a/%41");
  EXPECT_EQ(request.query, "x=1&y");
  EXPECT_EQ(request.header("authorization"), "Bearer t");
  EXPECT_TRUE(request.has_header("x-empty"));
  EXPECT_FALSE(request.has_header("x-other"));
  EXPECT_FALSE(request.keep_alive);
  EXPECT_EQ(body, "abc");
}

TEST(RequestParser, BoundsTheHead) {
  RequestHead head;
  std::string body;
  std::string many = "GET / HTTP/1.1\r\n" H;
  for (int i = 0; i < 100; ++i) many += "A: b\r\n";
  EXPECT_EQ(read_request(many + "\r\n", 100'000, head, body), "too_many_headers");
  std::string large = "GET / HTTP/1.1\r\n" H "A: " + std::string(17'000, 'a');
  EXPECT_EQ(read_request(large + "\r\n\r\n", 100'000, head, body), "headers_too_large");
  EXPECT_EQ(read_request(large, 1000, head, body), "headers_too_large");  // without waiting for its end
  EXPECT_EQ(read_request("GET /" + std::string(9'000, 'a') + " HTTP/1.1\r\n" H "\r\n", 100'000, head, body),
            "target_too_long");
}

TEST(RequestParser, BoundsTheBody) {
  RequestHead head;
  std::string body;
  std::string large = "POST / HTTP/1.1\r\n" H "Content-Length: 1001\r\n\r\n" + std::string(1001, 'x');
  EXPECT_EQ(read_request(large, 7, head, body), "body_too_large");
  EXPECT_LE(body.size(), 1000u);
}

TEST(Message, DecodesPercentAndQuery) {
  EXPECT_EQ(percent_decode("a%20b+c", false), "a b+c");
  EXPECT_EQ(percent_decode("a%20b+c", true), "a b c");
  EXPECT_EQ(percent_decode("%C3%A4", false), "ä");
  EXPECT_FALSE(percent_decode("%4", false));
  EXPECT_FALSE(percent_decode("%C3", false));        // no UTF-8
  EXPECT_FALSE(percent_decode("%C0%AF", false));     // overlong
  EXPECT_FALSE(percent_decode("%ED%A0%80", false));  // surrogate
  EXPECT_EQ(percent_encode("a/ä"), "a%2F%C3%A4");
  auto pairs = parse_query("a=1&b&&c=x%3Dy&a=");
  ASSERT_TRUE(pairs);
  std::vector<std::pair<std::string, std::string>> expected{{"a", "1"}, {"b", ""}, {"c", "x=y"}, {"a", ""}};
  EXPECT_EQ(*pairs, expected);
}

}  // namespace
}  // namespace micropay
