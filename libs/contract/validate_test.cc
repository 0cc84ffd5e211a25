// Bounds: the first broken one in field order, and what is normalised.
#include <gtest/gtest.h>

#include "libs/contract/json.h"
#include "libs/contract/kinds_twin.h"
#include "libs/contract/validate.h"

namespace micropay::contract {
namespace {

std::string check(std::string_view json) {
  const auto message = kinds().make("All");
  auto result = parse_json(json, *message);
  if (result) result = validate(*message);
  return result ? "ok" : result.error().reason + " " + result.error().field;
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

}  // namespace
}  // namespace micropay::contract
