// Who hears an event, of the contracts as they are, and of a service that somebody adds.
#include "libs/contract/event_readers.h"

#include <gtest/gtest.h>

#include "libs/contract/contract_twin.h"
#include "libs/contract/validate.h"

namespace micropay::contract {
namespace {

std::string roles(const EventReaders& readers) {
  std::string out;
  for (const Role role : {USER, ADMIN, SUPPORT, AUDITOR})
    if ((readers.role_bits & role_bit(role)) != 0) out += Role_Name(role).substr(0, 2) + " ";
  return out;
}

TEST(EventReaders, OfTheContracts) {
  const EventAccess access(model());
  const auto heard_by = [&](std::string_view type) { return roles(access.of(*model().event(type))); };
  const std::pair<const char*, const char*> expected[] = {
      {"account.created", "AD SU AU "},
      {"account.top_up.captured", "AD SU AU "},
      {"account.balance.updated", "AD SU AU "},
      {"account.balance.reserved", "AD SU AU "},
      {"payment.initiated", "AD SU AU "},
      {"payment.refund_requested", "AD SU AU "},
      {"transaction.settled", "AD SU AU "},
      {"fraud.risk.assessed", "AD SU AU "},
      {"fraud.case.opened", "AD SU AU "},
      {"fraud.rules_changed", "AD SU AU "},
      {"user.created", "AD SU "},
      {"user.email_verified", "AD SU "},
      {"user.suspended", "AD SU "},
      {"user.role_changed", "AD SU "},
      {"user.email_verification_requested", "AD SU "},
      {"transaction.transfers_requested", "AD AU "},
      {"transaction.batch_decided", "AD "},
      // Addresses, sessions, keys and messages are shown to their own user alone.
      {"user.signed_in", ""},
      {"user.signed_out", ""},
      {"user.session_revoked", ""},
      {"user.sign_in_failed", ""},
      {"user.api_key_created", ""},
      {"notification.sent", ""},
      {"notification.failed", ""}};
  for (const auto& [type, who] : expected) EXPECT_EQ(heard_by(type), who) << type;
}

TEST(EventReaders, AnApiKeyHearsWhatItsScopesRead) {
  const EventAccess access(model());
  const auto heard = [&](std::string_view type, const std::vector<std::string>& scopes) {
    return access.of(*model().event(type)).in_scope(scopes);
  };
  EXPECT_TRUE(heard("payment.completed", {"payments:read"}));
  EXPECT_TRUE(heard("payment.refunded", {"ledger:read", "payments:read"}));
  EXPECT_FALSE(heard("payment.completed", {"payments:write"}));
  EXPECT_FALSE(heard("payment.completed", {}));
  for (const char* type : {"user.created", "user.signed_in", "account.created", "account.balance.reserved",
                           "notification.sent", "fraud.risk.assessed"})
    EXPECT_FALSE(heard(type, {"payments:read", "payments:write", "ledger:read", "ledger:write"})) << type;
  EXPECT_TRUE(access.any_in_scope({"payments:read"}));
  EXPECT_FALSE(access.any_in_scope({"payments:write", "ledger:write"}));
}

TEST(EventReaders, NewEventsAreNobodysUntilARouteSaysSo) {
  const Model& model = scratch_model(R"(
    message Points { option (table) = {name: "points", key: ["user_id"], owner: "user_id"};
      string user_id = 1; int64 count = 2; }
    message Gift { option (table) = {name: "gift", key: ["id"]}; string id = 1; string note = 2; }
    message Hidden { option (table) = {name: "hidden", key: ["id"]}; string id = 1; }
    message Earned { option (event) = {type: "points.earned", key: "user_id"};
      string user_id = 1 [(field) = {audience: true}]; }
    message Given { option (event) = {type: "gift.given", key: "gift_id"};
      string gift_id = 1; Part part = 2; }
    message Part { string hidden_id = 1; }
    message Told { option (event) = {type: "gift.told", key: "gift_id"}; string gift_id = 1;
      string phone = 2 [(field) = {personal: true}]; }
    message Noted { option (event) = {type: "gift.noted", key: "gift_id"}; string gift_id = 1;
      string note = 2 [(field) = {personal: true}];
      string code = 3 [(field) = {personal: true, internal: true}]; }
    message Other { option (event) = {type: "other.happened", key: "thing_id"}; string thing_id = 1; }
    message GetPoints { }
    message GetGift { string id = 1; }
    service S {
      rpc Mine(GetPoints) returns (Points) { option (method) = {get: "/p", access: {signed_in: true}}; }
      rpc One(GetGift) returns (Gift) { option (method) = {get: "/g/{id}",
        access: {signed_in: true, roles: [AUDITOR], scope: "gifts:read"}}; }
    })");
  const EventAccess access(model);
  const auto of = [&](std::string_view type) { return access.of(*model.event(type)); };
  EXPECT_EQ(roles(of("points.earned")), "");  // whoever is signed in reads his own
  EXPECT_EQ(roles(of("gift.given")), "AU ");
  EXPECT_EQ(roles(of("gift.told")), "");  // no route shows that telephone number
  EXPECT_EQ(roles(of("gift.noted")), "AU ");
  EXPECT_EQ(roles(of("other.happened")), "");
  EXPECT_TRUE(of("gift.given").in_scope({"gifts:read"}));
  EXPECT_FALSE(of("points.earned").in_scope({"gifts:read"}));
}

}  // namespace
}  // namespace micropay::contract
