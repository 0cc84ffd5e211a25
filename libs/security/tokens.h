// Access tokens: JSON Web Tokens (RFC 7519, profile RFC 9068 "at+jwt") signed with EdDSA by a KeyRing.
//
//   std::string token = TRY(sign_token(keys, {.user_id = …, .session_id = …, .role_bits = …, …}));
//   Claims claims = TRY(verify_token(keys, token, clock.now()));
//
// Verifying accepts nothing but what sign_token makes. Its errors are kUnauthenticated with reason
// token_expired or invalid_token, and never say more.
#pragma once

#include <string>
#include <string_view>

#include "libs/base/error.h"
#include "libs/base/time.h"
#include "libs/security/keys.h"

namespace micropay {

inline constexpr std::string_view kTokenIssuer = "micropay";  // claims iss and aud
constexpr size_t kMaxTokenBytes = 4096;
constexpr Duration kLongestTokenLife = 12 * kHour;  // below kRetiredKeyLife
constexpr Duration kClockSkew = kMinute;            // how far in the future iat may be

struct Claims {
  std::string user_id;     // sub
  std::string session_id;  // sid
  std::string id;          // jti
  uint32_t role_bits = 0;  // roles, by name
  Time issued_at = 0;      // iat in seconds, and iat_us to the microsecond: revocations compare with it
  Time expires_at = 0;     // exp, whole seconds
};

// A pure function of its arguments and the present key.
Result<std::string> sign_token(KeyRing& keys, const Claims& claims);
// kUnavailable keys_unknown when nobody can say here whether it is good: see KeyRing::may_lack.
Error keys_unknown();
Result<Claims> verify_token(KeyRing& keys, std::string_view token, Time now);

}  // namespace micropay
