// Sessions: refreshing, reuse, logging out, revoking; and that access tokens end with them, after a restart,
// too.
#include <set>

#include "libs/base/ids.h"
#include "libs/security/encoding.h"
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

// Two tabs at once, or an answer that was lost: the same token within ten seconds has the same successor.
TEST_F(Sessions, AMomentLaterTheSameTokenGivesTheSameSuccessor) {
  const TokenPair second = refresh(first.refresh_token()).value();
  world.advance(10 * kSecond - 1);
  const TokenPair again = refresh(first.refresh_token()).value();
  EXPECT_EQ(again.refresh_token(), second.refresh_token());
  EXPECT_EQ(reason(bearer(again.access_token())), "");
  EXPECT_EQ(world.find<Session>(session_of(first))->rotation(), 1u);
  EXPECT_EQ(world.events(), Types{});
  const TokenPair third = refresh(again.refresh_token()).value();
  EXPECT_EQ(refresh(second.refresh_token())->refresh_token(), third.refresh_token());
  EXPECT_EQ(reason(refresh(third.refresh_token())), "");
}

TEST_F(Sessions, AReusedTokenEndsTheSession) {
  const TokenPair second = refresh(first.refresh_token()).value();
  world.advance(10 * kSecond);
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

// Whoever has used the successor got it: its forerunner comes from somebody else, however soon.
TEST_F(Sessions, ATokenWhoseSuccessorWasUsedEndsTheSession) {
  const TokenPair second = refresh(first.refresh_token()).value();
  const TokenPair third = refresh(second.refresh_token()).value();
  EXPECT_EQ(reason(refresh(first.refresh_token())), "token_reused");
  EXPECT_EQ(reason(refresh(third.refresh_token())), "invalid_refresh_token");
}

TEST_F(Sessions, ATokenOfLongAgoEndsTheSession) {
  std::string token = first.refresh_token();
  for (int i = 0; i < 5; ++i) token = refresh(token).value().refresh_token();
  world.advance(kDay);
  EXPECT_EQ(reason(refresh(first.refresh_token())), "token_reused");
}

// Session ids stand in lists and logs. With one anybody could end the session, by a token that never was.
TEST_F(Sessions, AForgedTokenEndsNothing) {
  (void)refresh(first.refresh_token());
  const std::string id = session_of(first), right = from_base64url(first.refresh_token()).value();
  const std::string id_bytes = right.substr(0, 16), family = right.substr(16, 32);
  const std::string forged[] = {id_bytes + std::string(32, '\0'), id_bytes + std::string(64, '\0'),
                                id_bytes + std::string(32, '\0') + right.substr(48)};
  for (const std::string& bytes : forged) {
    EXPECT_EQ(reason(refresh(to_base64url(bytes))), "invalid_refresh_token");
    EXPECT_EQ(reason(logout(to_base64url(bytes))), "");
  }
  EXPECT_EQ(world.events(), Types{});
  EXPECT_EQ(world.find<Session>(id)->status(), Session::ACTIVE);
  EXPECT_EQ(reason(bearer(first.access_token())), "");
}

TEST_F(Sessions, HaveIdsThatNobodyGuesses) {
  std::set<std::string> tails;
  for (int i = 0; i < 20; ++i) tails.insert(session_of(login("ada@example.org").value()).substr(14));
  EXPECT_EQ(tails.size(), 20u);
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
  const TokenPair second = login("ada@example.org").value();
  (void)refresh(first.refresh_token());
  (void)refresh(second.refresh_token());
  world.events();
  EXPECT_EQ(reason(logout(second.refresh_token())), "");  // another tab was faster
  EXPECT_EQ(world.events(), (Types{"user.signed_out"}));
  world.advance(10 * kSecond);
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
  world.advance(kMillisecond);
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

// No code set a user's status, so nothing showed whether anybody looked at it.
struct Suspension : Sessions {
  User admin;
  void SetUp() override {
    Sessions::SetUp();
    admin = make_admin("root@example.org").value();
  }
  template <typename Request>
  Result<User> decide(const std::string& id, const Principal& caller) {
    Request request;
    request.set_id(id);
    request.set_reason("a test");
    return world.call<User>(request, caller);
  }
};

TEST_F(Suspension, EndsSessionsTokensAndKeys) {
  CreateApiKeyRequest make;
  make.set_name("shop");
  make.add_scopes("payments:read");
  const auto key = world.call<CreatedApiKey>(make, bearer(first.access_token()).value()).value();
  EXPECT_EQ(reason(bearer(key.secret())), "");
  const Principal support = user_principal(derived_uuid("support"), {SUPPORT});
  world.events();
  ASSERT_EQ(decide<SuspendUserRequest>(user.id(), support).value().status(), User::SUSPENDED);
  EXPECT_EQ(world.events(), (Types{"user.session_revoked", "user.suspended"}));
  EXPECT_EQ(reason(bearer(first.access_token())), "invalid_token");
  EXPECT_EQ(reason(bearer(key.secret())), "invalid_token");
  EXPECT_EQ(reason(refresh(first.refresh_token())), "user_suspended");
  EXPECT_EQ(reason(login("ada@example.org", "wrong")), "invalid_credentials");
  EXPECT_EQ(reason(login("ada@example.org")), "user_suspended");
  TokenAuthenticator restarted{key_ring(""), api_keys_in(world.store()), world.clock()};
  ASSERT_TRUE(load_revocations(world.store(), restarted));
  EXPECT_EQ(reason(restarted.authenticate(first.access_token())), "invalid_token");
  EXPECT_EQ(reason(restarted.authenticate(key.secret())), "invalid_token");
  world.events();
  ASSERT_EQ(reason(decide<SuspendUserRequest>(user.id(), support)), "");  // again: nothing
  EXPECT_EQ(world.events(), Types{});
  ASSERT_EQ(decide<ReinstateUserRequest>(user.id(), support).value().status(), User::ACTIVE);
  EXPECT_EQ(world.events(), (Types{"user.reinstated"}));
  world.advance(kSecond);
  EXPECT_EQ(reason(refresh(first.refresh_token())), "invalid_refresh_token");
  EXPECT_EQ(reason(bearer(login("ada@example.org")->access_token())), "");
  world.advance(10 * kSecond);
  EXPECT_EQ(reason(bearer(key.secret())), "");
}

TEST_F(Suspension, OfStaffIsForAdministrators) {
  ASSERT_EQ(reason(set_roles(user.id(), {SUPPORT}, user_principal(admin.id(), {ADMIN}))), "");
  const Principal support = user_principal(derived_uuid("support"), {SUPPORT});
  EXPECT_EQ(reason(decide<SuspendUserRequest>(user.id(), support)), "forbidden");
  EXPECT_EQ(reason(decide<SuspendUserRequest>(user.id(), user_principal(admin.id(), {ADMIN}))), "");
  EXPECT_EQ(reason(decide<ReinstateUserRequest>(user.id(), support)), "forbidden");
}

TEST_F(Suspension, LeavesAnAdministrator) {
  const Principal caller = user_principal(admin.id(), {ADMIN});
  ASSERT_EQ(reason(set_roles(user.id(), {ADMIN}, caller)), "");
  ASSERT_EQ(reason(decide<SuspendUserRequest>(user.id(), caller)), "");
  EXPECT_EQ(reason(decide<SuspendUserRequest>(admin.id(), user_principal(derived_uuid("x"), {ADMIN}))),
            "last_admin");
  EXPECT_EQ(reason(set_roles(admin.id(), {USER}, caller)), "last_admin") << "the other one is kept out";
}

}  // namespace
}  // namespace micropay
