// The authenticator: cached but never stale. A revocation holds for tokens that were seen before it, too.
#include "libs/security/token_authenticator.h"

#include <gtest/gtest.h>

#include <thread>

#include "libs/base/ids.h"
#include "libs/base/slewed_clock.h"
#include "libs/contract/validate.h"
#include "libs/security/encoding.h"

namespace micropay {
namespace {

struct Authenticating : testing::Test {
  ManualClock clock;
  std::shared_ptr<KeyRing> keys = KeyRing::from_seed("authenticator", clock);
  std::map<std::string, ApiKeyFacts> api_keys;
  int lookups = 0;
  TokenAuthenticator authenticator{keys,
                                   [this](const std::string& id) -> std::optional<ApiKeyFacts> {
                                     ++lookups;
                                     if (!api_keys.contains(id)) return {};
                                     return api_keys[id];
                                   },
                                   clock,
                                   {.max_cached = 160}};
  std::string token(std::string_view user = "ada", std::string_view session = "s1") {
    const Time expires = (clock.now() / kSecond + 900) * kSecond;
    return sign_token(*keys, {derived_uuid(user), derived_uuid(session), derived_uuid("jti"),
                              contract::role_bit(USER), clock.now(), expires})
        .value();
  }
  std::string reason(std::string_view bearer) {
    const Result<Identity> result = authenticator.authenticate(bearer);
    return result ? "" : result.error().reason;
  }
  const std::string key_id = derived_uuid("key");
  std::string give_api_key() {
    const std::string secret = to_base64url(std::string(32, 's'));
    api_keys[key_id] = {derived_uuid("ada"), {"payments:read"}, secret_digest(secret)};
    return "mk_" + key_id + "_" + secret;
  }
};

TEST_F(Authenticating, SaysWhoItIs) {
  for (int i = 0; i < 2; ++i) {  // the second from the cache
    const Identity identity = authenticator.authenticate(token()).value();
    EXPECT_EQ(identity.principal.kind, Principal::Kind::kUser);
    EXPECT_EQ(identity.principal.user_id, derived_uuid("ada"));
    EXPECT_EQ(identity.principal.session_id, derived_uuid("s1"));
    EXPECT_TRUE(identity.principal.has(USER));
    EXPECT_FALSE(identity.principal.has(ADMIN));
    EXPECT_EQ(identity.expires_at, (clock.now() / kSecond + 900) * kSecond);
  }
  EXPECT_EQ(authenticator.cached(), 1u);
}

TEST_F(Authenticating, ACachedTokenExpires) {
  const std::string bearer = token();
  EXPECT_EQ(reason(bearer), "");
  clock.advance(15 * kMinute);
  EXPECT_EQ(reason(bearer), "token_expired");
}

// Somebody sets the wall clock an hour wrong. Before the clock was slewed, a token of an hour ahead lived an
// hour longer, and an hour back made every fresh one a token of the future.
TEST(ClockJumps, ATokenLivesAsLongAsItShould) {
  for (Duration jump : {kHour, -kHour, 30 * kDay, -30 * kDay}) {
    Time wall = 1'700'000'000 * kSecond, elapsed = 0;
    SlewedClock clock({[&] { return wall; }, [&] { return elapsed; }});
    auto keys = KeyRing::from_seed("jumps", clock);
    TokenAuthenticator authenticator(keys, {}, clock);
    const auto token = [&] {
      return sign_token(*keys, {derived_uuid("ada"), derived_uuid("s"), derived_uuid("jti"),
                                contract::role_bit(USER), clock.now(), clock.now() + 900 * kSecond})
          .value();
    };
    const auto pass = [&](Duration duration) {
      for (; duration > 0; duration -= kSecond) wall += kSecond, elapsed += kSecond, clock.now();
    };
    const std::string before = token();
    wall += jump;
    const std::string after = token();
    pass(13 * kMinute);
    for (const std::string& each : {before, after, token()}) EXPECT_TRUE(authenticator.authenticate(each));
    pass(4 * kMinute);  // 15 at nine tenths of the speed are 16.7
    for (const std::string& each : {before, after})
      EXPECT_EQ(authenticator.authenticate(each).error().reason, "token_expired") << jump;
    EXPECT_TRUE(authenticator.authenticate(token()));
  }
}

TEST_F(Authenticating, ARevokedSessionEndsAtOnce) {
  const std::string seen = token("ada", "s1"), unseen = token("ada", "s1"), other = token("ada", "s2");
  EXPECT_EQ(reason(seen), "");
  authenticator.revoke_session(derived_uuid("s1"));
  EXPECT_EQ(reason(seen), "invalid_token");
  EXPECT_EQ(reason(unseen), "invalid_token");
  EXPECT_EQ(reason(other), "");
  clock.advance(kSecond);
  EXPECT_EQ(reason(token("ada", "s1")), "invalid_token");
}

TEST_F(Authenticating, AfterAChangeOfRolesOnlyNewerTokensCount) {
  const std::string before = token(), bystander = token("bob", "s3");
  EXPECT_EQ(reason(before), "");
  authenticator.revoke_user_before(derived_uuid("ada"), clock.now());
  authenticator.revoke_user_before(derived_uuid("ada"), clock.now() - kHour);  // late news do not weaken it
  EXPECT_EQ(reason(before), "invalid_token");
  EXPECT_EQ(reason(bystander), "");
  clock.advance(1);
  EXPECT_EQ(reason(token()), "");
}

// Open streams end by it: told when the tokens are refused already, of whatever was revoked.
TEST_F(Authenticating, WhoListensIsToldOfRevocations) {
  const std::string before = token("ada", "s1");
  std::vector<std::string> told;
  authenticator.on_revoked([&](const std::string& id) {
    told.push_back(id);
    if (id == derived_uuid("s1")) EXPECT_EQ(reason(before), "invalid_token");
  });
  authenticator.revoke_session(derived_uuid("s1"));
  authenticator.revoke_api_key(derived_uuid("k1"));
  authenticator.revoke_user_before(derived_uuid("ada"), clock.now());
  EXPECT_EQ(told, (std::vector{derived_uuid("s1"), derived_uuid("k1"), derived_uuid("ada")}));
}

TEST_F(Authenticating, RevocationsThatNoTokenNeedsAreForgotten) {
  for (int i = 0; i < 3'000; ++i) {
    authenticator.revoke_session(derived_uuid(std::to_string(i)));
    clock.advance(kMinute);
  }
  EXPECT_EQ(reason(token("ada", "2999")), "invalid_token");
  EXPECT_EQ(reason(token("ada", "0")), "");  // long after; its tokens expired by themselves
}

TEST_F(Authenticating, TheCacheIsBounded) {
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(reason(token("user" + std::to_string(i))), "");
  EXPECT_LE(authenticator.cached(), 160u);
}

TEST_F(Authenticating, AForgedTokenIsNotCached) {
  EXPECT_EQ(reason(token() + "x"), "invalid_token");
  EXPECT_EQ(authenticator.cached(), 0u);
}

TEST_F(Authenticating, AnApiKeyHasScopesAndNoRoles) {
  const std::string bearer = give_api_key();
  for (int i = 0; i < 3; ++i) {
    const Identity identity = authenticator.authenticate(bearer).value();
    EXPECT_EQ(identity.principal.kind, Principal::Kind::kApiKey);
    EXPECT_EQ(identity.principal.user_id, derived_uuid("ada"));
    EXPECT_EQ(identity.principal.scopes, (std::vector<std::string>{"payments:read"}));
    EXPECT_EQ(identity.principal.role_bits, 0u);
    EXPECT_EQ(identity.expires_at, 0);
  }
  EXPECT_EQ(lookups, 1);
  clock.advance(10 * kSecond);
  EXPECT_EQ(reason(bearer), "");
  EXPECT_EQ(lookups, 2);
}

TEST_F(Authenticating, ARevokedApiKeyEndsAtOnce) {
  const std::string bearer = give_api_key();
  EXPECT_EQ(reason(bearer), "");
  api_keys.clear();
  EXPECT_EQ(reason(bearer), "");  // believed for ten seconds
  authenticator.revoke_api_key(key_id);
  EXPECT_EQ(reason(bearer), "invalid_token");
}

TEST_F(Authenticating, ARoleChangeAsksForApiKeysAgain) {
  const std::string bearer = give_api_key();
  EXPECT_EQ(reason(bearer), "");
  api_keys[key_id].scopes.clear();
  authenticator.revoke_user_before(derived_uuid("ada"), clock.now());
  EXPECT_TRUE(authenticator.authenticate(bearer).value().principal.scopes.empty());
}

TEST_F(Authenticating, WhatAnotherProcessHasToBeAskedForIsNotKnown) {
  const std::string bearer = give_api_key();
  int asked = 0;
  bool away = false;
  TokenAuthenticator remote(keys,
                            [&](const std::string& id) -> Result<std::optional<ApiKeyFacts>> {
                              ++asked;
                              if (away) return fail(Code::kUnavailable, "upstream_unavailable");
                              return api_keys.contains(id) ? std::optional(api_keys[id]) : std::nullopt;
                            },
                            clock, {.lookup_waits = true});
  EXPECT_TRUE(remote.known(token()).value());  // a token needs nobody
  EXPECT_EQ(remote.known("mk_short").value().error().reason, "invalid_token");
  EXPECT_FALSE(remote.known(bearer).has_value());
  EXPECT_EQ(asked, 0);
  EXPECT_TRUE(remote.authenticate(bearer));
  EXPECT_TRUE(remote.known(bearer).value());
  EXPECT_EQ(asked, 1);
  clock.advance(10 * kSecond);
  away = true;  // not known, and nobody can say: that is no refusal
  EXPECT_FALSE(remote.known(bearer).has_value());
  EXPECT_EQ(remote.authenticate(bearer).error().reason, "upstream_unavailable");
  away = false;
  EXPECT_TRUE(remote.authenticate(bearer));
}

TEST_F(Authenticating, WhatIsNoApiKeyIsRefused) {
  const std::string good = give_api_key();
  std::string wrong = good;
  wrong.back() = 'x';
  for (const std::string& bad :
       {wrong, good.substr(0, 39), good.substr(0, 40), std::string("mk_"), std::string("mk_x_y"),
        "mk_" + derived_uuid("other") + good.substr(39), good + "=", std::string()})
    EXPECT_EQ(reason(bad), "invalid_token") << bad;
}

TEST_F(Authenticating, ThreadsDoNotDisturbEachOther) {
  const std::string bearer = token("ada", "s1"), doomed = token("bob", "s2");
  std::vector<std::jthread> threads;
  std::atomic<int> refused = 0;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < 2'000; ++n) {
        if (!authenticator.authenticate(bearer)) ++refused;
        (void)authenticator.authenticate(doomed);
      }
    });
  authenticator.revoke_session(derived_uuid("s2"));
  for (int i = 0; i < 500; ++i) authenticator.revoke_session(derived_uuid("x" + std::to_string(i)));
  threads.clear();
  EXPECT_EQ(refused, 0);
  EXPECT_EQ(reason(doomed), "invalid_token");
}

}  // namespace
}  // namespace micropay
