// What every contract keeps to. Whoever adds a field or a method is told here what it is missing.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "libs/contract/contract_twin.h"
#include "libs/contract/plan.h"

namespace micropay::contract {
namespace {

// Strings of requests that are neither kept nor shown: compared with what there is, or read by their own
// grammar.
const std::set<std::string> kNotKept = {"page_token", "order_by", "refresh_token"};

void free_strings(const Descriptor& message, std::set<const Descriptor*>& seen,
                  std::set<std::string>& found) {
  if (!seen.insert(&message).second || message.full_name() == "micropay.Money") return;
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    const FieldOptions& options = options_of(field);
    if (options.read_only() || options.internal()) continue;
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !is_metadata(field))
      free_strings(*field.message_type(), seen, found);
    if (field.type() != FieldDescriptor::TYPE_STRING || kNotKept.contains(field.name())) continue;
    if (options.format() == NONE && options.pattern().empty())
      found.insert(message.name() + "." + field.name());
  }
}

// A string without a class takes control characters, direction marks and numbers of cards to other people's
// screens.
TEST(Contracts, EveryStringOfARequestHasAClass) {
  std::set<const Descriptor*> seen;
  std::set<std::string> found;
  for (const Method* method : model().methods())
    if (!method->verb.empty()) free_strings(*method->request, seen, found);
  EXPECT_EQ(found, std::set<std::string>{}) << "give it a format (NAME, TEXT, TOKEN ...) or a pattern";
}

// Commands that a role opens and nobody can be a party of, or whose handlers judge it: and why.
const std::map<std::string, std::string> kWithoutParty = {
    {"CloseAccount", "an owner closes by his own right, and an empty wallet is nobody's advantage"},
    {"RevokeSession", "one's own sessions are one's own"},
    {"RevokeApiKey", "one's own keys are one's own"},
    {"SetFraudRules", "they hold for everybody"},
    {"SetRoles", "the handler: that nobody else is left to do it is said first"},
    {"ReverseTransaction", "the handler looks at the owners of all postings"},
    {"CreateTransfers", "the handler looks at the owners of all legs"},
    {"RedriveDeadLetter", "the handler looks at whom the letter is about"},
};

// Four eyes: staff that decides about its own wallet, payment or role is refused by the contract.
TEST(Contracts, WhatARoleOpensSaysWhoIsAParty) {
  std::set<std::string> missing, found;
  for (const Method* method : model().methods()) {
    if (method->query || method->options.access().roles_size() == 0) continue;
    found.insert(method->name);
    if (method->parties.empty() && !kWithoutParty.contains(method->name)) missing.insert(method->name);
  }
  EXPECT_EQ(missing, std::set<std::string>{}) << "say not_party, or here why nobody is one";
  for (const auto& [name, reason] : kWithoutParty)
    EXPECT_TRUE(found.contains(name)) << name << " is gone: " << reason;
}

std::string problems_of(const std::string& access) {
  const Model& model = scratch_model(R"(
    message Wallet { option (table) = {name: "wallet", key: ["id"], owner: "user_id"}; string id = 1;
      string user_id = 2; int64 count = 3; }
    message Pair { option (table) = {name: "pair", key: ["a", "b"]}; string a = 1; string b = 2; }
    message Freeze { string id = 1; repeated string ids = 2; }
    service S { rpc F(Freeze) returns (Wallet) { option (method) = {post: "/f", access: {)" +
                                     access + "}}; } }");
  return fmt::format("{}", fmt::join(model.problems(), "; "));
}

TEST(Contracts, NotPartyNamesWhatThereIs) {
  EXPECT_EQ(problems_of(R"(roles: [ADMIN], not_party: {record: "Wallet", by: "id", users: ["user_id"]})"),
            "");
  const std::pair<const char*, const char*> cases[] = {
      {R"(roles: [ADMIN], not_party: {record: "Walet", by: "id", users: ["user_id"]})",
       "\"Walet\" is no table"},
      {R"(roles: [ADMIN], not_party: {record: "Wallet", by: "wallet", users: ["user_id"]})",
       "is no field of it"},
      {R"(roles: [ADMIN], not_party: {record: "Wallet", by: "id", users: ["holder"]})", "is no field of it"},
      {R"(roles: [ADMIN], not_party: {record: "Wallet", by: "id"})", "names no user"},
      {R"(roles: [ADMIN], not_party: {record: "Wallet", by: "id", users: ["count"]})", "is no user id"},
      {R"(roles: [ADMIN], not_party: {record: "Wallet", by: "ids", users: ["user_id"]})", "is no key"},
      {R"(roles: [ADMIN], not_party: {record: "Pair", by: "id", users: ["a"]})", "a key of several fields"},
      {R"(signed_in: true, not_party: {record: "Wallet", by: "id", users: ["user_id"]})",
       "whom a role or a scope"},
  };
  for (const auto& [access, problem] : cases) {
    EXPECT_NE(problems_of(access).find(problem), std::string::npos) << access << ": " << problems_of(access);
    EXPECT_NE(problems_of(access).find("contracts/test.proto"), std::string::npos);
  }
}

}  // namespace
}  // namespace micropay::contract
