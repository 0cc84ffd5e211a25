// What other people get to see of a text: one form, nothing hidden in it, no number of a card.
#include "libs/contract/text_class.h"

#include <gtest/gtest.h>

#include "libs/contract/card_number.h"
#include "libs/contract/contract_twin.h"
#include "libs/contract/json.h"
#include "libs/contract/validate.h"

namespace micropay::contract {
namespace {

std::string kept(std::string_view text, Format format) {
  const auto form = kept_form(text, format);
  if (!form) return "refused";
  return *form ? **form : std::string(text);
}

TEST(TextClass, NamesAreNormalisedAndVisible) {
  const std::pair<std::string, std::string> cases[] = {
      {"Ada", "Ada"},
      {"  Ada Lovelace ", "Ada Lovelace"},
      {"\u3000\u5c71\u7530\u3000\u592a\u90ce\u00a0", "\u5c71\u7530\u3000\u592a\u90ce"},
      {"x\u0303", "x\u0303"},
      {"Man\u0303ana", "Ma\u00f1ana"},
      {"\u05d3\u05d5\u05d3 \u05db\u05d4\u05df", "\u05d3\u05d5\u05d3 \u05db\u05d4\u05df"},
      {"\u0645\u062d\u0645\u062f", "\u0645\u062d\u0645\u062f"},
      {"\u0639\u0644\u06cc\u200c\u0631\u0636\u0627", "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627"},
      {"\u0928\u0930\u0947\u0928\u094d\u0926\u094d\u0930",
       "\u0928\u0930\u0947\u0928\u094d\u0926\u094d\u0930"},
      {"Zo\u00eb \U0001f469\U0001f3fd\u200d\U0001f4bb \u2764\ufe0f",
       "Zo\u00eb \U0001f469\U0001f3fd\u200d\U0001f4bb \u2764\ufe0f"},
      {"O'Brien-\u0141ukasz, Jr. #7", "O'Brien-\u0141ukasz, Jr. #7"},
      {"a\u0301\u0302\u0303\u0304\u0305", "\u00e1\u0302\u0303\u0304\u0305"},
  };
  for (const auto& [text, form] : cases) {
    EXPECT_EQ(kept(text, NAME), form) << text;
    EXPECT_EQ(kept(form, NAME), form) << "twice changes nothing more: " << text;
  }
}

TEST(TextClass, WhatIsNotSeenOrTurnsOthersIsRefused) {
  for (const std::string refused : {"",
                                    " ",
                                    "\u00a0\u3000",
                                    "\u200b",
                                    "\u2800",
                                    "\u3164",
                                    "\u00ad",
                                    "a\u200bb",
                                    "\ufeffAda",
                                    "a\u2060b",
                                    "a\u200db",
                                    "a\u200cb",
                                    "a\ufe0f",
                                    "a\U000e0041",
                                    "Ada\u202eevil",
                                    "\u200fAda",
                                    "\u2066Ada\u2069",
                                    "\u061cAda",
                                    "a\u0085b",
                                    "a\u009b31m",
                                    "a\x1b[31m",
                                    "a\x7f",
                                    "a\nb",
                                    "a\tb",
                                    "a\rb",
                                    "a\u2028b",
                                    "\u0301a",
                                    "a \u0301",
                                    "\ue000",
                                    "a\ufffe",
                                    "a\u0378",
                                    "\xff",
                                    "\xed\xa0\x80",
                                    "a\ufffc",
                                    "a\u180e",
                                    "\u0301",
                                    "a\u0301\u0302\u0303\u0304\u0305\u0306"})
    EXPECT_EQ(kept(refused, NAME), "refused") << refused;
  EXPECT_EQ(kept(std::string("a\0b", 3), NAME), "refused");
}

TEST(TextClass, TextsMayHaveLines) {
  EXPECT_EQ(kept(" one\r\n\ttwo\n", TEXT), "one\n\ttwo");
  EXPECT_EQ(kept("one\rtwo", TEXT), "refused") << "writes over what stands there";
  EXPECT_EQ(kept("one\x0btwo", TEXT), "refused");
  EXPECT_EQ(kept("\n\n", TEXT), "refused");
}

TEST(TextClass, TokensAreVisibleAscii) {
  EXPECT_EQ(kept("order-42/A~!", TOKEN), "order-42/A~!");
  for (const char* refused : {"a b", " a", "a\n", "\u00e9", "a\x7f"})
    EXPECT_EQ(kept(refused, TOKEN), "refused");
}

TEST(CardNumbers, AreFoundHoweverTheyAreWritten) {
  for (const std::string text :
       {"4111111111111111",
        "5555555555554444",
        "378282246310005",
        "30569309025904",
        "6011111111111117",
        "3530111333300000",
        "4222222222222",
        "6759649826438453",
        "2223003122003222",
        "6200000000000005",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "4111_1111_1111_1111",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "3782 822463 10005",
        "4111 - 1111 - 1111 - 1111",
        "4111\u00a01111\u20091111\u20141111",
        "card_4111111111111111",
        "my card is 4111111111111111, thanks",
        "4111 1111 1111 1111 12/27 123",
        "12/27 4111111111111111",
        "pm4111111111111111x",
        "\uff14\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11",
        "\u0664\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661",
        "4111\n1111\n1111\n1111",
        "0190c5b2-7e0c-7000-8000-000000000001 4111111111111111"}) {
    EXPECT_TRUE(holds_card_number(text)) << text;
    const std::string masked = without_card_numbers(text);
    EXPECT_FALSE(holds_card_number(masked));
    EXPECT_EQ(masked.find("1111"), masked.npos);
  }
}

TEST(CardNumbers, OtherNumbersAreLeftAlone) {
  for (const std::string text :
       {"", "Lunch", "4111111111111112", "411111111111", "41111111111111111111", "0000000000000000",
        "0190c5b2-7e0c-7000-8000-000000000001", "41111111-1111-1111-8000-411111111111",
        "4111111111111111abcdef0123456789abcdef01", "2026-11-01 - 2026-11-30", "1764475200000",
        "AT61 1904 3002 3457 3201", "AT611904300234573201", "DE89 3704 0044 0532 0130 00",
        "GB29NWBK60161331926819", "+43 660 1234567", "978-3-16-148410-0", "1234567890123456789",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0.6099.224 Safari/537.36"}) {
    EXPECT_FALSE(holds_card_number(text)) << text;
    EXPECT_EQ(without_card_numbers(text), text);
  }
}

const Model& people() {
  static const Model& model = scratch_model(R"(
    message Form { string name = 1 [(field) = {required: true, format: NAME, max_length: 10}];
      string about = 2 [(field) = {format: TEXT, min_length: 3, max_length: 20, max_bytes: 30}];
      string reference = 3 [(field) = {format: TOKEN, max_length: 20}];
      string method = 4 [(field) = {max_length: 30, pattern: "[a-z0-9_]+"}];
      repeated string tags = 5 [(field) = {format: NAME, max_length: 3}];
      Metadata metadata = 6; Metadata small = 7 [(field) = {max_bytes: 10}];
      string secret = 8 [(field) = {secret: true, pattern: "[0-9]+"}];
      string mail = 9 [(field) = {format: EMAIL}]; string id = 10 [(field) = {format: UUID}];
      string free = 11; })");
  return model;
}

std::string check(const std::string& json) {
  const auto message = people().make("Form");
  auto result = parse_json(json, *message);
  if (result) result = validate(*message);
  if (!result) return result.error().reason + " " + result.error().field;
  EXPECT_TRUE(validate(*message)) << "of what was normalised already";
  std::string out = to_json(*message);
  return out;
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

TEST(Texts, AreCheckedAsTheyAreKept) {
  const std::string name = R"({"name":"A")";
  EXPECT_TRUE(has(check(R"({"name":"  n\u0303 ","about":"a\r\nb","tags":[" x "]})"),
                  "{\"name\":\"\u00f1\",\"about\":\"a\\nb\",\"reference\":\"\""));
  EXPECT_EQ(check(R"({"name":"   "})"), "invalid_format name");
  EXPECT_EQ(check(R"({"name":"\u200b"})"), "invalid_format name");
  EXPECT_EQ(check(R"({"name":""})"), "required name");
  EXPECT_EQ(check(R"({"name":"12345678901"})"), "too_long name");
  EXPECT_TRUE(has(check(R"({"name":"1234567890   "})"), "\"1234567890\"")) << "blanks around it do not count";
  EXPECT_EQ(check(name + R"(,"about":"a  "})"), "too_short about") << "nor here";
  std::string smiles;
  for (int i = 0; i < 8; ++i) smiles += R"(\ud83d\ude42)";
  EXPECT_EQ(check(name + ",\"about\":\"" + smiles + "\"}"), "too_long about") << "32 bytes";
  EXPECT_EQ(check(name + ",\"about\":\"" + std::string(100'000, 'x') + "\"}"), "too_long about");
  EXPECT_EQ(check(name + R"(,"reference":"a b"})"), "invalid_format reference");
  EXPECT_TRUE(has(check(name + R"(,"reference":"","tags":[]})"), "\"name\":\"A\"")) << "cleared";
  EXPECT_EQ(check(name + R"(,"tags":["ok","\u202e"]})"), "invalid_format tags[1]");
  EXPECT_TRUE(has(check(name + R"(,"mail":"Ada@Ex\u00e4mple.org"})"), "ada@xn--exmple-cua.org"));
  EXPECT_EQ(check(name + R"(,"mail":"\u00e4da@example.org"})"), "invalid_format mail");
  EXPECT_TRUE(has(check(name + R"(,"mail":"ada@ex\u200bample.org"})"), "ada@example.org"))
      << "as IDNA maps it";
}

TEST(Texts, NumbersOfCardsAreRefusedUnseen) {
  const std::string name = R"({"name":"A")";
  EXPECT_EQ(check(R"({"name":"4222222222222"})"), "card_number_refused name") << "before its length";
  EXPECT_EQ(check(name + R"(,"about":"4111 1111 1111 1111"})"), "card_number_refused about");
  EXPECT_EQ(check(name + R"(,"method":"4111111111111111"})"), "card_number_refused method");
  EXPECT_EQ(check(name + R"(,"method":"4111-1111-1111-1111"})"), "card_number_refused method")
      << "before its pattern";
  EXPECT_EQ(check(name + R"(,"metadata":{"a":"b","card":"4111111111111111"}})"),
            "card_number_refused metadata.card");
  EXPECT_EQ(check(name + R"(,"metadata":{"4111111111111111":"b"}})"), "card_number_refused metadata")
      << "nor is it in the path";
  EXPECT_EQ(check(name + R"(,"mail":"4111111111111111@example.org"})"), "card_number_refused mail");
  EXPECT_TRUE(has(check(name + R"(,"reference":"4111111111111111"})"), "4111"))
      << "an order number of the client";
  EXPECT_EQ(check(name + R"(,"secret":"4111111111111111"})"), check(name + R"(,"secret":"1"})"))
      << "is not kept in clear";
}

TEST(Texts, MetadataIsBoundedInBytes) {
  const std::string name = R"({"name":"A")";
  EXPECT_EQ(check(name + R"(,"small":{"a":"\u00e9\u00e9\u00e9\u00e9\u00e9"}})"), "too_long small");
  EXPECT_TRUE(has(check(name + R"(,"small":{"a":"123456789"}})"), "123456789"));
  EXPECT_TRUE(has(check(name + R"(,"small":{"a":"12345678   "}})"), "\"12345678\""));
  std::string large = name + R"(,"metadata":{)";
  for (int i = 0; i < 9; ++i)
    large += fmt::format("{}\"{}\":\"{}\"", i == 0 ? "" : ",", i, std::string(1000, 'x'));
  EXPECT_EQ(check(large + "}}"), "too_long metadata") << "9 KB of the 8 that are the standard";
  EXPECT_EQ(check(name + R"(,"metadata":{"k":"a\u001b[31m"}})"), "invalid_format metadata.k");
  EXPECT_EQ(check(name + R"(,"metadata":{" k":"a"}})"), "invalid_format metadata");
  EXPECT_EQ(check(name + R"(,"metadata":{"n\u0303":"a"}})"), "invalid_format metadata");
  EXPECT_TRUE(has(check(name + R"(,"metadata":{"a":"n\u0303","b":""}})"), "\"a\":\"\u00f1\",\"b\":\"\""));
}

}  // namespace
}  // namespace micropay::contract
