// Tokens: only what we made is taken. Each forgery that people try has its line.
#include "libs/security/tokens.h"

#include <gtest/gtest.h>

#include "libs/base/ids.h"
#include "libs/contract/validate.h"
#include "libs/security/encoding.h"

namespace micropay {
namespace {

constexpr Time kNow = 1'700'000'000 * kSecond + 123'456;

Claims claims() {
  return {.user_id = derived_uuid("user"),
          .session_id = derived_uuid("session"),
          .id = derived_uuid("token"),
          .role_bits = contract::role_bit(USER) | contract::role_bit(ADMIN),
          .issued_at = kNow,
          .expires_at = 1'700'000'900 * kSecond};
}

struct Tokens : testing::Test {
  std::shared_ptr<KeyRing> keys = KeyRing::from_seed("tokens");
  std::string reason(std::string_view token, Time now = kNow) {
    const Result<Claims> result = verify_token(*keys, token, now);
    return result ? "" : result.error().reason;
  }
  // Any header and payload with a right signature of our key.
  std::string signed_token(std::string_view header, std::string_view payload) {
    std::string token = to_base64url(header) + "." + to_base64url(payload);
    const std::string signature = keys->sign(keys->current_key_id().value(), token).value().bytes;
    return token + "." + to_base64url(signature);
  }
  std::string header() { return *from_base64url(token().substr(0, token().find('.'))); }
  std::string payload() {
    const std::string text = token();
    const size_t first = text.find('.'), second = text.rfind('.');
    return *from_base64url(std::string_view(text).substr(first + 1, second - first - 1));
  }
  std::string token() { return sign_token(*keys, claims()).value(); }
  std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const size_t at = text.find(from);
    EXPECT_NE(at, text.npos) << from;
    return text.replace(at, from.size(), to);
  }
};

// A gateway that has no keys, or cannot ask for newer ones, does not know of a good token that it is wrong.
TEST_F(Tokens, OfAKeyThatMayOnlyBeMissingAreNotJudged) {
  const auto ring = KeyRing::verifying();
  const auto reason = [&](std::string_view token) {
    const Result<Claims> result = verify_token(*ring, token, kNow);
    return result ? "" : result.error().reason;
  };
  EXPECT_TRUE(ring->empty());
  EXPECT_EQ(reason(token()), "keys_unknown");
  EXPECT_EQ(reason("no.token.atall"), "invalid_token");
  ASSERT_TRUE(ring->show(keys->jwks()));
  EXPECT_FALSE(ring->empty());
  EXPECT_EQ(reason(token()), "");
  const std::string newer = sign_token(*KeyRing::from_seed("newer"), claims()).value();
  EXPECT_EQ(reason(newer), "invalid_token");
  ring->set_outdated(true);
  EXPECT_EQ(reason(newer), "keys_unknown");
  EXPECT_EQ(reason(token()), "");
  EXPECT_EQ(reason(token().substr(0, token().size() - 4) + "AAAA"), "invalid_token");
  ring->set_outdated(false);
  EXPECT_EQ(reason(newer), "invalid_token");
}

TEST_F(Tokens, ComeBackAsTheyWere) {
  const Claims back = verify_token(*keys, token(), kNow).value();
  EXPECT_EQ(back.user_id, claims().user_id);
  EXPECT_EQ(back.session_id, claims().session_id);
  EXPECT_EQ(back.id, claims().id);
  EXPECT_EQ(back.role_bits, claims().role_bits);
  EXPECT_EQ(back.issued_at, claims().issued_at);
  EXPECT_EQ(back.expires_at, claims().expires_at);
  EXPECT_EQ(reason(signed_token(header(), payload())),
            "");  // so that the forgeries below differ in one thing
}

TEST_F(Tokens, ExpireToTheMicrosecond) {
  EXPECT_EQ(reason(token(), claims().expires_at - 1), "");
  EXPECT_EQ(reason(token(), claims().expires_at), "token_expired");
  EXPECT_EQ(reason(token(), kNow - kClockSkew), "");
  EXPECT_EQ(reason(token(), kNow - kClockSkew - 1), "invalid_token");
}

TEST_F(Tokens, OfAnotherHeaderAreRefused) {
  const std::string kid = keys->current_key_id().value();
  const std::string headers[] = {
      R"({"alg":"none"})",
      R"({"alg":"none","typ":"at+jwt","kid":")" + kid + "\"}",
      R"({"alg":"HS256","typ":"at+jwt","kid":")" + kid + "\"}",
      R"({"alg":"EdDSA","typ":"JWT","kid":")" + kid + "\"}",
      R"({"alg":"EdDSA","typ":"at+jwt","kid":"unknown"})",
      R"({"alg":"EdDSA","typ":"at+jwt"})",
      R"({"alg":"EdDSA","typ":"at+jwt","kid":7})",
      R"({"alg":"EdDSA","typ":"at+jwt","crit":["b64"],"b64":false,"kid":")" + kid + "\"}",
      R"({"alg":"EdDSA","typ":"at+jwt","jwk":{"kty":"OKP"},"kid":")" + kid + "\"}",
      "[]",
      "",
      "{",
  };
  for (const std::string& each : headers)
    EXPECT_EQ(reason(signed_token(each, payload())), "invalid_token") << each;
}

TEST_F(Tokens, WithoutOurSignatureAreRefused) {
  const std::string good = token();
  const size_t second = good.rfind('.');
  std::string changed = good;
  changed[second - 2] = changed[second - 2] == 'A' ? 'B' : 'A';
  EXPECT_EQ(reason(changed), "invalid_token");
  EXPECT_EQ(reason(good.substr(0, second)), "invalid_token");
  EXPECT_EQ(reason(good.substr(0, second + 1)), "invalid_token");
  EXPECT_EQ(reason(good + "="), "invalid_token");
  EXPECT_EQ(reason(good + ".x"), "invalid_token");
  EXPECT_EQ(reason(""), "invalid_token");
  EXPECT_EQ(reason(".."), "invalid_token");
  EXPECT_EQ(reason(std::string(kMaxTokenBytes + 1, 'a')), "invalid_token");
  // Right in everything, by another key.
  EXPECT_EQ(reason(sign_token(*KeyRing::from_seed("elsewhere"), claims()).value()), "invalid_token");
  // Forged after expiry must not be told apart from forged before.
  EXPECT_EQ(reason(changed, claims().expires_at + 1), "invalid_token");
}

TEST_F(Tokens, OfAnotherPayloadAreRefused) {
  const std::pair<std::string, std::string> changes[] = {
      {R"("iss":"micropay")", R"("iss":"other")"},
      {R"("aud":"micropay")", R"("aud":"other")"},
      {"\"sub\":\"", "\"sub\":\"x"},
      {"\"sid\":\"", "\"sid\":\"x"},
      {R"("roles":["USER","ADMIN"])", R"("roles":["ROOT"])"},
      {R"("roles":["USER","ADMIN"])", R"("roles":"ADMIN")"},
      {R"("iat":1700000000)", R"("iat":1700000001)"},
      {R"("exp":1700000900)", R"("exp":9223372036854775807)"},
      {R"("exp":1700000900)", R"("exp":1800000000)"},
      {R"("exp":1700000900)", R"("exp":"1700000900")"},
      {R"("exp":1700000900)", R"("nbf":1700000900)"},
  };
  for (const auto& [from, to] : changes)
    EXPECT_EQ(reason(signed_token(header(), replaced(payload(), from, to))), "invalid_token") << to;
}

// libsodium took 0xff for an A: one token had many texts. Found by fuzz/token.cc.
TEST_F(Tokens, HaveOneTextOnly) {
  EXPECT_EQ(from_base64url("QUFB"), "AAA");
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text{'Q', 'U', 'F', char(byte)};
    const auto bytes = from_base64url(text);
    EXPECT_TRUE(!bytes || to_base64url(*bytes) == text) << byte;
  }
}

// Issued before 1970 and expiring in the last second there is: the difference wrapped to less than no time,
// and the token was good for ever. Only who holds the key can make it. Found while fuzz/token.cc was written.
TEST_F(Tokens, OfAnEndlessLifeAreRefused) {
  std::string endless = replaced(payload(), R"("iat":1700000000)", R"("iat":-9223372036854)");
  endless = replaced(endless, R"("iat_us":1700000000123456)", R"("iat_us":-9223372036854775808)");
  endless = replaced(endless, R"("exp":1700000900)", R"("exp":9223372036854)");
  EXPECT_EQ(reason(signed_token(header(), endless)), "invalid_token");
}

}  // namespace
}  // namespace micropay
