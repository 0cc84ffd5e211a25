// Registration, profiles, roles, API keys.
#include "libs/base/ids.h"
#include "services/user/user_world_twin.h"

namespace micropay {
namespace {

struct Users : UserWorld {};

TEST_F(Users, RegisterWithAHashedPassword) {
  const User user = register_user("Ada@Example.org").value();
  EXPECT_EQ(user.email(), "ada@example.org");
  EXPECT_EQ(user.roles_size(), 1);
  EXPECT_EQ(user.roles(0), USER);
  EXPECT_TRUE(world.find<Credential>(user.id())->password_hash().starts_with("$argon2id$"));
  EXPECT_EQ(world.events(), (Types{"user.created"}));
  const UserCreated event = world.all<UserCreated>().at(0);
  EXPECT_EQ(event.user_id(), user.id());
  EXPECT_EQ(event.default_currency(), "EUR");
  EXPECT_EQ(event.language(), "de");
}

TEST_F(Users, AnAddressIsTakenOnce) {
  prove(register_user("ada@example.org").value());
  world.events();
  const auto again = register_user("ADA@example.org");
  EXPECT_EQ(again.error().code, Code::kAlreadyExists);
  EXPECT_EQ(again.error().reason, "email_taken");
  EXPECT_EQ(reason(make_admin("ada@example.org")), "email_taken");
  EXPECT_EQ(world.events(), Types{});
}

TEST_F(Users, ARepeatedRegistrationGetsTheFirstAnswer) {
  const User user = register_user("ada@example.org", "key-1").value();
  EXPECT_EQ(register_user("ada@example.org", "key-1").value().id(), user.id());
  EXPECT_EQ(world.events(), (Types{"user.created"}));
}

TEST_F(Users, ReadAndChangeTheirProfile) {
  const User user = register_user("ada@example.org").value();
  const Principal me = user_principal(user.id());
  UpdateMeRequest change;
  change.set_display_name("Ada L.");
  EXPECT_EQ(world.call<User>(change, me).value().display_name(), "Ada L.");
  const User read = world.query<User>(GetMeRequest(), me).value();
  EXPECT_EQ(read.display_name(), "Ada L.");
  EXPECT_EQ(read.language(), "de");  // left out: stays
  EXPECT_EQ(world.events(), (Types{"user.created", "user.updated"}));
  change.set_language("");  // RFC 7396: what is given and empty is taken away
  EXPECT_EQ(world.call<User>(change, me)->language(), "");
  EXPECT_EQ(world.events(), (Types{"user.updated"}));
  EXPECT_EQ(world.call<User>(change, me)->display_name(), "Ada L.");
  EXPECT_EQ(world.events(), Types{});  // nothing is new
  EXPECT_EQ(world.query<User>(GetMeRequest(), system_principal()).error().code, Code::kNotFound);
}

TEST_F(Users, AreFoundByAddress) {
  const User ada = register_user("ada@example.org").value(), bob = register_user("bob@example.org").value();
  ListUsersRequest request;
  request.set_email("BOB@example.org");
  const auto found = world.query<ListUsersResponse>(request).value();
  ASSERT_EQ(found.users_size(), 1);
  EXPECT_EQ(found.users(0).id(), bob.id());
  const auto all = world.query<ListUsersResponse>(ListUsersRequest()).value();
  ASSERT_EQ(all.users_size(), 2);
  EXPECT_EQ(all.users(1).id(), ada.id());
  GetUserRequest get;
  get.set_id(ada.id());
  EXPECT_EQ(world.query<User>(get)->email(), "ada@example.org");
}

TEST_F(Users, AdministratorsAreMadeByTheCommandLine) {
  const User admin = make_admin("root@example.org").value();
  ASSERT_EQ(admin.roles_size(), 1);
  EXPECT_EQ(admin.roles(0), ADMIN);
  EXPECT_EQ(admin.display_name(), "root@example.org");
  EXPECT_TRUE(bearer(login("root@example.org")->access_token())->has(ADMIN));
}

TEST_F(Users, ARoleChangeEndsTokensIssuedBefore) {
  const User admin = make_admin("root@example.org").value(), ada = register_user("ada@example.org").value();
  const TokenPair before = login("ada@example.org").value();
  EXPECT_EQ(reason(bearer(before.access_token())), "");
  world.advance(kSecond);
  world.events();
  ASSERT_EQ(reason(set_roles(ada.id(), {USER, SUPPORT}, user_principal(admin.id(), {ADMIN}))), "");
  EXPECT_EQ(world.events(), (Types{"user.role_changed"}));
  EXPECT_EQ(reason(bearer(before.access_token())), "invalid_token");
  world.advance(kMillisecond);
  EXPECT_TRUE(bearer(refresh(before.refresh_token())->access_token())->has(SUPPORT));

  TokenAuthenticator restarted{key_ring(""), api_keys_in(world.store()), world.clock()};
  ASSERT_TRUE(load_revocations(world.store(), restarted));
  EXPECT_EQ(reason(restarted.authenticate(before.access_token())), "invalid_token");
  // The same roles again change nothing.
  ASSERT_EQ(reason(set_roles(ada.id(), {SUPPORT, USER}, user_principal(admin.id(), {ADMIN}))), "");
  EXPECT_EQ(world.events(), Types{});
}

TEST_F(Users, TheLastAdministratorStays) {
  const User admin = make_admin("root@example.org").value(), ada = register_user("ada@example.org").value();
  const Principal caller = user_principal(admin.id(), {ADMIN});
  const auto refused = set_roles(admin.id(), {USER}, caller);
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(refused.error().reason, "last_admin");
  ASSERT_EQ(reason(set_roles(ada.id(), {ADMIN}, caller)), "");
  EXPECT_EQ(reason(set_roles(admin.id(), {USER}, caller)), "is_party") << "of his own roles another decides";
  EXPECT_EQ(reason(set_roles(admin.id(), {ADMIN, SUPPORT}, caller)), "is_party");
  EXPECT_EQ(reason(set_roles(admin.id(), {USER}, user_principal(ada.id(), {ADMIN}))), "");
  EXPECT_EQ(reason(set_roles(ada.id(), {USER}, caller)), "last_admin");
  EXPECT_EQ(set_roles(derived_uuid("nobody"), {USER}, caller).error().code, Code::kNotFound);
}

struct ApiKeys : UserWorld {
  Result<CreatedApiKey> make(const Principal& caller, std::initializer_list<const char*> scopes) {
    CreateApiKeyRequest request;
    request.set_name("shop");
    for (const char* scope : scopes) request.add_scopes(scope);
    return world.call<CreatedApiKey>(request, caller);
  }
  Result<Empty> revoke(const std::string& id, const Principal& caller) {
    RevokeApiKeyRequest request;
    request.set_id(id);
    return world.call<Empty>(request, caller);
  }
};

TEST_F(ApiKeys, ActWithinTheirScopes) {
  const User ada = register_user("ada@example.org").value();
  const Principal me = signed_in("ada@example.org");
  const CreatedApiKey key = make(me, {"payments:read"}).value();
  const Principal principal = bearer(key.secret()).value();
  EXPECT_EQ(principal.kind, Principal::Kind::kApiKey);
  EXPECT_EQ(principal.user_id, ada.id());
  EXPECT_EQ(principal.scopes, (std::vector<std::string>{"payments:read"}));
  EXPECT_EQ(reason(make(me, {"ledger:write"})), "scope_not_allowed");
  EXPECT_EQ(reason(make(me, {"payments:all"})), "unknown_scope");
  EXPECT_EQ(reason(make(principal, {"payments:read"})), "forbidden");  // a key makes no keys
  const auto listed = world.query<ListApiKeysResponse>(ListApiKeysRequest(), me).value();
  ASSERT_EQ(listed.api_keys_size(), 1);
  EXPECT_EQ(listed.api_keys(0).id(), key.api_key().id());
}

TEST_F(ApiKeys, EndWhenRevoked) {
  const User ada = register_user("ada@example.org").value();
  const CreatedApiKey key = make(signed_in("ada@example.org"), {"payments:read"}).value();
  EXPECT_EQ(reason(bearer(key.secret())), "");
  EXPECT_EQ(revoke(key.api_key().id(), user_principal(derived_uuid("other"))).error().code, Code::kNotFound);
  world.events();
  EXPECT_EQ(reason(revoke(key.api_key().id(), user_principal(ada.id()))), "");
  EXPECT_EQ(reason(revoke(key.api_key().id(), user_principal(ada.id()))), "");
  EXPECT_EQ(world.events(), (Types{"user.api_key_revoked"}));
  EXPECT_EQ(reason(bearer(key.secret())), "invalid_token");
  EXPECT_EQ(world.find<Holdings>(ada.id())->api_keys(), 0u);
}

TEST_F(ApiKeys, LoseScopesWithTheRolesOfTheirUser) {
  const User one = make_admin("one@example.org").value(), two = make_admin("two@example.org").value();
  const CreatedApiKey key = make(signed_in("one@example.org"), {"ledger:write", "payments:read"}).value();
  EXPECT_EQ(bearer(key.secret())->scopes.size(), 2u);
  ASSERT_EQ(reason(set_roles(one.id(), {USER}, user_principal(two.id(), {ADMIN}))), "");
  EXPECT_EQ(bearer(key.secret())->scopes, (std::vector<std::string>{"payments:read"}));
}

TEST_F(ApiKeys, AreLimited) {
  (void)register_user("ada@example.org");
  const Principal me = signed_in("ada@example.org");
  for (int i = 0; i < 50; ++i) ASSERT_EQ(reason(make(me, {"payments:read"})), "");
  EXPECT_EQ(reason(make(me, {"payments:read"})), "too_many_api_keys");
}

// A stolen access token was enough for a key that outlives it.
TEST_F(ApiKeys, TakeAFreshSignInOrThePassword) {
  (void)register_user("ada@example.org");
  const Principal me = signed_in("ada@example.org");
  EXPECT_EQ(reason(make(me, {"payments:read"})), "");
  world.advance(15 * kMinute);
  EXPECT_EQ(reason(make(me, {"payments:read"})), "password_required");
  EXPECT_EQ(reason(make(user_principal(me.user_id), {"payments:read"})), "password_required");
  CreateApiKeyRequest request;
  request.set_name("shop");
  request.add_scopes("payments:read");
  request.set_current_password("wrong");
  for (int i = 0; i < 5; ++i) {
    const auto refused = world.call<CreatedApiKey>(request, me);
    EXPECT_EQ(refused.error().reason, "invalid_credentials");
    EXPECT_EQ(refused.error().field, "currentPassword");
  }
  request.set_current_password(kPassword);
  EXPECT_EQ(reason(world.call<CreatedApiKey>(request, me)), "sign_in_delayed");
  world.advance(kSecond);
  EXPECT_EQ(reason(world.call<CreatedApiKey>(request, me)), "");
  EXPECT_EQ(reason(make(me, {"payments:read"})), "") << "the password was given a moment ago";
  world.advance(15 * kMinute);
  EXPECT_EQ(reason(make(me, {"payments:read"})), "password_required");
}

}  // namespace
}  // namespace micropay
