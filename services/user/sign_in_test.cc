// Signing in: given users, when passwords come right and wrong, then what is answered and kept.
#include "libs/security/passwords.h"
#include "services/user/user_world_twin.h"

namespace micropay {
namespace {

struct SignIn : UserWorld {};

TEST_F(SignIn, GivesTokensThatTheAuthenticatorTakes) {
  const User user = register_user("ada@example.org").value();
  world.events();
  const TokenPair pair = login("Ada@Example.org").value();
  EXPECT_EQ(pair.expires_in(), 900);
  EXPECT_EQ(pair.token_type(), "Bearer");
  const Principal principal = bearer(pair.access_token()).value();
  EXPECT_EQ(principal.user_id, user.id());
  EXPECT_TRUE(principal.has(USER));
  const Session* session = world.find<Session>(principal.session_id);
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(session->address(), "192.0.2.1");
  EXPECT_EQ(session->user_agent(), "test");
  EXPECT_EQ(session->expires_at(), session->created_at() + 30 * kDay);
  EXPECT_EQ(session->refresh_hash().find(pair.refresh_token()), std::string::npos);
  EXPECT_EQ(world.events(), (Types{"user.signed_in"}));
  world.advance(15 * kMinute);
  EXPECT_EQ(reason(bearer(pair.access_token())), "token_expired");
}

TEST_F(SignIn, IsRefusedAlikeForAWrongPasswordAndAnUnknownUser) {
  const User user = register_user("ada@example.org").value();
  world.events();
  const auto wrong = login("ada@example.org", "wrong"), unknown = login("nobody@example.org");
  for (const auto& result : {wrong, unknown}) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::kUnauthenticated);
    EXPECT_EQ(result.error().reason, "invalid_credentials");
  }
  EXPECT_EQ(wrong.error().detail, unknown.error().detail);
  EXPECT_EQ(world.events(), (Types{"user.sign_in_failed", "user.sign_in_failed"}));
  const auto failures = world.all<UserSignInFailed>();
  EXPECT_EQ(failures[0].subject(), user.id());
  EXPECT_EQ(failures[0].reason(), "wrong_password");
  EXPECT_EQ(failures[1].reason(), "unknown_user");
  EXPECT_EQ(failures[1].subject().find("nobody"), std::string::npos);
}

// Both the known and the unknown address: the same answers at the same times.
TEST_F(SignIn, WaitsLongerAndLonger) {
  register_user("ada@example.org").value();
  for (const std::string email : {"ada@example.org", "nobody@example.org"}) {
    for (int i = 0; i < 5; ++i) EXPECT_EQ(reason(login(email, "wrong")), "invalid_credentials") << email << i;
    uint32_t delay = 1;
    for (int i = 5; i < 8; ++i, delay *= 2) {
      const auto refused = login(email);
      EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
      EXPECT_EQ(refused.error().reason, "sign_in_delayed");
      EXPECT_EQ(refused.error().retry_after_s, delay);
      world.advance(delay * kSecond - 1);
      EXPECT_EQ(reason(login(email)), "sign_in_delayed");
      world.advance(1);
      EXPECT_EQ(reason(login(email, "wrong")), "invalid_credentials");
    }
    EXPECT_EQ(world.find<SignInAttempts>(email + " 192.0.2.1")->failures(),
              8u);  // tries during the wait are not counted
  }
}

TEST_F(SignIn, StartsAfreshAfterASuccessAndAfterADay) {
  register_user("ada@example.org").value();
  for (int i = 0; i < 5; ++i) (void)login("ada@example.org", "wrong");
  world.advance(kSecond);
  EXPECT_EQ(reason(login("ada@example.org")), "");
  EXPECT_EQ(world.find<SignInAttempts>("ada@example.org 192.0.2.1"), nullptr);

  (void)login("nobody@example.org");
  world.advance(kDay - kSecond);
  EXPECT_NE(world.find<SignInAttempts>("nobody@example.org 192.0.2.1"), nullptr);
  world.advance(kSecond);
  EXPECT_EQ(world.find<SignInAttempts>("nobody@example.org 192.0.2.1"), nullptr);
}

// Many guesses at once are compared by workers before the first is counted; only those before the wait learn
// anything.
TEST_F(SignIn, GuessesAtOnceDoNotEscapeTheDelay) {
  register_user("ada@example.org").value();
  std::vector<std::string> reasons;
  const contract::Method* method = contract::model().method_of<LoginRequest>();
  for (int i = 0; i < 8; ++i) {
    auto request = std::make_shared<LoginRequest>();
    request->set_email("ada@example.org");
    request->set_password(i < 7 ? "wrong" : kPassword);
    world.engine().submit({.method = method, .request = request, .done = [&](const Answer& answer) {
                             reasons.push_back(reason(answer.result));
                           }});
  }
  world.settle();
  EXPECT_EQ(std::count(reasons.begin(), reasons.end(), "invalid_credentials"), 5);
  EXPECT_EQ(std::count(reasons.begin(), reasons.end(), "sign_in_delayed"), 3);
}

// Five wrong passwords from elsewhere were enough to keep the owner out for as long as a stranger liked.
TEST_F(SignIn, StrangersKeepNobodyOut) {
  register_user("ada@example.org").value();
  ASSERT_EQ(reason(login("ada@example.org")), "");
  for (int i = 0; i < 8; ++i) (void)login("ada@example.org", "wrong", "203.0.113.9");
  EXPECT_EQ(reason(login("ada@example.org", kPassword, "203.0.113.9")), "sign_in_delayed");
  EXPECT_EQ(reason(login("ada@example.org")), "");
  EXPECT_EQ(reason(login("ada@example.org", kPassword, "198.51.100.7")), "") << "nor from a new place";
  EXPECT_EQ(reason(login("ada@example.org", kPassword, "203.0.113.9")), "sign_in_delayed")
      << "the stranger's patience is his own";
}

TEST_F(SignIn, GuessesAtManyAddressesFromOneSourceAreBounded) {
  register_user("ada@example.org").value();
  ASSERT_EQ(reason(login("ada@example.org")), "");
  int compared = 0;
  for (int i = 0; i < 150; ++i)
    compared += reason(login("user" + std::to_string(i) + "@example.org", "wrong")) == "invalid_credentials";
  EXPECT_EQ(compared, 100);
  EXPECT_EQ(reason(login("bob@example.org")), "sign_in_delayed");
  EXPECT_EQ(reason(login("ada@example.org")), "") << "she has signed in from there before";
  EXPECT_EQ(reason(login("bob@example.org", "wrong", "198.51.100.7")), "invalid_credentials");
  // A success at one's own account makes no room for guesses at others'.
  EXPECT_EQ(reason(login("bob@example.org")), "sign_in_delayed");
  world.advance(kHour);
  EXPECT_EQ(reason(login("bob@example.org", "wrong")), "invalid_credentials");
}

TEST_F(SignIn, GuessesAtOneAddressFromManySourcesAreSlowedDown) {
  for (const std::string email : {"ada@example.org", "nobody@example.org"}) {
    if (email[0] == 'a') register_user(email).value(), (void)login(email);
    const auto from = [](int i) { return "10.0." + std::to_string(i / 200) + "." + std::to_string(i % 200); };
    for (int i = 0; i < 50; ++i)
      EXPECT_EQ(reason(login(email, "wrong", from(i))), "invalid_credentials") << i;
    for (int i = 50; i < 60; ++i) {
      const auto refused = login(email, "wrong", from(i));
      EXPECT_EQ(refused.error().reason, "sign_in_delayed") << email << i;
      ASSERT_LE(refused.error().retry_after_s, 60);
      world.advance(refused.error().retry_after_s * kSecond);
      EXPECT_EQ(reason(login(email, "wrong", from(i))), "invalid_credentials") << email << i;
    }
    if (email[0] == 'a') EXPECT_EQ(reason(login(email)), "") << "a known place waits for no stranger";
  }
}

// An IPv6 attacker has 2^64 addresses; he is one source all the same.
TEST_F(SignIn, ANetworkIsOneSource) {
  for (int i = 1; i <= 5; ++i) (void)login("ada@example.org", "wrong", "2001:db8:1:2::" + std::to_string(i));
  EXPECT_EQ(reason(login("ada@example.org", "wrong", "2001:db8:1:2:ffff::")), "sign_in_delayed");
  EXPECT_EQ(reason(login("ada@example.org", "wrong", "2001:db8:1:3::1")), "invalid_credentials");
  for (int i = 0; i < 5; ++i) (void)login("bob@example.org", "wrong", "::ffff:192.0.2.77");
  EXPECT_EQ(reason(login("bob@example.org", "wrong", "192.0.2.77")), "sign_in_delayed");
}

// Who claims somebody's address, too, would else make room for guesses by signing in to his own account.
TEST_F(SignIn, AClaimMakesNoRoomForGuesses) {
  register_user("ada@example.org").value();
  world.advance(kHour);
  CreateUserRequest claim;
  claim.set_email("ada@example.org");
  claim.set_password("the stranger's password");
  claim.set_display_name("Stranger");
  ASSERT_TRUE(world.call<User>(claim, Principal{.address = "203.0.113.9"}));
  int compared = 0;
  for (int i = 0; i < 20; ++i) {
    (void)login("ada@example.org", "the stranger's password", "203.0.113.9");
    compared += reason(login("ada@example.org", "guess", "203.0.113.9")) == "invalid_credentials";
  }
  EXPECT_EQ(compared, 5);
}

TEST_F(SignIn, KnowsTheLastTenPlaces) {
  const User ada = register_user("ada@example.org").value();
  for (int i = 0; i < 12; ++i) (void)login("ada@example.org", kPassword, "10.0.0." + std::to_string(i));
  (void)login("ada@example.org", kPassword, "10.0.0.5");
  const auto& sources = world.find<KnownSources>(ada.id())->sources();
  EXPECT_EQ(sources.size(), 10);
  EXPECT_EQ(sources[0], "10.0.0.2");
  EXPECT_EQ(sources[9], "10.0.0.5");
}

// One keyboard sends n with a tilde as one character, another as two: registered here, not let in there.
TEST_F(SignIn, TakesTheSameCharactersFromAnyKeyboard) {
  CreateUserRequest request;
  request.set_email("ada@example.org");
  request.set_display_name("Ada");
  request.set_password("contrase\u00f1a larga");
  ASSERT_TRUE(world.call<User>(request, Principal()));
  EXPECT_EQ(reason(login("ada@example.org", "contrasen\u0303a larga")), "");
  EXPECT_EQ(reason(login("ada@example.org", "contrase\u00f1a\u00a0larga")), "");
  EXPECT_EQ(reason(login("ada@example.org", "contrasena larga")), "invalid_credentials");
  for (const char* common : {"1234567890", "password12", "          "}) {
    request.set_email("bob@example.org");
    request.set_password(common);
    const auto refused = world.call<User>(request, Principal());
    EXPECT_EQ(refused.error().reason, "password_too_common") << common;
    EXPECT_EQ(refused.error().field, "password");
  }
}

struct PasswordChange : UserWorld {
  Result<Empty> change(const Principal& caller, const std::string& from, const std::string& to) {
    ChangePasswordRequest request;
    request.set_current_password(from);
    request.set_new_password(to);
    return world.call<Empty>(request, caller);
  }
};

TEST_F(PasswordChange, EndsTheOtherSessions) {
  register_user("ada@example.org").value();
  const TokenPair here = login("ada@example.org").value(), elsewhere = login("ada@example.org").value();
  world.events();
  ASSERT_EQ(reason(change(bearer(here.access_token()).value(), kPassword, "another password")), "");
  EXPECT_EQ(world.events(), (Types{"user.session_revoked", "user.password_changed"}));
  EXPECT_EQ(world.all<UserSessionRevoked>().back().reason(), "password_changed");
  EXPECT_EQ(reason(bearer(here.access_token())), "");
  EXPECT_EQ(reason(bearer(elsewhere.access_token())), "invalid_token");
  EXPECT_EQ(reason(refresh(elsewhere.refresh_token())), "invalid_refresh_token");
  EXPECT_EQ(reason(refresh(here.refresh_token())), "");
  EXPECT_EQ(reason(login("ada@example.org")), "invalid_credentials");
  EXPECT_EQ(reason(login("ada@example.org", "another password")), "");
}

TEST_F(PasswordChange, CountsWrongGuessesOfTheSession) {
  register_user("ada@example.org").value();
  const Principal caller = signed_in("ada@example.org"), elsewhere = signed_in("ada@example.org");
  for (int i = 0; i < 5; ++i) {
    const auto refused = change(caller, "wrong", "another password");
    EXPECT_EQ(refused.error().code, Code::kPermissionDenied);
    EXPECT_EQ(refused.error().reason, "invalid_credentials");
  }
  EXPECT_EQ(reason(change(caller, kPassword, "another password")), "sign_in_delayed");
  EXPECT_EQ(reason(login("ada@example.org")), "");
  EXPECT_EQ(reason(change(elsewhere, kPassword, "another password")), "");
}

TEST_F(PasswordChange, TakesNoCommonOne) {
  register_user("ada.lovelace@example.org").value();
  const Principal caller = signed_in("ada.lovelace@example.org");
  for (const char* bad : {"qwertyuiop", "ada.lovelace1815"}) {
    const auto refused = change(caller, kPassword, bad);
    EXPECT_EQ(refused.error().reason, "password_too_common");
    EXPECT_EQ(refused.error().field, "newPassword");
  }
}

TEST_F(PasswordChange, WaitsForNoStranger) {
  register_user("ada@example.org").value();
  const Principal caller = signed_in("ada@example.org");
  for (const char* source : {"203.0.113.9", "192.0.2.1"})
    for (int i = 0; i < 8; ++i) (void)login("ada@example.org", "wrong", source);
  EXPECT_EQ(reason(change(caller, kPassword, "another password")), "");
}

TEST_F(PasswordChange, RevokesApiKeysWhenAsked) {
  const User ada = register_user("ada@example.org").value();
  CreateApiKeyRequest make;
  make.set_name("shop");
  make.add_scopes("payments:read");
  const auto one = world.call<CreatedApiKey>(make, signed_in("ada@example.org")).value();
  const auto two = world.call<CreatedApiKey>(make, signed_in("ada@example.org")).value();
  ASSERT_EQ(reason(change(signed_in("ada@example.org"), kPassword, "another password")), "");
  EXPECT_EQ(reason(bearer(one.secret())), "");
  ChangePasswordRequest request;
  request.set_current_password("another password");
  request.set_new_password("one more password");
  request.set_revoke_api_keys(true);
  world.events();
  ASSERT_TRUE(world.call<Empty>(request, signed_in("ada@example.org", "another password")));
  const Types types = world.events();
  EXPECT_EQ(std::ranges::count(types, "user.api_key_revoked"), 2);
  for (const auto& key : {one, two}) EXPECT_EQ(reason(bearer(key.secret())), "invalid_token");
  EXPECT_EQ(world.find<Holdings>(ada.id())->api_keys(), 0u);
}

// What a worker found with a password that has been changed since is worth nothing.
TEST_F(PasswordChange, OvertakesASignInThatIsUnderWay) {
  register_user("ada@example.org").value();
  const Principal caller = bearer(login("ada@example.org").value().access_token()).value();
  std::map<std::string, std::string> reasons;
  auto submit = [&](const auto& request, const Principal& principal, const std::string& name) {
    world.engine().submit(
        {.method = contract::model().method(request->GetDescriptor()),
         .request = request,
         .principal = principal,
         .done = [&, name](const Answer& answer) { reasons[name] = reason(answer.result); }});
  };
  auto changing = std::make_shared<ChangePasswordRequest>();
  changing->set_current_password(kPassword);
  changing->set_new_password("another password");
  auto signing_in = std::make_shared<LoginRequest>();
  signing_in->set_email("ada@example.org");
  signing_in->set_password(kPassword);
  submit(changing, caller, "change");  // both are compared with the old password,
  submit(signing_in, Principal(), "login");
  world.settle();  // then handled in this order
  EXPECT_EQ(reasons["change"], "");
  EXPECT_EQ(reasons["login"], "invalid_credentials");
}

}  // namespace
}  // namespace micropay
