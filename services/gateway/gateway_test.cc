// The gateway over HTTP: what is accepted, what is refused with which code, and the headers around it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/contract/etag.h"
#include "services/gateway/entity_tags.h"
#include "services/gateway/gateway_twin.h"

namespace micropay::gateway {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kAnna = "Authorization: Bearer anna\r\n", kBert = "Authorization: Bearer bert\r\n",
                           kStaff = "Authorization: Bearer staff\r\n";
constexpr std::string_view kAccount = R"({"currency":"EUR","name":"Savings"})";

// Value of a top-level text member.
std::string member(const std::string& json, const std::string& name) {
  std::string key = "\"" + name + "\":\"";
  size_t at = json.find(key);
  if (at == json.npos) return {};
  at += key.size();
  return json.substr(at, json.find('"', at) - at);
}

// Everything holds wherever the services are.
struct GatewayTest : testing::TestWithParam<Behind> {
  TestAnswer ask(std::string_view line, std::string_view headers = "", std::string_view body = "") {
    return client.send(http_request(line, headers, body)).read(line.starts_with("HEAD"));
  }
  std::string anna_account() { return member(ask("POST /api/v1/accounts", kAnna, kAccount).body, "id"); }
  TestGateway gateway{{}, GetParam()};
  TestClient client{gateway.address()};
};
INSTANTIATE_TEST_SUITE_P(Behind, GatewayTest, testing::Values(Behind::kSameProcess, Behind::kOtherProcess),
                         [](const auto& info) {
                           return info.param == Behind::kSameProcess ? "SameProcess" : "OtherProcess";
                         });

struct Refusal {
  std::string line, headers, body;
  int status;
  std::string code, field;
};

TEST_P(GatewayTest, RefusesWithStatusCodeAndField) {
  std::string id = anna_account();
  std::string anna(kAnna), bert(kBert), staff(kStaff);
  for (const Refusal& one : std::vector<Refusal>{
           {"GET /api/v1/nothing", anna, "", 404, "route_not_found", ""},
           {"GET /nothing", "", "", 404, "route_not_found", ""},
           {"GET /api/v1/accounts/", anna, "", 404, "route_not_found", ""},
           {"DELETE /api/v1/accounts", anna, "", 405, "method_not_allowed", ""},
           {"BREW /api/v1/accounts", anna, "", 405, "method_not_allowed", ""},
           {"GET /api/v1/accounts", "", "", 401, "unauthenticated", ""},
           {"GET /api/v1/accounts", "Authorization: Bearer forged\r\n", "", 401, "invalid_token", ""},
           {"GET /api/v1/accounts", "Authorization: Bearer expired\r\n", "", 401, "token_expired", ""},
           {"GET /api/v1/accounts", "Authorization: Basic YTpi\r\n", "", 401, "invalid_token", ""},
           {"GET /api/v1/accounts", "Authorization: Bearer \r\n", "", 401, "invalid_token", ""},
           {"POST /api/v1/accounts/" + id + "/freeze", anna, R"({"reason":"because"})", 403, "forbidden", ""},
           {"GET /api/v1/accounts/" + id, bert, "", 404, "not_found", ""},
           {"GET /api/v1/accounts/" + derived_uuid("none"), staff, "", 404, "not_found", ""},
           {"GET /api/v1/accounts/nonsense", anna, "", 400, "invalid_format", "id"},
           {"GET /api/v1/accounts/%ff", anna, "", 400, "invalid_format", "id"},
           {"GET /api/v1/accounts?nonsense=1", anna, "", 400, "unknown_parameter", "nonsense"},
           {"GET /api/v1/accounts?page_size=1", anna, "", 400, "unknown_parameter", "page_size"},
           {"GET /api/v1/accounts?pageSize=abc", anna, "", 400, "invalid_type", "pageSize"},
           {"GET /api/v1/accounts?pageSize=501", anna, "", 400, "out_of_range", "pageSize"},
           {"GET /api/v1/accounts?pageSize=1&pageSize=2", anna, "", 400, "duplicate_field", "pageSize"},
           {"GET /api/v1/accounts?offset=-1", anna, "", 400, "invalid_type", "offset"},
           {"GET /api/v1/accounts?status=%80", anna, "", 400, "malformed_query", ""},
           {"GET /api/v1/accounts?fields=nonsense", anna, "", 400, "unknown_parameter", "fields"},
           {"GET /api/v1/accounts", anna, "{}", 400, "unexpected_body", ""},
           {"POST /api/v1/accounts", anna, "{", 400, "malformed_json", ""},
           {"POST /api/v1/accounts", anna, "", 400, "required", "currency"},
           {"POST /api/v1/accounts", anna, R"({"currency":"EUR","nonsense":1})", 400, "unknown_field",
            "nonsense"},
           {"POST /api/v1/accounts", anna, R"({"currency":5})", 400, "invalid_type", "currency"},
           {"POST /api/v1/accounts", anna, R"({"currency":"EUX"})", 400, "unknown_currency", "currency"},
           {"POST /api/v1/accounts?currency=EUR", anna, "", 400, "unknown_parameter", "currency"},
           {"POST /api/v1/accounts", anna + "Idempotency-Key: a b\r\n", std::string(kAccount), 400,
            "invalid_idempotency_key", "Idempotency-Key"},
           {"POST /api/v1/accounts", anna + "Idempotency-Key: " + std::string(256, 'k') + "\r\n",
            std::string(kAccount), 400, "invalid_idempotency_key", "Idempotency-Key"},
           {"POST /api/v1/accounts/" + id + "/freeze", staff + "If-Match: \"0000000000000001\"\r\n",
            R"({"reason":"because"})", 412, "etag_mismatch", ""},
           {"POST /api/v1/accounts", anna + "If-Match: \"0000000000000001\"\r\n", std::string(kAccount), 400,
            "if_match_unsupported", "If-Match"},
           {"POST /api/v1/accounts/" + id + "/freeze", staff + "If-Match: nonsense\r\n",
            R"({"reason":"because"})", 412, "etag_mismatch", ""},
           {"POST /api/v1/accounts/" + id + "/freeze", staff, R"({"id":")" + id + R"(","reason":"because"})",
            400, "duplicate_field", "id"},
           {"POST /api/v1/accounts", anna, R"({"currency":"EUR","name":"broke"})", 402, "insufficient_funds",
            ""},
           {"POST /api/v1/accounts", anna + "Content-Encoding: gzip\r\n", std::string(kAccount), 415,
            "unsupported_encoding", ""},
           {"GET /ws", "", "", 426, "upgrade_required", ""},
           {"POST /docs", "", "", 405, "method_not_allowed", ""}}) {
    TestAnswer answer = ask(one.line, one.headers, one.body);
    EXPECT_EQ(answer.status, one.status) << one.line << answer.body;
    EXPECT_EQ(answer.header("Content-Type"), "application/problem+json") << one.line;
    EXPECT_EQ(member(answer.body, "code"), one.code) << one.line << answer.body;
    EXPECT_EQ(member(answer.body, "field"), one.field) << one.line << answer.body;
    EXPECT_EQ(member(answer.body, "type"), "/docs#problem-" + one.code);
    EXPECT_EQ(member(answer.body, "correlationId"), answer.header("X-Correlation-Id"));
  }
}

TEST_P(GatewayTest, RefusesBodiesThatAreNotJson) {
  for (std::string_view type : {"text/plain", "application/x-www-form-urlencoded", ""}) {
    std::string headers = fmt::format("{}Content-Length: 2\r\n", kAnna);
    if (!type.empty()) headers += fmt::format("Content-Type: {}\r\n", type);
    TestAnswer answer =
        client.send(fmt::format("POST /api/v1/accounts HTTP/1.1\r\nHost: a\r\n{}\r\n{{}}", headers)).read();
    EXPECT_EQ(answer.status, 415);
    EXPECT_EQ(member(answer.body, "code"), "unsupported_media_type");
  }
  TestAnswer large =
      client.send(fmt::format("POST /api/v1/accounts HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n"))
          .read();
  EXPECT_EQ(large.status, 413);
  EXPECT_EQ(large.header("Content-Type"), "application/problem+json");
  EXPECT_FALSE(large.header("X-Correlation-Id").empty());
}

TEST_P(GatewayTest, CreatesAndReads) {
  TestAnswer made = ask("POST /api/v1/accounts", kAnna, kAccount);
  ASSERT_EQ(made.status, 201) << made.body;
  std::string path = "/api/v1/accounts/" + member(made.body, "id");
  EXPECT_EQ(made.header("Location"), path);
  TestAnswer read = ask("GET " + path, kAnna);
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(read.body, made.body);
  EXPECT_EQ(read.header("ETag"), made.header("ETag"));
  TestAnswer head = ask("HEAD " + path, kAnna);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("ETag"), read.header("ETag"));
  EXPECT_EQ(ask("GET " + path, kStaff).status, 200);
}

TEST_P(GatewayTest, CarriesSafetyAndCorrelationHeaders) {
  TestAnswer answer = ask("GET /api/v1/accounts", fmt::format("{}X-Correlation-Id: mine-1\r\n", kAnna));
  EXPECT_EQ(answer.header("X-Correlation-Id"), "mine-1");
  EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(answer.header("Cache-Control"), "no-store");
  EXPECT_EQ(answer.header("X-Frame-Options"), "DENY");
  EXPECT_THAT(answer.header("Content-Security-Policy"), HasSubstr("default-src 'none'"));
  EXPECT_EQ(ask("GET /nothing", "X-Correlation-Id: a b\r\n").header("X-Correlation-Id").size(), 36u);
  EXPECT_EQ(ask("DELETE /api/v1/accounts", kAnna).header("Allow"), "POST, GET, HEAD, OPTIONS");
  EXPECT_THAT(ask("GET /api/v1/accounts").header("WWW-Authenticate"), StartsWith("Bearer"));
}

TEST_P(GatewayTest, ComparesEntityTags) {
  std::string path = "/api/v1/accounts/" + anna_account();
  std::string etag = ask("GET " + path, kAnna).header("ETag");
  TestAnswer same = ask("GET " + path, fmt::format("{}If-None-Match: \"x\", {}\r\n", kAnna, etag));
  EXPECT_EQ(same.status, 304);
  EXPECT_TRUE(same.body.empty());
  std::string zeros = fmt::format("{}If-Match: \"{:016}\"\r\n", kStaff, 0);
  EXPECT_EQ(ask("POST " + path + "/freeze", zeros, R"({"reason":"because"})").status, 412);
  std::string if_match = fmt::format("{}If-Match: {}\r\n", kStaff, etag);
  EXPECT_EQ(ask("POST " + path + "/freeze", if_match, R"({"reason":"because"})").status, 200);
  EXPECT_EQ(ask("POST " + path + "/freeze", if_match, R"({"reason":"because"})").status, 412);
  EXPECT_EQ(ask("GET " + path, fmt::format("{}If-None-Match: {}\r\n", kAnna, etag)).status, 200);
}

// One strong tag stood for the plain bytes and for the compressed ones: a cache may mix them up then.
TEST_P(GatewayTest, EachFormHasItsEntityTag) {
  for (int i = 0; i < 12; ++i) ask("POST /api/v1/accounts", kAnna, R"({"currency":"EUR","name":"Savings"})");
  for (const std::string path : {"/api/v1/accounts", "/openapi.json"}) {
    const std::string plain = ask("GET " + path, kAnna).header("ETag");
    const std::string gzip = fmt::format("{}Accept-Encoding: gzip\r\n", kAnna);
    const std::string packed = ask("GET " + path, gzip).header("ETag");
    EXPECT_NE(plain, packed) << path;
    EXPECT_EQ(ask("GET " + path, fmt::format("{}If-None-Match: {}\r\n", gzip, packed)).status, 304) << path;
    EXPECT_EQ(ask("GET " + path, fmt::format("{}If-None-Match: {}\r\n", gzip, plain)).status, 200) << path;
    EXPECT_EQ(
        ask("GET " + path, fmt::format("{}If-None-Match: \"a\"\r\nIf-None-Match: W/{}\r\n", kAnna, plain))
            .status,
        304)
        << path;
  }
}

// Either names the version of the record; a weak tag is none that If-Match compares with (RFC 9110 13.1.1).
TEST_P(GatewayTest, IfMatchTakesTheTagOfEitherForm) {
  const std::string path = "/api/v1/accounts/" + anna_account();
  const std::string tag = ask("GET " + path, kAnna).header("ETag"), body = R"({"reason":"because"})";
  const auto freeze = [&](const std::string& given) {
    return ask("POST " + path + "/freeze", fmt::format("{}If-Match: {}\r\n", kStaff, given), body).status;
  };
  EXPECT_EQ(freeze("W/" + tag), 412);
  EXPECT_EQ(freeze(tag.substr(0, 17) + "-gzip\""), 200);
  EXPECT_EQ(freeze(tag), 412);
  for (const auto& [given, status] : {std::pair<std::string, int>{tag, 412}, {"*", 200}, {"\"x\"", 412}})
    EXPECT_EQ(ask("GET " + path, fmt::format("{}If-Match: {}\r\n", kAnna, given)).status, status) << given;
}

TEST_P(GatewayTest, IfNoneMatchKeepsACommandFromWhatIsThere) {
  // POST /accounts/{id}/freeze has no GET, so nothing there could match; the collection itself is a list.
  const std::string headers = fmt::format("{}If-None-Match: *\r\n", kStaff);
  EXPECT_EQ(ask("POST /api/v1/accounts", headers, kAccount).status, 201);
  const std::string path = "/api/v1/accounts/" + anna_account();
  EXPECT_EQ(ask("POST " + path + "/freeze", headers, R"({"reason":"because"})").status, 200);
}

TEST(EntityTags, AreComparedAsTheStandardSays) {
  const std::string tag = contract::format_etag(7), packed = contract::format_etag(7, true);
  for (const auto& [list, version, form] :
       std::vector<std::tuple<std::string, bool, bool>>{{"*", true, true},
                                                        {tag, true, true},
                                                        {"W/" + tag, true, true},
                                                        {packed, true, false},
                                                        {"\"a,b\" , " + tag, true, true},
                                                        {"\"" + tag + "\"", false, false},
                                                        {"W/\"x\", y", false, false},
                                                        {"", false, false},
                                                        {"\"", false, false}}) {
    EXPECT_EQ(none_match_names(list, tag), form) << list;
    EXPECT_EQ(none_match_names_version(list, 7), version) << list;
  }
  EXPECT_TRUE(if_match_names(tag, 7) && if_match_names("\"x\", " + packed, 7) && if_match_names("*", 7));
  EXPECT_FALSE(if_match_names("W/" + tag, 7) || if_match_names("", 7) || if_match_names("\"x\"", 7));
}

TEST_P(GatewayTest, AnswersOnlyWhatTheClientTakes) {
  for (const auto& [accept, status] :
       std::vector<std::pair<std::string, int>>{{"text/csv", 406},
                                                {"text/csv, */*;q=0.1", 200},
                                                {"application/json;q=0, */*", 406},
                                                {"application/*", 200},
                                                {"text/html\r\nAccept: application/json", 200}}) {
    const std::string headers = fmt::format("{}Accept: {}\r\n", kAnna, accept);
    const TestAnswer answer = ask("GET /api/v1/accounts", headers);
    EXPECT_EQ(answer.status, status) << accept;
    EXPECT_EQ(member(answer.body, "code"), status == 406 ? "not_acceptable" : "") << accept;
    EXPECT_EQ(ask("GET /openapi.json", headers).status, status) << accept;
  }
  EXPECT_EQ(ask("POST /api/v1/accounts", fmt::format("{}Accept: text/csv\r\n", kAnna), kAccount).status, 406);
  EXPECT_THAT(ask("GET /api/v1/accounts", kAnna).body, Not(HasSubstr("Savings")));  // and did nothing
  EXPECT_EQ(ask("GET /api/v1/accounts", "Accept: text/csv\r\n").status, 401);       // who asks comes first
  EXPECT_EQ(ask("GET /docs", "Accept: text/html\r\n").status, 200);
}

TEST_P(GatewayTest, NamesTheRouteWithoutTheSlash) {
  EXPECT_THAT(ask("GET /api/v1/accounts/", kAnna).body, HasSubstr("there is: /api/v1/accounts\""));
  EXPECT_THAT(ask("GET /docs/").body, HasSubstr("there is: /docs\""));
  EXPECT_THAT(ask("GET /api/v1/nothing/", kAnna).body, Not(HasSubstr("there is")));
}

TEST_P(GatewayTest, TakesAByteOrderMark) {
  EXPECT_EQ(ask("POST /api/v1/accounts", kAnna, "\xef\xbb\xbf" + std::string(kAccount)).status, 201);
}

// One of another list, order, filter or user was taken for a place in this one.
TEST_P(GatewayTest, PageTokensAreOfOneList) {
  for (int i = 0; i < 4; ++i) anna_account();
  const auto page = [&](std::string_view headers, const std::string& query) {
    return ask("GET /api/v1/accounts?" + query, headers);
  };
  const std::string token = member(page(kAnna, "pageSize=2&status=ACTIVE").body, "nextPageToken");
  EXPECT_EQ(page(kAnna, "pageSize=3&status=ACTIVE&pageToken=" + token).status, 200);
  for (const std::string other :
       {"", "status=FROZEN&", "status=ACTIVE&currency=EUR&", "status=ACTIVE&orderBy=id&"}) {
    const TestAnswer refused = page(kAnna, other + "pageToken=" + token);
    EXPECT_EQ(refused.status, 400) << other;
    EXPECT_EQ(member(refused.body, "code"), "invalid_page_token") << other;
  }
  EXPECT_EQ(page(kBert, "status=ACTIVE&pageToken=" + token).status, 400);
  EXPECT_EQ(page(kAnna, "status=ACTIVE&pageToken=" + token + "A").status, 400);
  EXPECT_EQ(page(kAnna, "pageToken=offset:2").status, 400);  // that is ?offset=2
}

TEST_P(GatewayTest, RepeatsTheAnswerToAnIdempotencyKey) {
  std::string headers = fmt::format("{}Idempotency-Key: one\r\n", kAnna);
  TestAnswer first = ask("POST /api/v1/accounts", headers, kAccount);
  TestAnswer second = ask("POST /api/v1/accounts", headers, kAccount);
  EXPECT_EQ(second.status, 201);
  EXPECT_EQ(second.body, first.body);
  EXPECT_EQ(first.header("Idempotent-Replayed"), "");
  EXPECT_EQ(second.header("Idempotent-Replayed"), "true");
  TestAnswer written =
      ask("POST /api/v1/accounts", headers, R"( {"name":"S\u0061vings", "currency":"EUR"} )");
  EXPECT_EQ(written.body, first.body) << "the same request in other bytes";
  TestAnswer other = ask("POST /api/v1/accounts", headers, R"({"currency":"USD"})");
  EXPECT_EQ(other.status, 422);
  EXPECT_EQ(member(other.body, "code"), "idempotency_key_reused");
}

TEST_P(GatewayTest, AnswersErrorsOfHandlersWithTheirExtensions) {
  TestAnswer answer = ask("POST /api/v1/accounts", kAnna, R"({"currency":"EUR","name":"broke"})");
  EXPECT_EQ(member(answer.body, "paymentId"), "p-1");
  EXPECT_EQ(member(answer.body, "title"), "Payment Required");
  EXPECT_THAT(answer.body, HasSubstr("\"status\":402"));
  EXPECT_EQ(ask("POST /api/v1/accounts", kAnna, R"({"currency":"EUR","name":"boom"})").status, 500);
}

TEST_P(GatewayTest, PagesFiltersFieldsAndCompresses) {
  for (int i = 0; i < 12; ++i) anna_account();
  TestAnswer page = ask("GET /api/v1/accounts?pageSize=5&fields=id,name", kAnna);
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.body, Not(HasSubstr("currency")));
  EXPECT_THAT(page.body, HasSubstr("\"name\":\"Savings\""));
  std::string token = member(page.body, "nextPageToken");
  EXPECT_FALSE(token.empty());
  TestAnswer next = ask("GET /api/v1/accounts?pageSize=5&fields=id,name&pageToken=" + token, kAnna);
  EXPECT_EQ(next.status, 200);
  EXPECT_EQ(ask("GET /api/v1/accounts?pageSize=5&fields=id,name&offset=5", kAnna).body, next.body);
  TestAnswer zipped = ask("GET /api/v1/accounts", fmt::format("{}Accept-Encoding: gzip, br\r\n", kAnna));
  EXPECT_EQ(zipped.header("Content-Encoding"), "gzip");
  EXPECT_THAT(zipped.body, StartsWith("\x1f\x8b"));
  EXPECT_EQ(ask("GET /api/v1/accounts", fmt::format("{}Accept-Encoding: gzip;q=0\r\n", kAnna))
                .header("Content-Encoding"),
            "");
}

TEST_P(GatewayTest, ServesDocuments) {
  TestAnswer document = ask("GET /openapi.json");
  EXPECT_EQ(document.status, 200);
  EXPECT_THAT(document.body, StartsWith("{\"openapi\":\"3.1"));
  std::string etag = document.header("ETag");
  EXPECT_EQ(ask("GET /openapi.json", "If-None-Match: " + etag + "\r\n").status, 304);
  EXPECT_EQ(ask("GET /openapi.json", "Accept-Encoding: gzip\r\n").header("Content-Encoding"), "gzip");
  TestAnswer docs = ask("GET /docs");
  EXPECT_THAT(docs.header("Content-Type"), StartsWith("text/html"));
  EXPECT_THAT(docs.body, EndsWith("</html>\n"));
  EXPECT_THAT(docs.body, Not(HasSubstr("https://")));  // works offline
  EXPECT_EQ(ask("GET /.well-known/jwks.json").body, R"({"keys":[]})");
  EXPECT_EQ(ask("GET /").header("Location"), "/docs");
}

TEST_P(GatewayTest, TellsItsHealthAndMetrics) {
  ask("GET /api/v1/accounts", kAnna);
  TestClient operations(gateway.gateway.ops_address());
  auto get = [&](std::string_view path) {
    return operations.send(http_request(fmt::format("GET {}", path))).read();
  };
  EXPECT_EQ(get("/health/live").status, 200);
  EXPECT_EQ(get("/health/startup").status, 200);
  EXPECT_EQ(get("/health/ready").status, 200);
  EXPECT_THAT(get("/metrics").body,
              HasSubstr("http_server_requests_total{route=\"GET /api/v1/accounts\",status=\"200\"}"));
  EXPECT_EQ(get("/else").status, 404);
  gateway.gateway.refuse_new();
  EXPECT_EQ(get("/health/ready").status, 503);
}

// The user service was away when the gateway was started again: 359 good tokens were answered 401, and then
// 429.
TEST(GatewayKeys, WhatNobodyCanCheckIsNoWrongToken) {
  GatewaySettings settings;
  settings.rate_limits.on = true;
  settings.rate_limits.global.set({.interval_ns = 1'000, .burst = 1'000});
  settings.rate_limits.standard.set({.interval_ns = 60'000'000'000, .burst = 3});
  settings.rate_limits.read.set({.interval_ns = 60'000'000'000, .burst = 3});
  TestGateway gateway(settings);
  TestClient client(gateway.address()), operations(gateway.gateway.ops_address());
  const auto ready = [&] { return operations.send(http_request("GET /health/ready")).read(); };
  gateway.authenticator.set_unready(Error{
      .code = Code::kUnavailable, .reason = "keys_unknown", .detail = "not \"now\"", .retry_after_s = 2});
  EXPECT_EQ(ready().status, 503);
  EXPECT_EQ(ready().body, R"({"status":"DOWN","reason":"keys_unknown","detail":"not \"now\""})");
  for (int i = 0; i < 10; ++i) {
    const auto answer = client.send(http_request("GET /api/v1/accounts", kAnna)).read();
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.header("Retry-After"), "2");
    EXPECT_EQ(member(answer.body, "code"), "keys_unknown");
  }
  EXPECT_EQ(client.send(http_request("GET /.well-known/jwks.json")).read().status, 503);
  gateway.authenticator.set_unready(std::nullopt);
  EXPECT_EQ(ready().status, 200);
  EXPECT_EQ(client.send(http_request("GET /api/v1/accounts", kAnna)).read().status, 200);
  EXPECT_EQ(client.send(http_request("GET /.well-known/jwks.json")).read().status, 200);
}

TEST(GatewayCors, AllowsOnlyNamedOrigins) {
  TestGateway gateway({.cors_origins = {"https://shop.example"}});
  TestClient client(gateway.address());
  constexpr std::string_view kPreflight = "Origin: {}\r\nAccess-Control-Request-Method: POST\r\n";
  auto preflight =
      client.send(http_request("OPTIONS /api/v1/accounts", fmt::format(kPreflight, "https://shop.example")))
          .read();
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.header("Access-Control-Allow-Origin"), "https://shop.example");
  EXPECT_THAT(preflight.header("Access-Control-Allow-Methods"), HasSubstr("POST"));
  auto other =
      client.send(http_request("OPTIONS /api/v1/accounts", fmt::format(kPreflight, "https://evil.example")))
          .read();
  EXPECT_EQ(other.header("Access-Control-Allow-Origin"), "");
  EXPECT_EQ(other.header("Access-Control-Allow-Methods"), "");
  auto refused = client.send(http_request("GET /api/v1/accounts", "Origin: https://shop.example\r\n")).read();
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.header("Access-Control-Allow-Origin"), "https://shop.example");
}

// What a refusal costs is taken when it was one: looking whether there is room takes nothing.
TEST(GatewayRates, LookingTakesNothing) {
  RateLimits limits({.on = true, .lookup = *parse_rate("1/m burst 2")});
  const Time now = kHour;
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(limits.look(LOOKUP, "anna", now).allowed);
  EXPECT_TRUE(limits.take(LOOKUP, "anna", now).allowed);
  EXPECT_TRUE(limits.take(LOOKUP, "anna", now).allowed);
  EXPECT_FALSE(limits.look(LOOKUP, "anna", now).allowed);
  EXPECT_GT(limits.look(LOOKUP, "anna", now).retry_after_s, 0);
  EXPECT_TRUE(limits.look(LOOKUP, "bert", now).allowed);
  EXPECT_TRUE(limits.look(LOOKUP, "anna", now + 2 * kMinute).allowed);
}

TEST(GatewayRates, LimitsAndSaysSo) {
  GatewaySettings settings;
  settings.rate_limits = {.on = true,
                          .standard = *parse_rate("1/m burst 3"),
                          .auth = *parse_rate("1/m"),
                          .payment = *parse_rate("1/m"),
                          .read = *parse_rate("1/m burst 2"),
                          .global = *parse_rate("100/s")};
  TestGateway gateway(std::move(settings));
  TestClient client(gateway.address());
  auto list = [&](std::string_view headers) {
    return client.send(http_request("GET /api/v1/accounts", headers)).read();
  };
  TestAnswer first = list(kAnna);
  EXPECT_EQ(first.header("RateLimit-Limit"), "2");
  EXPECT_EQ(first.header("RateLimit-Remaining"), "1");
  EXPECT_EQ(list(kAnna).status, 200);
  TestAnswer third = list(kAnna);
  EXPECT_EQ(third.status, 429);
  EXPECT_EQ(member(third.body, "code"), "rate_limited");
  EXPECT_EQ(third.header("Retry-After"), "60");
  EXPECT_EQ(list(kBert).status, 200);  // another user's bucket
  EXPECT_EQ(client.send(http_request("POST /api/v1/accounts", kAnna, kAccount)).read().status,
            201);                                                   // another class
  EXPECT_EQ(list("Authorization: Bearer forged\r\n").status, 401);  // guessing is limited, too
  EXPECT_EQ(list("Authorization: Bearer forged\r\n").status, 401);
  EXPECT_EQ(list("Authorization: Bearer forged\r\n").status, 429);
}

}  // namespace
}  // namespace micropay::gateway
