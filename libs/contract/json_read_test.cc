// Reading JSON: every form that is taken, and refusals with reason and path in a table.
#include <gtest/gtest.h>

#include "libs/contract/json.h"
#include "libs/contract/kinds_twin.h"
#include "libs/contract/validate.h"

namespace micropay::contract {
namespace {

std::string read(std::string_view json) {  // "reason field", or the message again
  const auto message = kinds().make("All");
  const auto result = parse_json(json, *message);
  if (!result) return result.error().reason + " " + result.error().field;
  return to_json(*message, {.hide_internal = false});
}

std::string nested(
    int depth) {  // {"items":[{"inner":{…}}]}: the object, the list, the item and depth - 3 below
  std::string open = R"({"items":[{)", close = "}]}";
  for (int i = 3; i < depth; ++i) open += R"("inner":{)", close.insert(0, "}");
  return open + R"("sku":"A")" + close;
}

// RFC 7396: null takes a member away. Only a field that may be missing knows the difference.
TEST(JsonRead, NullAndNothingTakeAnOptionalTextAway) {
  const FieldDescriptor* tongue = kinds().make("All")->GetDescriptor()->FindFieldByName("tongue");
  for (const char* json : {R"({"tongue":null})", R"({"tongue":""})"}) {
    const auto message = kinds().make("All");
    ASSERT_TRUE(parse_json(json, *message)) << json;
    EXPECT_TRUE(message->GetReflection()->HasField(*message, tongue)) << json;
    EXPECT_EQ(field_text(*message, *tongue), "");
    EXPECT_TRUE(validate(*message)) << json;
  }
  EXPECT_EQ(read(R"({"note":""})"), "too_short note");
  EXPECT_EQ(read(R"({"note":null})"), "invalid_type note");
  EXPECT_EQ(read(R"({"language":null})"), "invalid_type language");
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
      {R"({"amount":{"currency":"ZZZ","value":"5"}})", "unknown_currency amount.currency"},
      {R"({"amount":{"currency":"eur","value":"5"}})", "unknown_currency amount.currency"},
      {R"({"amount":{"currency":"EUR","value":"1.234"}})", "invalid_amount amount.value"},
      {R"({"amount":{"currency":"JPY","value":"1.0"}})", "invalid_amount amount.value"},
      {R"({"amount":{"currency":"EUR","value":"1e3"}})", "invalid_amount amount.value"},
      {R"({"amount":{"currency":"EUR","value":"92233720368547758.08"}})", "out_of_range amount.value"},
      {R"({"amount":{"currency":"EUR","value":"12345678901234567890123"}})", "out_of_range amount.value"},
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
  EXPECT_EQ(set("metadata", "5"), "invalid_type metadata");
  EXPECT_EQ(set("metadata.order", "42"), "ok");
  EXPECT_EQ(set("metadata.a.b", "42"), "ok");
  EXPECT_EQ(set("metadata.order", "\xff"), "invalid_format metadata.order");
  EXPECT_EQ(set("text.order", "42"), "unknown_field text.order");
  EXPECT_EQ(set("amount.currency", "EUR"), "unknown_field amount.currency");
  EXPECT_TRUE(set_from_text(*message, "metadata.order", "42"));
  EXPECT_TRUE(set_from_text(*message, "metadata.shop", "7"));
  EXPECT_EQ(set_from_text(*message, "metadata.order", "43").error().reason, "duplicate_field");
  EXPECT_NE(to_json(*message).find(R"("metadata":{"order":"42","shop":"7"})"), std::string::npos);
}

}  // namespace
}  // namespace micropay::contract
