// Writing JSON: what is left out, hidden and masked; and that what was written or read reads the same again,
// whatever is done to a body.
#include <gtest/gtest.h>

#include <random>

#include "libs/contract/json.h"
#include "libs/contract/kinds_twin.h"
#include "libs/contract/sample_twin.h"
#include "libs/contract/validate.h"

namespace micropay::contract {
namespace {

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
  {
    const auto sound = kinds().make("All");
    ASSERT_TRUE(parse_json(kSeed, *sound) && validate(*sound));
  }
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

}  // namespace
}  // namespace micropay::contract
