// JSON both ways: forms, refusals in a table, round trips, and that no mutation of a body does harm.
#include <gtest/gtest.h>

#include <ctime>
#include <iostream>
#include <random>

#include "contracts/payment.pb.h"
#include "libs/contract/contract_twin.h"
#include "libs/contract/json.h"
#include "libs/contract/validate.h"

namespace micropay::contract {
namespace {

// A message with every kind of field.
const Model& kinds() {
  static const Model& model = scratch_model(R"(
    enum Colour { COLOUR_UNSPECIFIED = 0; RED = 1; BLUE = 2; }
    message Item { string sku = 1 [(field) = {required: true, max_length: 8, pattern: "[A-Z0-9]+"}];
      int32 count = 2 [(field) = {min: 1, max: 9}]; Item inner = 3; }
    message All {
      string text = 1; int32 small = 2; int64 large = 3; uint32 usmall = 4; uint64 ularge = 5;
      double real = 6;
      bool flag = 7; Colour colour = 8; bytes data = 9; Money amount = 10; Metadata metadata = 11;
      int64 at = 12 [(field) = {format: TIME}]; string id = 13 [(field) = {format: UUID}];
      repeated Item items = 14; repeated string words = 15 [(field) = {max_length: 3}];
      repeated int32 numbers = 16;
      string server = 17 [(field) = {read_only: true}]; string inside = 18 [(field) = {internal: true}];
      string password = 19 [(field) = {format: PASSWORD}];
      string mail = 20 [(field) = {format: EMAIL, personal: true}];
      optional string note = 21 [(field) = {min_length: 2}]; Money price = 22 [(field) = {positive: true}];
      int64 bounded = 23 [(field) = {min: 5, max: 10}]; repeated Money amounts = 24; float ratio = 25;
      string day = 26 [(field) = {format: DATE}]; string link = 27 [(field) = {format: URL}];
      string language = 28 [(field) = {format: LANGUAGE}];
      string currency = 29 [(field) = {format: CURRENCY}];
    }
    message ListAllResponse { repeated Item items = 1; string next_page_token = 2; })");
  return model;
}

std::string read(std::string_view json) {  // "reason field", or the message again
  const auto message = kinds().make("All");
  const auto result = parse_json(json, *message);
  if (!result) return result.error().reason + " " + result.error().field;
  return to_json(*message, {.hide_internal = false});
}
std::string check(std::string_view json) {
  const auto message = kinds().make("All");
  auto result = parse_json(json, *message);
  if (result) result = validate(*message);
  return result ? "ok" : result.error().reason + " " + result.error().field;
}
std::string nested(
    int depth) {  // {"items":[{"inner":{…}}]}: the object, the list, the item and depth - 3 below
  std::string open = R"({"items":[{)", close = "}]}";
  for (int i = 3; i < depth; ++i) open += R"("inner":{)", close.insert(0, "}");
  return open + R"("sku":"A")" + close;
}

TEST(JsonRead, RefusesWithReasonAndPath) {
  const std::pair<std::string, std::string> cases[] = {
      {"{", "malformed_json "},
      {"nul", "malformed_json "},
      {"{} {}", "malformed_json "},
      {"{\"text\":\"\xff\"}", "malformed_json "},
      {R"({"text":"\ud800"})", "malformed_json "},
      {"{\"text\":\"a\nb\"}", "malformed_json "},
      {R"({"small":01})", "malformed_json "},
      {R"({"text":"a",})", "malformed_json "},
      {R"({"large":1e999})", "malformed_json "},
      {nested(17), "malformed_json "},
      {std::string(100000, '['), "malformed_json "},
      {"[]", "invalid_type "},
      {"null", "invalid_type "},
      {"5", "invalid_type "},
      {R"({"texts":"a"})", "unknown_field texts"},
      {R"({"items":[{"sku":"A"},{"skuu":"B"}]})", "unknown_field items[1].skuu"},
      {R"({"page_size":1})", "unknown_field page_size"},
      {R"({"amount":{"currency":"EUR","value":"1","x":1}})", "unknown_field amount.x"},
      {R"({"server":"x"})", "read_only_field server"},
      {R"({"inside":"x"})", "read_only_field inside"},
      {R"({"text":5})", "invalid_type text"},
      {R"({"text":null})", "invalid_type text"},
      {R"({"small":"5"})", "invalid_type small"},
      {R"({"small":1.5})", "invalid_type small"},
      {R"({"large":"x"})", "invalid_type large"},
      {R"({"large":1.5})", "invalid_type large"},
      {R"({"bounded":"7"})", "invalid_type bounded"},
      {R"({"real":"1"})", "invalid_type real"},
      {R"({"flag":"true"})", "invalid_type flag"},
      {R"({"flag":1})", "invalid_type flag"},
      {R"({"items":{}})", "invalid_type items"},
      {R"({"items":[1]})", "invalid_type items[0]"},
      {R"({"words":["a",1]})", "invalid_type words[1]"},
      {R"({"metadata":[]})", "invalid_type metadata"},
      {R"({"metadata":{"k":1}})", "invalid_type metadata.k"},
      {R"({"text":"a","text":"b"})", "duplicate_field text"},
      {R"({"amount":{"currency":"EUR","currency":"EUR"}})", "duplicate_field amount.currency"},
      {R"({"metadata":{"k":"a","k":"b"}})", "duplicate_field metadata.k"},
      {R"({"items":[{"sku":"A","sku":"A"}]})", "duplicate_field items[0].sku"},
      {R"({"small":2147483648})", "out_of_range small"},
      {R"({"usmall":-1})", "out_of_range usmall"},
      {R"({"ularge":-1})", "out_of_range ularge"},
      {R"({"large":9223372036854775808})", "out_of_range large"},
      {R"({"large":"9223372036854775808"})", "out_of_range large"},
      {R"({"bounded":0})", "out_of_range bounded"},
      {R"({"ratio":1e300})", "out_of_range ratio"},
      {R"({"colour":"GREEN"})", "invalid_format colour"},
      {R"({"colour":"COLOUR_UNSPECIFIED"})", "invalid_format colour"},
      {R"({"colour":1})", "invalid_type colour"},
      {R"({"at":"yesterday"})", "invalid_format at"},
      {R"({"at":5})", "invalid_type at"},
      {R"({"at":"9999-12-31T23:59:59-23:59"})", "invalid_format at"},
      {R"({"data":"a"})", "invalid_format data"},
      {R"({"data":"a!aa"})", "invalid_format data"},
      {R"({"id":""})", "invalid_format id"},
      {R"({"amount":5})", "invalid_amount amount"},
      {R"({"amount":"5 EUR"})", "invalid_amount amount"},
      {R"({"amount":{}})", "invalid_amount amount.currency"},
      {R"({"amount":{"currency":"EUR"}})", "invalid_amount amount.value"},
      {R"({"amount":{"currency":"EUR","value":5}})", "invalid_amount amount.value"},
      {R"({"amount":{"currency":5,"value":"5"}})", "invalid_amount amount.currency"},
      {R"({"amount":{"currency":"XXX","value":"5"}})", "unknown_currency amount.currency"},
      {R"({"amount":{"currency":"eur","value":"5"}})", "unknown_currency amount.currency"},
      {R"({"amount":{"currency":"EUR","value":"1.234"}})", "invalid_amount amount.value"},
      {R"({"amount":{"currency":"JPY","value":"1.0"}})", "invalid_amount amount.value"},
      {R"({"amount":{"currency":"EUR","value":"1e3"}})", "invalid_amount amount.value"},
      {R"({"amount":{"currency":"EUR","value":"92233720368547758.08"}})", "invalid_amount amount.value"},
      {R"({"amounts":[{"currency":"EUR","value":"1"},{"currency":"EUR","value":""}]})",
       "invalid_amount amounts[1].value"},
  };
  for (const auto& [json, answer] : cases) EXPECT_EQ(read(json), answer) << json.substr(0, 200);
}

TEST(JsonRead, HelpsWithTheDetail) {
  const auto message = kinds().make("All");
  EXPECT_EQ(parse_json(R"({"amont":1})", *message).error().detail,
            "amont is not known, did you mean \"amount\"?");
  EXPECT_EQ(parse_json(R"({"colour":"GREEN"})", *message).error().detail, "colour must be one of RED, BLUE");
  EXPECT_EQ(parse_json(R"({"items":[{"count":"a"}]})", *message).error().detail,
            "items[0].count must be an integer, not a string");
}

TEST(JsonRead, TakesEveryForm) {
  const auto fields = [](std::string_view json, std::string_view expected) {
    const std::string again = read(json);
    EXPECT_NE(again.find(expected), std::string::npos) << json << " gave " << again;
  };
  fields("", R"("text":"")");
  fields(" \n", R"("small":0)");
  fields(R"({"text":"a\"\\\u0041\n\u00e9\ud83d\ude00"})", "\"text\":\"a\\\"\\\\A\\né😀\"");
  fields(R"({"large":9007199254740992})", R"("large":9007199254740992)");
  fields(R"({"large":"9007199254740993"})", R"("large":"9007199254740993")");
  fields(R"({"large":-9007199254740993})", R"("large":"-9007199254740993")");
  fields(R"({"ularge":18446744073709551615})", R"("ularge":"18446744073709551615")");
  fields(R"({"small":1e2})", R"("small":100)");
  fields(R"({"real":0.1})", R"("real":0.1)");
  fields(R"({"real":5})", R"("real":5)");
  fields(R"({"flag":true})", R"("flag":true)");
  fields(R"({"colour":"BLUE"})", R"("colour":"BLUE")");
  fields(R"({"data":"_-8"})", R"("data":"_-8")");
  fields(R"({"data":"/+8="})", R"("data":"_-8")");
  fields(R"({"amount":{"value":"-12.3","currency":"EUR"}})",
         R"("amount":{"currency":"EUR","value":"-12.30"})");
  fields(R"({"amount":{"currency":"JPY","value":"500"}})", R"("amount":{"currency":"JPY","value":"500"})");
  fields(R"({"amount":{"currency":"KWD","value":"0.001"}})",
         R"("amount":{"currency":"KWD","value":"0.001"})");
  fields(R"({"metadata":{"b":"2","a":"1"}})", R"("metadata":{"a":"1","b":"2"})");
  fields(R"({"at":"2026-11-21T02:39:47.5+01:00"})", R"("at":"2026-11-21T01:39:47.500Z")");
  fields(R"({"words":["a",""],"numbers":[1,2]})", R"("words":["a",""],"numbers":[1,2])");
  fields(R"({"items":[{"sku":"A"}]})", R"("items":[{"sku":"A"}])");
  fields(nested(16), R"("inner")");
  fields(R"({"text":")" + std::string(300'000, 'x') + "\"}", "xxxx");  // then a small one again
  fields(R"({"text":"y"})", R"("text":"y")");
}

TEST(JsonWrite, LeavesOutWhatIsUnset) {
  EXPECT_EQ(
      to_json(*kinds().make("All")),
      R"({"text":"","small":0,"large":0,"usmall":0,"ularge":0,"real":0,"flag":false,"data":"","items":[],)"
      R"("words":[],"numbers":[],"server":"","amounts":[],"ratio":0})");
}

TEST(JsonWrite, HidesAndMasks) {
  const auto message = kinds().make("All");
  const auto* text = message->GetDescriptor()->FindFieldByName("inside");
  message->GetReflection()->SetString(message.get(), text, "column");
  ASSERT_TRUE(parse_json(R"({"password":"hunter2","mail":"a@b.example"})", *message));
  const std::string answer = to_json(*message);
  EXPECT_EQ(answer.find("hunter2"), std::string::npos);
  EXPECT_EQ(answer.find("column"), std::string::npos);
  EXPECT_NE(answer.find(R"("mail":"a@b.example")"), std::string::npos);
  const std::string log = to_json(*message, {.hide_internal = false, .mask_personal = true});
  EXPECT_NE(log.find(R"("password":"***","mail":"***")"), std::string::npos) << log;
  EXPECT_NE(log.find("column"), std::string::npos);
}

TEST(JsonWrite, SparseFieldsOfARecordAndOfAList) {
  const auto item = kinds().make("Item");
  ASSERT_TRUE(parse_json(R"({"sku":"A","count":2})", *item));
  EXPECT_EQ(to_json(*item, {.fields = {"count", "nothing"}}), R"({"count":2})");
  const auto list = kinds().make("ListAllResponse");
  ASSERT_TRUE(
      parse_json(R"({"items":[{"sku":"A","count":2,"inner":{"sku":"B"}}],"nextPageToken":"t"})", *list));
  EXPECT_EQ(to_json(*list, {.fields = {"sku", "inner"}}),
            R"({"items":[{"sku":"A","inner":{"sku":"B"}}],"nextPageToken":"t"})");
}

TEST(JsonWrite, EscapesStrings) {
  std::string out;
  append_json_string(out, std::string_view("a\"\\\b\f\n\r\t\x01\0\x7f/é", 14));
  EXPECT_EQ(out, "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u0000\x7f/é\"");
}

TEST(SetFromText, FollowsTheSameRules) {
  const auto set = [](std::string_view name, std::string_view text) {
    const auto message = kinds().make("All");
    const auto result = set_from_text(*message, name, text);
    return result ? std::string("ok") : result.error().reason + " " + result.error().field;
  };
  EXPECT_EQ(set("text", "a b"), "ok");
  EXPECT_EQ(set("small", "-5"), "ok");
  EXPECT_EQ(set("real", "1.5"), "ok");
  EXPECT_EQ(set("flag", "true"), "ok");
  EXPECT_EQ(set("at", "2026-11-21"), "ok");
  EXPECT_EQ(set("words", "a"), "ok");
  EXPECT_EQ(set("small", ""), "invalid_type small");
  EXPECT_EQ(set("small", " 5"), "invalid_type small");
  EXPECT_EQ(set("small", "99999999999999999999"), "out_of_range small");
  EXPECT_EQ(set("real", "nan"), "invalid_type real");
  EXPECT_EQ(set("flag", "yes"), "invalid_type flag");
  EXPECT_EQ(set("text", "\xff"), "invalid_format text");
  EXPECT_EQ(set("colour", "red"), "invalid_format colour");
  EXPECT_EQ(set("amount", "5"), "invalid_type amount");
  EXPECT_EQ(set("pageSize", "5"), "unknown_field pageSize");
  EXPECT_EQ(set("server", "5"), "read_only_field server");
  const auto message = kinds().make("All");
  EXPECT_TRUE(set_from_text(*message, "words", "a"));
  EXPECT_TRUE(set_from_text(*message, "words", "b"));
  EXPECT_TRUE(set_from_text(*message, "text", "a"));
  EXPECT_EQ(set_from_text(*message, "text", "b").error().reason, "duplicate_field");
}

TEST(Validate, RefusesTheFirstBrokenBound) {
  const std::string words = R"({"words":[)" + std::string("\"a\",\"b\",\"c\",\"d\"") + "]}";
  std::string crowd = R"({"metadata":{)";
  for (int i = 0; i < 51; ++i) crowd += fmt::format("{}\"k{}\":\"\"", i == 0 ? "" : ",", i);
  crowd += "}}";
  const std::pair<std::string, std::string> cases[] = {
      {"{}", "ok"},
      {R"({"items":[{"sku":"A","count":9}]})", "ok"},
      {R"({"items":[{"sku":"A"},{}]})", "required items[1].sku"},
      {R"({"items":[{"sku":""}]})", "required items[0].sku"},
      {R"({"items":[{"sku":"ABCDEFGHI"}]})", "too_long items[0].sku"},
      {R"({"items":[{"sku":"ab"}]})", "pattern_mismatch items[0].sku"},
      {R"({"items":[{"sku":"A","count":10}]})", "out_of_range items[0].count"},
      {R"({"items":[{"sku":"A","count":-1}]})", "out_of_range items[0].count"},
      {R"({"items":[{"sku":"A","inner":{"sku":"é"}}]})", "pattern_mismatch items[0].inner.sku"},
      {words, "too_long words"},
      {R"({"text":")" + std::string(1024, 'x') + "\"}", "ok"},
      {R"({"text":")" + std::string(1025, 'x') + "\"}", "too_long text"},
      {R"({"text":"a\u0000b"})", "invalid_format text"},
      {R"({"note":"a"})", "too_short note"},
      {R"({"note":""})", "too_short note"},
      {R"({"note":"éé"})", "ok"},
      {R"({"id":"0190c5b2-7e0c-7000-8000-00000000000"})", "invalid_format id"},
      {R"({"mail":"a"})", "invalid_format mail"},
      {R"({"mail":"a@b"})", "invalid_format mail"},
      {R"({"mail":"a..b@c.example"})", "invalid_format mail"},
      {R"({"mail":"é@c.example"})", "invalid_format mail"},
      {R"({"mail":"Ada.Love+x@C.example"})", "ok"},
      {R"({"day":"2026-02-29"})", "invalid_format day"},
      {R"({"day":"2024-02-29"})", "ok"},
      {R"({"link":"ftp://a.example"})", "invalid_format link"},
      {R"({"link":"https:// a"})", "invalid_format link"},
      {R"({"link":"https://"})", "invalid_format link"},
      {R"({"link":"https://a.example/b?c#d"})", "ok"},
      {R"({"language":"de-AT"})", "ok"},
      {R"({"language":"d"})", "invalid_format language"},
      {R"({"currency":"EUR"})", "ok"},
      {R"({"currency":"EUX"})", "unknown_currency currency"},
      {R"({"price":{"currency":"EUR","value":"0.00"}})", "not_positive price.value"},
      {R"({"price":{"currency":"EUR","value":"-1"}})", "not_positive price.value"},
      {R"({"price":{"currency":"EUR","value":"90000000000.01"}})", "out_of_range price.value"},
      {R"({"amount":{"currency":"EUR","value":"-90000000000.01"}})", "out_of_range amount.value"},
      {R"({"amount":{"currency":"EUR","value":"90000000000"}})", "ok"},
      {R"({"bounded":4})", "out_of_range bounded"},
      {R"({"bounded":5})", "ok"},
      {R"({"bounded":11})", "out_of_range bounded"},
      {crowd, "too_long metadata"},
      {R"({"metadata":{"":"a"}})", "too_short metadata"},
      {R"({"metadata":{"k":")" + std::string(1025, 'x') + "\"}}", "too_long metadata.k"},
  };
  for (const auto& [json, answer] : cases) EXPECT_EQ(check(json), answer) << json.substr(0, 200);
}

TEST(Validate, Normalises) {
  const auto message = kinds().make("All");
  ASSERT_TRUE(
      parse_json(R"({"mail":"Ada@Example.ORG","id":"0190C5B2-7E0C-7000-8000-000000000001"})", *message));
  ASSERT_TRUE(validate(*message));
  const std::string json = to_json(*message);
  EXPECT_NE(json.find("ada@example.org"), std::string::npos);
  EXPECT_NE(json.find("0190c5b2-7e0c"), std::string::npos);
}

TEST(Json, MoneyOfGeneratedMessages) {
  CreatePaymentRequest request;
  ASSERT_TRUE(
      parse_json(R"({"payerAccountId":"0190c5b2-7e0c-7000-8000-000000000001","amount":{"currency":"EUR",
    "value":"12.34"},"metadata":{"order":"7"}})",
                 request));
  EXPECT_EQ(request.amount().minor(), 1234);
  EXPECT_EQ(request.metadata().values().at("order"), "7");
  EXPECT_TRUE(validate(request));
  request.mutable_amount()->set_minor(0);
  EXPECT_EQ(validate(request).error().reason, "not_positive");
}

const char kSeed[] =
    R"({"text":"a\u00e9b","small":-12,"large":"9007199254740993","real":1.5e3,"flag":true,"colour":"RED",
 "data":"AAEC","amount":{"currency":"EUR","value":"12.34"},"metadata":{"k":"v","l":"w"},
   "at":"2026-11-21T01:39:47Z",
 "id":"0190c5b2-7e0c-7000-8000-000000000001","items":[{"sku":"A","count":2,"inner":{"sku":"B"}},{"sku":"C"}],
 "words":["x","y"],"numbers":[1,2,3],"mail":"a@b.example","note":"hello","price":{"currency":"JPY",
   "value":"5"}})";

// Whatever arrives: an answer, no crash; and what is accepted reads the same again.
TEST(Json, SurvivesMutations) {
  ASSERT_EQ(check(kSeed), "ok");
  std::mt19937 random(20261121);
  const std::string_view pieces[] = {"{",
                                     "}",
                                     "[",
                                     "]",
                                     ",",
                                     ":",
                                     "\"",
                                     "\\",
                                     "null",
                                     "-",
                                     "1e9",
                                     "\xc3",
                                     "\\ud83d",
                                     "0",
                                     "\"text\"",
                                     "99999999999999999999",
                                     "{\"inner\":",
                                     " ",
                                     std::string_view("\0", 1)};
  int accepted = 0;
  for (int round = 0; round < 40'000; ++round) {
    std::string body = kSeed;
    for (unsigned change = 0; change <= random() % 3; ++change) {
      const size_t at = random() % body.size();
      switch (random() % 4) {
        case 0: body[at] = char(random()); break;
        case 1: body.insert(at, pieces[random() % std::size(pieces)]); break;
        case 2: body.erase(at, random() % 9); break;
        case 3: body.replace(at, 1, body.substr(random() % body.size(), random() % 30)); break;
      }
      if (body.empty()) body = "{";
    }
    const auto message = kinds().make("All");
    const auto result = parse_json(body, *message);
    if (!result) {
      ASSERT_EQ(result.error().code, Code::kInvalidArgument) << body;
      ASSERT_FALSE(result.error().reason.empty()) << body;
      continue;
    }
    ++accepted;
    (void)validate(*message);
    std::vector<std::string_view> names;
    for (int i = 0; i < message->GetDescriptor()->field_count(); ++i)
      if (const auto* field = message->GetDescriptor()->field(i); field->name() != "server")  // read-only
        names.push_back(field->json_name());
    const std::string json = to_json(*message, {.fields = names});
    const auto again = kinds().make("All");
    ASSERT_TRUE(parse_json(json, *again)) << json;
    ASSERT_EQ(to_json(*again, {.fields = names}), json);
  }
  EXPECT_GT(accepted, 500);
}

Payment sample_payment() {
  Payment payment;
  payment.set_id("0190c5b2-7e0c-7000-8000-000000000001");
  for (auto* id :
       {payment.mutable_payer_account_id(), payment.mutable_payee_account_id(),
        payment.mutable_payer_user_id(), payment.mutable_payee_user_id(), payment.mutable_transaction_id()})
    *id = "0190c5b2-7e0c-7000-8000-000000000002";
  payment.mutable_amount()->set_currency("EUR");
  payment.mutable_amount()->set_minor(1234);
  payment.set_description("Lunch with Ada");
  (*payment.mutable_metadata()->mutable_values())["order"] = "A-1";
  payment.set_status(Payment::COMPLETED);
  payment.set_created_at(1'700'000'000'123'456);
  payment.set_updated_at(1'700'000'000'200'000);
  return payment;
}

TEST(Json, APaymentReadsBackAsItWas) {
  const std::string json = to_json(sample_payment());
  for (const char* part : {R"({"id":"0190c5b2-7e0c-7000-8000-000000000001","payerAccountId":")",
                           R"("amount":{"currency":"EUR","value":"12.34"})", R"("metadata":{"order":"A-1"})",
                           R"("status":"COMPLETED")", R"("failureReason":"")",
                           R"("createdAt":"2023-11-14T22:13:20.123456Z")", R"("2023-11-14T22:13:20.200Z")"})
    EXPECT_NE(json.find(part), std::string::npos) << part << " in " << json;
  Payment back;
  ASSERT_TRUE(parse_json(json, back));
  EXPECT_EQ(back.SerializeAsString(), sample_payment().SerializeAsString());
}

TEST(Json, Bench) {
  if (std::getenv("MICROPAY_BENCH") == nullptr) GTEST_SKIP() << "set MICROPAY_BENCH to measure";
  const auto measure = [](const char* name, auto body) {
    constexpr int kRounds = 200'000;
    const auto cpu_ns = [] {  // of this thread: other work on the machine does not count
      timespec time{};
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
      return int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
    };
    const int64_t start = cpu_ns();
    for (int i = 0; i < kRounds; ++i) body();
    std::cout << name << ": " << (cpu_ns() - start) / kRounds << " ns\n";
  };
  const Payment payment = sample_payment();
  std::string out;
  measure("write a payment", [&] { out.clear(), append_json(out, payment); });
  const std::string body = out;
  Payment target;
  ASSERT_TRUE(parse_json(body, target));
  measure("read a payment", [&] { target.Clear(), (void)parse_json(body, target); });
  const std::string create =
      R"({"payerAccountId":"0190c5b2-7e0c-7000-8000-000000000001","payeeAccountId":)"
      R"("0190c5b2-7e0c-7000-8000-000000000002","amount":{"currency":"EUR","value":"12.34"},)"
      R"("description":"Lunch"})";
  CreatePaymentRequest request;
  measure("read a request", [&] { request.Clear(), (void)parse_json(create, request); });
  measure("validate a request", [&] { (void)validate(request); });
}

}  // namespace
}  // namespace micropay::contract
