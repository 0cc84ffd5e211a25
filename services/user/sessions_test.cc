// Sessions: refreshing, reuse, logging out, revoking; and that access tokens end with them, after a restart,
// too.
#include "libs/base/ids.h"
#include "services/user/user_world_twin.h"

namespace micropay {
namespace {

struct Sessions : UserWorld {
  User user;
  TokenPair first;
  void SetUp() override {
    UserWorld::SetUp();
    user = register_user("ada@example.org").value();
    first = login("ada@example.org").value();
    world.events();
  }
  std::string session_of(const TokenPair& pair) { return bearer(pair.access_token()).value().session_id; }
  Result<Empty> logout(const std::string& token) {
    LogoutRequest request;
    request.set_refresh_token(token);
    return world.call<Empty>(request, Principal());
  }
  Result<Empty> revoke(const std::string& id, const Principal& caller) {
    RevokeSessionRequest request;
    request.set_id(id);
    return world.call<Empty>(request, caller);
  }
};

TEST_F(Sessions, RefreshGivesNewTokensOfTheSameSession) {
  const TokenPair second = refresh(first.refresh_token()).value();
  EXPECT_NE(second.refresh_token(), first.refresh_token());
  EXPECT_EQ(session_of(second), session_of(first));
  EXPECT_EQ(world.find<Session>(session_of(first))->rotation(), 1u);
  EXPECT_EQ(reason(refresh(second.refresh_token())), "");
}

TEST_F(Sessions, AReusedTokenEndsTheSession) {
  const TokenPair second = refresh(first.refresh_token()).value();
  const auto reused = refresh(first.refresh_token());
  EXPECT_EQ(reused.error().code, Code::kUnauthenticated);
  EXPECT_EQ(reused.error().reason, "token_reused");
  EXPECT_EQ(world.events(), (Types{"user.session_revoked"}));
  EXPECT_EQ(world.all<UserSessionRevoked>().back().reason(), "token_reused");
  EXPECT_EQ(reason(refresh(second.refresh_token())), "invalid_refresh_token");
  EXPECT_EQ(reason(bearer(second.access_token())), "invalid_token");
  EXPECT_EQ(reason(bearer(first.access_token())), "invalid_token");
  EXPECT_EQ(reason(refresh(first.refresh_token())), "invalid_refresh_token");  // and nothing more happens
  EXPECT_EQ(world.events(), Types{});
}

TEST_F(Sessions, WhatIsNoRefreshTokenIsRefused) {
  for (const std::string& bad : {std::string("x"), std::string(), first.access_token(), std::string(64, 'A')})
    EXPECT_EQ(reason(refresh(bad)), "invalid_refresh_token") << bad;
  EXPECT_EQ(world.find<Session>(session_of(first))->status(), Session::ACTIVE);
}

TEST_F(Sessions, EndAfterThirtyDaysHoweverOftenRefreshed) {
  std::string token = first.refresh_token();
  const std::string id = session_of(first);
  for (int day = 0; day < 29; ++day) {
    world.advance(kDay);
    token = refresh(token).value().refresh_token();
  }
  world.advance(kDay - 1);
  EXPECT_NE(world.find<Session>(id), nullptr);
  world.advance(1);
  EXPECT_EQ(reason(refresh(token)), "invalid_refresh_token");
  EXPECT_EQ(world.find<Session>(id), nullptr);
  EXPECT_EQ(world.find<Holdings>(user.id())->session_ids_size(), 0);
}

TEST_F(Sessions, LogOutEndsTheSessionAndItsAccessTokens) {
  EXPECT_EQ(reason(logout(first.refresh_token())), "");
  EXPECT_EQ(world.events(), (Types{"user.signed_out"}));
  EXPECT_EQ(reason(bearer(first.access_token())), "invalid_token");
  EXPECT_EQ(reason(refresh(first.refresh_token())), "invalid_refresh_token");
  EXPECT_EQ(reason(logout(first.refresh_token())), "");
  EXPECT_EQ(reason(logout("nonsense")), "");
  EXPECT_EQ(world.events(), Types{});
}

TEST_F(Sessions, LogOutWithAnOldTokenEndsTheSessionToo) {
  (void)refresh(first.refresh_token());
  EXPECT_EQ(reason(logout(first.refresh_token())), "");
  EXPECT_EQ(world.events(), (Types{"user.session_revoked"}));
}

TEST_F(Sessions, AreRevokedByTheirUserOrAnAdministrator) {
  const std::string id = session_of(first);
  EXPECT_EQ(revoke(id, user_principal(derived_uuid("stranger"))).error().code, Code::kNotFound);
  EXPECT_EQ(revoke(id, user_principal(derived_uuid("support"), {SUPPORT})).error().code, Code::kNotFound);
  EXPECT_EQ(reason(bearer(first.access_token())), "");
  EXPECT_EQ(reason(revoke(id, user_principal(user.id()))), "");
  EXPECT_EQ(reason(bearer(first.access_token())), "invalid_token");
  EXPECT_EQ(reason(revoke(id, user_principal(derived_uuid("admin"), {ADMIN}))), "");  // again: nothing
  EXPECT_EQ(world.events(), (Types{"user.session_revoked"}));
}

TEST_F(Sessions, OneTooManyEndsTheOldest) {
  for (int i = 0; i < 20; ++i) (void)login("ada@example.org");
  EXPECT_EQ(world.find<Holdings>(user.id())->session_ids_size(), 20);
  EXPECT_EQ(reason(bearer(first.access_token())), "invalid_token");
  EXPECT_EQ(world.all<UserSessionRevoked>().back().reason(), "too_many");
}

TEST_F(Sessions, AreListedForTheirUserOnly) {
  (void)login("ada@example.org");
  (void)logout(first.refresh_token());
  const auto mine =
      world.query<ListSessionsResponse>(ListSessionsRequest(), user_principal(user.id())).value();
  ASSERT_EQ(mine.sessions_size(), 2);
  EXPECT_EQ(mine.sessions(0).status(), Session::ACTIVE);  // newest first
  EXPECT_EQ(mine.sessions(1).status(), Session::REVOKED);
  EXPECT_EQ(world.query<ListSessionsResponse>(ListSessionsRequest(), user_principal(derived_uuid("other")))
                ->sessions_size(),
            0);
}

TEST_F(Sessions, RevocationsHoldAfterARestart) {
  const TokenPair other = login("ada@example.org").value();
  (void)logout(first.refresh_token());
  TokenAuthenticator restarted{key_ring(""), api_keys_in(world.store()), world.clock()};
  EXPECT_EQ(reason(restarted.authenticate(first.access_token())), "");  // knows nothing yet
  ASSERT_TRUE(load_revocations(world.store(), restarted));
  EXPECT_EQ(reason(restarted.authenticate(first.access_token())), "invalid_token");
  EXPECT_EQ(reason(restarted.authenticate(other.access_token())), "");

  const std::string id = bearer(other.access_token())->session_id;
  (void)logout(other.refresh_token());
  ASSERT_NE(world.find<Revocation>(id), nullptr);
  world.advance(15 * kMinute);
  EXPECT_EQ(world.find<Revocation>(id), nullptr);  // every token that it concerned has expired
}

}  // namespace
}  // namespace micropay
