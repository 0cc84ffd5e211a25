// The model: what it reads, what it refuses, keys, and that a new field reaches everything that is derived.
#include <gtest/gtest.h>

#include <random>

#include "libs/base/ids.h"
#include "libs/contract/columns.h"
#include "libs/contract/contract_twin.h"
#include "libs/contract/documents.h"
#include "libs/contract/json.h"
#include "libs/contract/validate.h"

namespace micropay::contract {
namespace {

std::string problems_of(const std::string& body) {
  return fmt::format("{}", fmt::join(scratch_model(body).problems(), "\n"));
}

TEST(Model, OfThisProcessIsSound) {
  EXPECT_GE(model().services().size(), 1u);
  const Method* method = model().method("GetDeadLetter");
  ASSERT_NE(method, nullptr);
  EXPECT_EQ(method->verb, "GET");
  EXPECT_EQ(method->path, "/api/v1/dead-letters/{id}");
  EXPECT_TRUE(method->query);
  EXPECT_EQ(method->resource, model().table("runtime_dead_letter"));
  EXPECT_EQ(model().method(method->request), method);
  EXPECT_NE(model().make("DeadLetter"), nullptr);
  EXPECT_EQ(model().make("NoSuchMessage"), nullptr);
  EXPECT_EQ(model().service("no_such"), nullptr);
}

TEST(Model, ReadsEventsOwnersAndLists) {
  const Model& model = scratch_model(R"(
    message Wallet { option (table) = {name: "wallet", key: ["id"], owner: "user_id",
      index: [{fields: ["user_id"]}]};
      string id = 1 [(field) = {format: UUID}]; string user_id = 2 [(field) = {format: UUID}]; }
    message Opened { option (event) = {type: "test.opened", key: "id"};
      string id = 1; string user_id = 2 [(field) = {audience: true}]; }
    message ListRequest { string page_token = 1; }
    message ListResponse { repeated Wallet wallets = 1; string next_page_token = 2; }
    message OpenRequest { string wallet_id = 1 [(field) = {format: UUID}]; }
    service S {
      rpc Open(OpenRequest) returns (Wallet) { option (method) = {post: "/w/{wallet_id}", success: 201,
        access: {owner: {record: "Wallet", by: "wallet_id"}, roles: [ADMIN]}, awaits: ["test.opened"]}; }
      rpc List(ListRequest) returns (ListResponse) { option (method) = {get: "/w",
        access: {signed_in: true}}; }
    })");
  ASSERT_TRUE(model.problems().empty()) << model.problems()[0];
  const Method& open = *model.method("Open");
  EXPECT_EQ(open.owner.table, model.table("test_wallet"));
  EXPECT_EQ(open.owner.by->name(), "wallet_id");
  EXPECT_EQ(open.success, 201u);
  EXPECT_EQ(public_path(open), "/w/{walletId}");
  EXPECT_TRUE(model.method("List")->list);
  EXPECT_EQ(model.event("test.opened")->topic, "test-events");
  EXPECT_EQ(model.event("test.opened")->audience.size(), 1u);
  EXPECT_TRUE(allowed_by_role(open, role_bit(ADMIN)));
  EXPECT_FALSE(allowed_by_role(open, role_bit(USER)));
  EXPECT_TRUE(allowed_by_role(*model.method("List"), role_bit(USER)));
  EXPECT_FALSE(allowed_by_role(*model.method("List"), 0));
}

// Each contradiction alone, and a word of the problem that it has to raise.
TEST(Model, RefusesContradictions) {
  const std::string rest = " access: {public: true}};}}";
  const std::pair<std::string, std::string> cases[] = {
      {"message R{} service S{rpc M(R) returns(R){option (method)={get:\"/a/{x}\"" + rest,
       "path variable \"x\""},
      {"message R{} message Q{} service S{rpc M(R) returns(R){option (method)={get:\"/a\", "
       "access:{public:true}};}"
       "rpc N(Q) returns(R){option (method)={get:\"/a\"" +
           rest,
       "is the route of M"},
      {"message R{string a=1;string b=2;} message Q{string c=1;} service S{"
       "rpc M(R) returns(R){option (method)={get:\"/{a}/x\", access:{public:true}};}"
       "rpc N(Q) returns(R){option (method)={get:\"/{c}/x\"" +
           rest,
       "is the route of M"},
      {"message R{} service S{rpc M(R) returns(R){option (method)={get:\"/a\"};}}", "nobody may call"},
      {"message R{} service S{rpc M(R) returns(R){option (method)={get:\"/a\", access:{public:true, "
       "signed_in:true}};}}",
       "public and restricted"},
      {"message R{string id=1;} service S{rpc M(R) returns(R){option (method)={get:\"/a\","
       "access:{owner:{record:\"R\",by:\"id\"}}};}}",
       "is no table"},
      {"message T{option (table)={name:\"t\",key:[\"id\"]};string id=1;} message R{string id=1;} service "
       "S{rpc M(R) "
       "returns(R){option (method)={get:\"/a\",access:{owner:{record:\"T\",by:\"id\"}}};}}",
       "who owns it"},
      {"message R{} service S{rpc M(R) returns(R){option (method)={post:\"/a\",awaits:[\"x.y\"]," + rest,
       "is no event"},
      {"message R{} service S{rpc M(R) returns(R){} rpc N(R) returns(R){}}", "another method's request"},
      {"message R{Money m=1;} service S{rpc M(R) returns(R){option (method)={get:\"/a\"," + rest,
       "query string"},
      {"message E{option (event)={type:\"a.b\"};string id=1;}", "has no key"},
      {"message E{option (event)={type:\"a.b\",key:\"id\"};int64 id=1;}", "event key is a string"},
      {"message E{option (event)={type:\"a.b\",key:\"id\"};string id=1;string p=2[(field)={secret:true}];}",
       "no secrets"},
      {"message T{option (table)={name:\"t\"};string id=1;}", "has no key"},
      {"message T{option (table)={name:\"t\",key:[\"id\"]};string id=1;Money a=2;string a_minor=3;}",
       "two columns"},
      {"message T{option (table)={name:\"t\",key:[\"id\"],index:[{fields:[\"x\"]}]};string id=1;}",
       "index field \"x\""},
      {"message M{string a=1[(field)={positive:true}];}", "positive is for Money"},
      {"message M{string a=1[(field)={format:TIME}];}", "TIME is an int64"},
      {"message M{string a=1[(field)={pattern:\"(\"}];}", "pattern is none"},
      {"message M{string a=1[(field)={min:1}];}", "min and max are for numbers"},
      {"message M{map<string,string> a=1;}", "Metadata"},
      {"message M{bool a=1[(field)={required:true}];}", "needs the word optional"},
  };
  for (const auto& [body, word] : cases)
    EXPECT_NE(problems_of(body).find(word), std::string::npos) << body << "\n" << problems_of(body);
}

// Promises that could never be kept: each would start, and fail the first caller.
TEST(Model, RefusesWhatNobodyCouldBeAnswered) {
  const std::string records =
      "message P{option (table)={name:\"p\",key:[\"id\"]};string id=1[(field)={format:UUID}];"
      "string why=2;repeated string list=3;string failure_detail=4;}"
      "message U{option (table)={name:\"u\",key:[\"id\"]};string id=1[(field)={format:UUID}];}"
      "message T{option (table)={name:\"t\",key:[\"a\",\"b\"]};string a=1;string b=2;}"
      "message Done{option (event)={type:\"p.done\",key:\"p_id\"};string p_id=1[(field)={format:UUID}];}"
      "message OfUser{option (event)={type:\"p.of_user\",key:\"u_id\"};string u_id=1[(field)={format:UUID}];}"
      "message Named{option (event)={type:\"p.named\",key:\"name\"};string name=1;}"
      "message Held{option (event)={type:\"p.moved\",key:\"holder_id\"};string p_id=1[(field)={format:UUID}];"
      "string holder_id=2[(field)={format:UUID}];}"
      "message R{} message Nothing{} service S{rpc M(R) returns(";
  const auto method = [&](const std::string& answer, const std::string& options) {
    return records + answer + "){option (method)={post:\"/a\",access:{public:true}," + options + "};}}";
  };
  EXPECT_EQ(problems_of(method("P", "awaits:[\"p.done\"],failure_field:\"why\",failure_status:409")), "");
  const std::pair<std::string, std::string> cases[] = {
      {method("P", "failure_field:\"why\""), "awaits none"},
      {method("P", "failure_status:409"), "no failure_field"},
      {method("P", "awaits:[\"p.done\"],failure_field:\"why\",failure_status:404"), "neither 402 nor 409"},
      {method("P", "awaits:[\"p.done\"],failure_field:\"list\""), "is no string"},
      {method("P", "pauses:[\"p.done\"]"), "awaits nothing"},
      {method("P", "awaits:[\"p.done\"],pauses:[\"p.done\"]"), "twice"},
      {method("P", "awaits:[\"p.of_user\"]"), "the id of a U"},
      {method("P", "awaits:[\"p.named\"]"), "no UUID"},
      {method("P", "awaits:[\"p.moved\"]"), "the id of the answer is p_id"},
      {method("Nothing", "awaits:[\"p.done\"]"), "no record with one key"},
      {method("T", "awaits:[\"p.done\"]"), "no record with one key"},
      {method("P", "reasons:[\"b\",\"a\"]"), "comes late"},
      {method("P", "reasons:[\"a\",\"a\"]"), "there twice"},
      {method("P", "reasons:[\"Not So\"]"), "lower_case"},
      {records + "P){option (method)={callers:[\"gatway\"]};}}", "\"gatway\" is no service"},
  };
  for (const auto& [body, word] : cases) {
    const std::string found = problems_of(body);
    EXPECT_NE(found.find(word), std::string::npos) << word << "\n" << found;
    EXPECT_NE(found.find("contracts/test.proto: M:"), std::string::npos) << found;
  }
}

// In a cluster it comes from another process, and only if a handler hears it.
TEST(Model, RefusesToAwaitAnotherServicesEvent) {
  std::map<std::string, std::string> texts;
  for (const std::string_view name : contract_files()) texts.emplace(name, contract_text(std::string(name)));
  std::string& payment = texts.at("contracts/payment.proto");
  const std::string awaits = "awaits: [\"payment.completed\"";
  payment.replace(payment.find(awaits), awaits.size(), "awaits: [\"fraud.case.opened\"");
  EXPECT_EQ(scratch_model(texts).problems(),
            std::vector<std::string>{
                "contracts/payment.proto: CreatePayment: awaits fraud.case.opened, which is an "
                "event of fraud: of another process in a cluster"});
}

TEST(Model, RefusesTwoServicesOnOnePort) {
  const auto with_port = [](int port) {
    std::map<std::string, std::string> texts;
    for (const std::string_view name : contract_files())
      texts.emplace(name, contract_text(std::string(name)));
    std::string& fraud = texts.at("contracts/fraud.proto");
    fraud.replace(fraud.find("port: 8087"), 10, fmt::format("port: {}", port));
    return fmt::format("{}", fmt::join(scratch_model(texts).problems(), "\n"));
  };
  EXPECT_EQ(with_port(8099), "");
  EXPECT_NE(with_port(8083).find("port 8083 is that of "), std::string::npos) << with_port(8083);
  EXPECT_NE(with_port(8080).find("contracts/fraud.proto: fraud: port 8080 is that of the gateway"),
            std::string::npos);
  EXPECT_NE(with_port(70'000).find("is none for a service"), std::string::npos);
}

TEST(Model, NamesFileAndMessageOfAProblem) {
  EXPECT_EQ(problems_of("message M { string a = 1 [(field) = {positive: true}]; }"),
            "contracts/test.proto: M.a: positive is for Money");
}

// The promise of the contracts: one new field, nothing else typed, and it is everywhere.
TEST(Model, AFieldAddedToAContractAppearsEverywhere) {
  std::map<std::string, std::string> texts;
  for (const std::string_view name : contract_files()) texts.emplace(name, contract_text(std::string(name)));
  const Model& unchanged = scratch_model(texts);
  std::string& payment = texts.at("contracts/payment.proto");
  const auto add = [&](const std::string& message, const std::string& field) {
    const size_t at = payment.find("\nmessage " + message + " {");
    ASSERT_NE(at, std::string::npos);
    payment.insert(payment.find("\n}", at), "\n  " + field);
  };
  const std::string field = "string purpose_code = 900 [(field) = {max_length: 4, pattern: \"[A-Z]{4}\"}];";
  for (const char* message : {"CreatePaymentRequest", "Payment", "PaymentCompleted"}) add(message, field);
  const Model& changed = scratch_model(texts);
  ASSERT_TRUE(changed.problems().empty()) << changed.problems()[0];

  const std::string body = R"({"purposeCode":"SALA"})";
  const auto accepted = changed.method("CreatePayment")->make_request();
  EXPECT_TRUE(parse_json(body, *accepted)) << "the route takes it";
  EXPECT_NE(to_json(*accepted).find(R"("purposeCode":"SALA")"), std::string::npos);
  EXPECT_EQ(parse_json(body, *unchanged.method("CreatePayment")->make_request()).error().reason,
            "unknown_field");
  const auto bad = changed.method("CreatePayment")->make_request();
  ASSERT_TRUE(parse_json(R"({"payerAccountId":"0190c5b2-7e0c-7000-8000-000000000001",
    "amount":{"currency":"EUR","value":"1"},"purposeCode":"sala"})",
                         *bad));
  EXPECT_EQ(validate(*bad).error().field, "purposeCode") << "its bounds are checked";

  const Table& table = *changed.table("payment_payment");
  EXPECT_NE(create_table_sql(table, Dialect::kSqlite).find("\"purpose_code\" TEXT NOT NULL"),
            std::string::npos);
  std::vector<std::string> present;
  for (const Column& column : column_plan(*unchanged.table("payment_payment")).columns())
    present.push_back(column.name);
  EXPECT_EQ(additive_sql(table, present, Dialect::kPostgres),
            std::vector<std::string>{
                "ALTER TABLE \"payment_payment\" ADD COLUMN \"purpose_code\" text COLLATE \"C\" NOT NULL "
                "DEFAULT '';"});
  EXPECT_NE(openapi(changed, "1")
                .find(R"("purposeCode":{"type":"string","maxLength":4,"pattern":"^(?:[A-Z]{4})$"})"),
            std::string::npos);
  EXPECT_NE(event_catalogue(changed).find("`purposeCode` string"), std::string::npos);
  EXPECT_EQ(openapi(unchanged, "1").find("purposeCode"), std::string::npos)
      << "the real contract does not have it";
}

const Table& key_table() {
  static const Table& table = *scratch_model(R"(
    message K { option (table) = {name: "k", key: ["a", "n", "u", "id"]};
      string a = 1; int64 n = 2; uint64 u = 3; string id = 4 [(field) = {format: UUID}]; })")
                                   .table("test_k");
  return table;
}

TEST(Key, KeepsTheOrderOfItsFields) {
  const Table& table = key_table();
  std::mt19937_64 random(7);
  IdGenerator ids(1);
  struct Parts {
    std::string a;
    int64_t n;
    uint64_t u;
    std::string id;
    auto operator<=>(const Parts&) const = default;
  };
  const auto encode = [&](const Parts& parts) {
    const auto row = table.make();
    const std::string n = std::to_string(parts.n), u = std::to_string(parts.u);
    const auto key = table.encode_key({parts.a, n, u, parts.id});
    EXPECT_EQ(table.decode_key(*key), (std::vector<std::string>{parts.a, n, u, parts.id}));
    for (const auto& [name, text] : {std::pair{"a", parts.a}, {"n", n}, {"u", u}, {"id", parts.id}})
      EXPECT_TRUE(set_from_text(*row, name, text));
    EXPECT_EQ(table.key_of(*row), key);
    return *key;
  };
  const std::string texts[] = {"", "a", "aa", "b", "a\u00ff", "\x01"};
  const int64_t numbers[] = {0, 1, -1, INT64_MIN, INT64_MAX, 255, 256};
  for (int i = 0; i < 2000; ++i) {
    const auto one = [&] {  // strings compare as unsigned bytes, as SQL does
      return Parts{texts[random() % 6], numbers[random() % 7], uint64_t(numbers[random() % 7]),
                   ids.next(Time(random() % 1000) * kSecond)};
    };
    Parts left = one(), right = one();
    if (random() % 2) right.a = left.a;
    if (random() % 2) right.n = left.n;
    EXPECT_EQ(left < right, encode(left) < encode(right))
        << left.a << " " << left.n << " / " << right.a << " " << right.n;
  }
}

TEST(Key, OfOneUuidIsItsBytes) {
  const Table& table = *model().table("runtime_dead_letter");
  const auto key = table.encode_key({"0190C5B2-7e0c-7000-8000-000000000001"});
  ASSERT_TRUE(key);
  EXPECT_EQ(key->size(), 16u);
  EXPECT_EQ(table.decode_key(*key), std::vector<std::string>{"0190c5b2-7e0c-7000-8000-000000000001"});
}

TEST(Key, RefusesWhatIsNone) {
  const Table& table = key_table();
  const std::string id = "0190c5b2-7e0c-7000-8000-000000000001";
  EXPECT_FALSE(table.encode_key({"a", "1", "1"}));
  EXPECT_FALSE(table.encode_key({"a", "x", "1", id}));
  EXPECT_FALSE(table.encode_key({"a", "1", "-1", id}));
  EXPECT_FALSE(table.encode_key({"a", "1", "1", "no uuid"}));
  EXPECT_FALSE(table.encode_key({std::string_view("a\0b", 3), "1", "1", id}));
  EXPECT_FALSE(table.decode_key("abc"));
  EXPECT_FALSE(table.decode_key(*table.encode_key({"a", "1", "1", id}) + "x"));
  EXPECT_THROW(table.key_of(*table.make()), std::invalid_argument);
}

}  // namespace
}  // namespace micropay::contract
