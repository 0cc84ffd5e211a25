// Decisions of the user service, a line a case.
#include "services/user/rules.h"

#include <gtest/gtest.h>

#include "libs/base/ids.h"
#include "libs/contract/validate.h"
#include "libs/security/encoding.h"

namespace micropay::user_rules {
namespace {

TEST(UserRules, TheDelayDoublesFromTheFifthFailure) {
  struct Case {
    uint32_t failures;
    Duration delay;
  };
  const Case cases[] = {{0, 0},
                        {4, 0},
                        {5, kSecond},
                        {6, 2 * kSecond},
                        {7, 4 * kSecond},
                        {14, 512 * kSecond},
                        {15, 15 * kMinute},
                        {100, 15 * kMinute},
                        {UINT32_MAX, 15 * kMinute}};
  for (const Case& c : cases) EXPECT_EQ(sign_in_delay(c.failures, kOwnPatience), c.delay) << c.failures;
}

TEST(UserRules, WaitingIsToldInWholeSecondsRoundedUp) {
  EXPECT_EQ(seconds_to_wait(0, 100), 0u);
  EXPECT_EQ(seconds_to_wait(100, 100), 0u);
  EXPECT_EQ(seconds_to_wait(101, 100), 1u);
  EXPECT_EQ(seconds_to_wait(100 + kSecond, 100), 1u);
  EXPECT_EQ(seconds_to_wait(101 + kSecond, 100), 2u);
}

TEST(UserRules, AddressesAreLowerCase) { EXPECT_EQ(normal_email("Ada.L@Example.ORG"), "ada.l@example.org"); }

Roles roles_of(std::initializer_list<int> list) { return Roles(list.begin(), list.end()); }

TEST(UserRules, RolesAreSortedAndEachOnce) {
  EXPECT_EQ(normal_roles(roles_of({ADMIN, USER, ADMIN}))->size(), 2);
  EXPECT_EQ(role_bits(*normal_roles(roles_of({ADMIN, USER}))),
            contract::role_bit(USER) | contract::role_bit(ADMIN));
  struct Case {
    std::initializer_list<int> roles;
    const char* reason;
  };
  for (const Case& c : {Case{{}, "required"}, Case{{ROLE_UNSPECIFIED}, "unknown_role"},
                        Case{{USER, 99}, "unknown_role"}, Case{{-1}, "unknown_role"}})
    EXPECT_EQ(normal_roles(roles_of(c.roles)).error().reason, c.reason);
}

TEST(UserRules, ScopesFollowRoles) {
  struct Case {
    std::vector<std::string> scopes;
    Role role;
    const char* reason;
  };
  const Case cases[] = {
      {{"payments:read", "payments:write"}, USER, ""},           {{"ledger:read"}, USER, "scope_not_allowed"},
      {{"ledger:write"}, SUPPORT, "scope_not_allowed"},          {{"ledger:read"}, AUDITOR, ""},
      {{"ledger:write"}, AUDITOR, "scope_not_allowed"},          {{"ledger:read", "ledger:write"}, ADMIN, ""},
      {{"payments:read", "everything"}, ADMIN, "unknown_scope"}, {{""}, ADMIN, "unknown_scope"},
  };
  for (const Case& c : cases) {
    const auto checked = check_scopes(Scopes(c.scopes.begin(), c.scopes.end()), contract::role_bit(c.role));
    EXPECT_EQ(checked ? "" : checked.error().reason, c.reason) << c.scopes[0] << " " << Role_Name(c.role);
  }
}

TEST(UserRules, AKeyLosesScopesWithItsUsersRoles) {
  const std::vector<std::string> names{"payments:read", "ledger:write"};
  const Scopes scopes(names.begin(), names.end());
  EXPECT_EQ(usable_scopes(scopes, contract::role_bit(ADMIN)), names);
  EXPECT_EQ(usable_scopes(scopes, contract::role_bit(USER)), (std::vector<std::string>{"payments:read"}));
}

TEST(UserRules, ARefreshTokenNamesItsSessionAndItsFamily) {
  const std::string id = derived_uuid("session"), family(32, 'f');
  const std::string token = make_refresh_token(id, family, std::string(32, 'r'));
  EXPECT_LE(token.size(), 200u);
  EXPECT_EQ(read_refresh_token(token)->session_id, id);
  EXPECT_EQ(read_refresh_token(token)->family, family);
  // Of the last release: the id and a secret.
  const std::optional<Uuid> bytes = parse_uuid(id);
  const std::string old = to_base64url(std::string(bytes->begin(), bytes->end()) + std::string(32, 'r'));
  EXPECT_EQ(read_refresh_token(old)->session_id, id);
  EXPECT_EQ(read_refresh_token(old)->family, "");
  for (const std::string& bad : {std::string(), std::string("x"), token + "A", token.substr(4), old + "AAAA"})
    EXPECT_FALSE(read_refresh_token(bad)) << bad;
  EXPECT_NE(successor_secret(token, "a"), successor_secret(token, "b"));
  EXPECT_NE(successor_secret(token, "a"), successor_secret(old, "a"));
}

TEST(UserRules, SecretIdsSortByTimeAndHideTheRest) {
  const std::string id = secret_id(1'700'000'000'000'123, std::string(10, '\xff'));
  EXPECT_TRUE(is_uuid(id));
  EXPECT_EQ(id[14], '7');
  EXPECT_EQ(uuid_time(*parse_uuid(id)), 1'700'000'000'000'000);
  EXPECT_LT(id, secret_id(1'700'000'000'001'000, std::string(10, '\0')));
}

TEST(UserRules, ASourceIsWhatOneAttackerHasAtOnce) {
  EXPECT_EQ(source_of("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(source_of("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(source_of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(source_of("2001:0DB8:1:2::"), "2001:db8:1:2::/64");
  EXPECT_EQ(source_of("unix"), "unix");
  EXPECT_EQ(source_of(""), "");
}

TEST(UserRules, PatienceIsForTheOwnerAndForStrangers) {
  EXPECT_EQ(sign_in_delay(99, kSourcePatience), 0);
  EXPECT_EQ(sign_in_delay(101, kSourcePatience), 2 * kSecond);
  EXPECT_EQ(sign_in_delay(200, kSourcePatience), 15 * kMinute);
  EXPECT_EQ(sign_in_delay(49, kAddressPatience), 0);
  EXPECT_EQ(sign_in_delay(60, kAddressPatience), kMinute);
}

TEST(UserRules, TokensExpireAtAWholeSecond) {
  EXPECT_EQ(token_expiry(10 * kSecond + 999'999, 15 * kMinute), 910 * kSecond);
  EXPECT_EQ(token_expiry(10 * kSecond, kSecond), 11 * kSecond);
}

}  // namespace
}  // namespace micropay::user_rules
