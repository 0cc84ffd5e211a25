// The OpenAPI document is read back as JSON and asked what a client would ask of it.
#include <gtest/gtest.h>
#include <re2/re2.h>
#include <simdjson.h>

#include <set>

#include "libs/base/money.h"
#include "libs/contract/contract_twin.h"
#include "libs/contract/documents.h"

namespace micropay::contract {
namespace {

using simdjson::dom::element;

const Model& shop() {
  static const Model& model = scratch_model(R"(
    message Part { string sku = 1 [(field) = {required: true, min_length: 2}];
      string made_by = 2 [(field) = {read_only: true}]; }
    message Wallet { option (table) = {name: "wallet", key: ["id"], owner: "user_id"};
      string id = 1 [(field) = {format: UUID}]; string user_id = 2; Money amount = 3;
      string failure_reason = 4; string failure_detail = 9;
      string hash = 5 [(field) = {secret: true}]; repeated Part parts = 6;
      enum State { OPEN = 0; SHUT = 1; } State state = 7; Mood mood = 8; }
    enum Mood { MOOD_UNSPECIFIED = 0; GOOD = 1; }
    message Done { option (event) = {type: "test.done", key: "id"}; string id = 1; }
    message CreateRequest { string wallet_id = 1 [(field) = {required: true, format: UUID}];
      Money amount = 2 [(field) = {required: true, positive: true}];
      int32 count = 3 [(field) = {min: 1, max: 9}];
      repeated Part parts = 4 [(field) = {max_length: 5}];
      string server = 5 [(field) = {read_only: true}]; int64 wide = 6; }
    message ListRequest { string status = 1 [(field) = {max_length: 20}];
      int64 from = 2 [(field) = {format: TIME}];
      string page_token = 3; }
    message ListResponse { repeated Wallet wallets = 1; string next_page_token = 2; }
    message LoginRequest { string email = 1 [(field) = {required: true, format: EMAIL,
      example: "a@b.example"}]; }
    message GetRequest { string id = 1 [(field) = {required: true}]; }
    message Sheet { bytes content = 1; string content_type = 2; }
    message FreezeRequest { string id = 1 [(field) = {required: true}]; Mood mood = 2; }
    message TouchRequest { string id = 1 [(field) = {required: true}]; }
    message InternalRequest {}
    service S {
      rpc Create(CreateRequest) returns (Wallet) { option (method) = {post: "/w/{wallet_id}/x", success: 201,
        access: {owner: {record: "Wallet", by: "wallet_id"}, roles: [ADMIN], scope: "w:write"}, rate: PAYMENT,
        awaits: ["test.done"], failure_field: "failure_reason", summary: "Makes \"one\"."}; }
      rpc List(ListRequest) returns (ListResponse) { option (method) = {get: "/w",
        access: {signed_in: true}, rate: READ}; }
      rpc Login(LoginRequest) returns (Wallet) { option (method) = {post: "/login",
        access: {public: true}, rate: AUTH,
        idempotency: NATURAL}; }
      rpc Get(GetRequest) returns (Sheet) { option (method) = {get: "/w/{id}/sheet",
        access: {public: true}, media_field: "content"}; }
      rpc Freeze(FreezeRequest) returns (Wallet) { option (method) = {put: "/w/{id}/freeze",
        access: {roles: [ADMIN]}}; }
      rpc Touch(TouchRequest) returns (Wallet) { option (method) = {put: "/w/{id}/touch",
        access: {roles: [ADMIN]}}; }
      rpc Hidden(InternalRequest) returns (Wallet) {}
    })");
  return model;
}

class OpenApi : public testing::Test {
 protected:
  OpenApi() {
    EXPECT_TRUE(shop().problems().empty()) << shop().problems()[0];
    root = parser.parse(openapi(shop(), "1.2.3"));
  }
  element at(std::string_view pointer) { return root.at_pointer(pointer).value(); }
  bool has(std::string_view pointer) { return root.at_pointer(pointer).error() == simdjson::SUCCESS; }
  std::string text(std::string_view pointer) { return std::string(std::string_view(at(pointer))); }
  std::string raw(std::string_view pointer) { return simdjson::minify(at(pointer)); }
  std::set<std::string> parameters(std::string_view operation) {
    std::set<std::string> names;
    for (const element parameter : simdjson::dom::array(at(std::string(operation) + "/parameters")))
      names.insert(std::string(std::string_view(parameter["in"])) + " " +
                   std::string(std::string_view(parameter["name"])));
    return names;
  }
  std::string keys(std::string_view pointer) {  // sorted, with blanks between
    std::set<std::string> names;
    for (const auto [key, value] : simdjson::dom::object(at(pointer))) names.emplace(key);
    return fmt::format("{}", fmt::join(names, " "));
  }

  simdjson::dom::parser parser;
  element root;
};

constexpr std::string_view kCreate = "/paths/~1w~1{walletId}~1x/post";

TEST_F(OpenApi, DescribesRoutes) {
  EXPECT_EQ(text("/openapi"), "3.1.0");
  EXPECT_EQ(text("/info/version"), "1.2.3");
  EXPECT_EQ(keys("/paths"), "/login /w /w/{id}/freeze /w/{id}/sheet /w/{id}/touch /w/{walletId}/x");
  EXPECT_EQ(text("/paths/~1w~1{walletId}~1x/post/operationId"), "create");
  EXPECT_EQ(text("/paths/~1w~1{walletId}~1x/post/summary"), "Makes \"one\".");
  EXPECT_EQ(text("/paths/~1w~1{walletId}~1x/post/x-rate-class"), "PAYMENT");
  EXPECT_EQ(raw("/paths/~1w~1{walletId}~1x/post/x-access"),
            R"({"roles":["ADMIN"],"owner":{"record":"Wallet","by":"wallet_id"},"scope":"w:write"})");
  EXPECT_EQ(raw("/paths/~1w~1{walletId}~1x/post/security"), R"([{"bearer":[]},{"apiKey":[]}])");
  EXPECT_EQ(raw("/paths/~1w/get/security"), R"([{"bearer":[]}])");
  EXPECT_EQ(raw("/paths/~1login/post/security"), "[]");
}

TEST_F(OpenApi, DescribesParameters) {
  EXPECT_EQ(parameters(kCreate), (std::set<std::string>{"path walletId", "header Idempotency-Key",
                                                        "header Prefer", "header If-Match"}));
  EXPECT_EQ(parameters("/paths/~1w/get"),
            (std::set<std::string>{"query status", "query from", "query pageToken", "query offset",
                                   "query fields", "header If-None-Match"}));
  EXPECT_EQ(parameters("/paths/~1login/post"), std::set<std::string>{});
  EXPECT_EQ(parameters("/paths/~1w~1{id}~1freeze/put"),
            (std::set<std::string>{"path id", "header If-Match"}));
}

TEST_F(OpenApi, DescribesAnswers) {
  EXPECT_FALSE(has("/paths/~1w~1{id}~1touch/put/requestBody")) << "nothing is left for a body";
  EXPECT_EQ(keys(std::string(kCreate) + "/responses"),
            "201 202 400 401 402 403 404 408 409 412 413 414 415 422 429 431 500 503 504");
  EXPECT_EQ(keys("/paths/~1w/get/responses"), "200 304 400 401 403 404 408 414 429 431 500 503 504");
  EXPECT_EQ(keys("/paths/~1w~1{id}~1sheet/get/responses").find("401"), std::string::npos) << "public";
  EXPECT_NE(keys("/paths/~1login/post/responses").find("401"), std::string::npos) << "wrong password";
  EXPECT_EQ(keys("/paths/~1w~1{id}~1sheet/get/responses/200/content"), "*/*");
  EXPECT_TRUE(has("/components/responses/NotFound/content/application~1problem+json/schema"));
  EXPECT_TRUE(has("/components/responses/TooManyRequests/headers/Retry-After"));
  EXPECT_TRUE(has(std::string(kCreate) + "/responses/201/headers/Idempotent-Replayed"));
}

TEST_F(OpenApi, DescribesRequestsExactly) {
  EXPECT_EQ(
      raw("/components/schemas/CreateRequest"),
      R"({"type":"object","additionalProperties":false,"required":["amount"],"properties":{)"
      R"("amount":{"$ref":"#/components/schemas/PositiveMoneyInput"},)"
      R"("count":{"type":"integer","format":"int32","minimum":1,"maximum":9},)"
      R"("parts":{"type":"array","maxItems":5,"items":{"$ref":"#/components/schemas/PartInput"}},)"
      R"("wide":{"type":["integer","string"],"format":"int64","pattern":"^(0|-?[1-9][0-9]{0,17})$"}}})");
  EXPECT_EQ(keys("/components/schemas/PartInput/properties"), "sku") << "not what the server sets";
  EXPECT_EQ(keys("/components/schemas/Part/properties"), "madeBy sku");
  EXPECT_FALSE(has("/components/schemas/Wallet/properties/hash")) << "secret";
  EXPECT_FALSE(has("/components/schemas/Wallet/additionalProperties"));
  EXPECT_EQ(raw("/components/schemas/LoginRequest/properties/email/examples"), R"(["a@b.example"])");
}

// What an answer always has is required, or every member is optional to a TypeScript client; what it may say
// tomorrow is not refused by a client of today.
TEST_F(OpenApi, AnswersSayWhatIsAlwaysThereAndStayOpen) {
  EXPECT_EQ(raw("/components/schemas/Wallet/required"),
            R"(["userId","failureReason","failureDetail","parts","state"])");
  EXPECT_EQ(raw("/components/schemas/ListResponse/required"), R"(["wallets","nextPageToken"])");
  EXPECT_EQ(raw("/components/schemas/Wallet/properties/state"),
            R"({"type":"string","x-extensible-enum":["OPEN","SHUT"]})");
  EXPECT_EQ(raw("/components/schemas/Wallet/properties/mood"),
            R"({"type":"string","x-extensible-enum":["GOOD"]})");
  EXPECT_EQ(raw("/components/schemas/FreezeRequest/properties/mood"), R"({"type":"string","enum":["GOOD"]})");
  EXPECT_EQ(raw("/components/schemas/Money/properties/currency"),
            R"({"type":"string","pattern":"^[A-Z]{3}$"})");
  EXPECT_EQ(text("/components/schemas/Money/title"), "Money");
  EXPECT_EQ(text("/components/schemas/PositiveMoneyInput/title"), "PositiveMoneyInput");
  EXPECT_EQ(text("/components/schemas/PositiveMoneyInput/oneOf/1/title"), "PositiveMoneyInput2Decimals");
}

// Every $ref leads somewhere, and no schema is there for nothing.
TEST(OpenApiOfThisProcess, HasNoDeadReference) {
  simdjson::dom::parser parser;
  const std::string document = openapi(model(), "1");
  EXPECT_EQ(document, openapi(model(), "1"));
  const element root = parser.parse(document);
  std::set<std::string> referenced;
  const auto walk = [&](auto& self, const element& value) -> void {
    if (value.is_array())
      for (const element item : simdjson::dom::array(value)) self(self, item);
    if (!value.is_object()) return;
    for (const auto [key, member] : simdjson::dom::object(value)) {
      if (key == "$ref" && member.is_string()) {
        const auto target = std::string_view(member).substr(1);
        referenced.emplace(target);
        EXPECT_EQ(root.at_pointer(target).error(), simdjson::SUCCESS) << target;
      }
      self(self, member);
    }
  };
  walk(walk, root);
  EXPECT_TRUE(referenced.contains("/components/schemas/Problem"));
  for (const auto [path, item] : simdjson::dom::object(root["paths"]))
    for (const auto [verb, operation] : simdjson::dom::object(item))
      EXPECT_FALSE(std::string_view(operation["summary"]).empty()) << verb << " " << path;
}

// The patterns of amounts accept what the money library accepts, up to the digits that they name.
TEST_F(OpenApi, AmountPatternsAgreeWithTheParser) {
  for (const bool positive : {false, true}) {
    const element variants = at(positive ? "/components/schemas/PositiveMoneyInput/oneOf"
                                         : "/components/schemas/MoneyInput/oneOf");
    for (const element variant : simdjson::dom::array(variants)) {
      const std::string code(std::string_view(variant.at_pointer("/properties/currency/enum/0")));
      const re2::RE2 pattern(std::string(std::string_view(variant.at_pointer("/properties/value/pattern"))));
      ASSERT_TRUE(pattern.ok());
      for (const char* value :
           {"0",      "0.0", "0.00", "0.000",      "0.01", "0.10", "0.1", "0.001", "0.010",
            "1",      "10",  "10.5", "01",         "1.",   ".5",   "-1",  "-0.01", "1.234",
            "1.2345", "00",  "+1",   "9999999999", "",     "a",    "1,0"}) {
        const auto minor = parse_minor(value, *currency_exponent(code));
        EXPECT_EQ(re2::RE2::FullMatch(value, pattern), minor && (!positive || *minor > 0))
            << code << " " << value << positive;
      }
    }
  }
}

TEST(Catalogues, NameEventsAndRoutes) {
  const std::string events = event_catalogue(shop());
  EXPECT_NE(events.find("Topic `test-events`. A test."), std::string::npos);
  EXPECT_NE(events.find("| `test.done` | `id` |"), std::string::npos);
  const std::string routes = route_catalogue(shop());
  EXPECT_NE(
      routes.find("| POST | `/w/{walletId}/x` | owner of Wallet, ADMIN, API key `w:write` | PAYMENT | 201 |"),
      std::string::npos)
      << routes;
  EXPECT_EQ(routes.find("Hidden"), std::string::npos);
}

}  // namespace
}  // namespace micropay::contract
