// Access tokens. A first line of "token": the rest is one. Otherwise the line is a header and the rest a
// payload, both signed with our key, as a shared key would make them: what lies behind the signature is read
// as well.
#include "libs/security/tokens.h"

#include "fuzz/target.h"
#include "libs/base/check.h"
#include "libs/security/encoding.h"

namespace micropay::fuzz {
namespace {

constexpr Time kNow = 1'700'000'000 * kSecond;

void check_claims(KeyRing& keys, const std::string& token) {
  auto claims = verify_token(keys, token, kNow);
  if (!claims) {
    CHECK(claims.error().code == Code::kUnauthenticated);
    return;
  }
  CHECK(claims->expires_at > kNow);
  CHECK(claims->issued_at >= 0 && claims->issued_at <= kNow + kClockSkew);
  CHECK(claims->expires_at - claims->issued_at <= kLongestTokenLife);
}

void run(std::string_view bytes) {
  static const ManualClock clock(kNow);
  static const std::shared_ptr<KeyRing> keys = KeyRing::from_seed("fuzz", clock);
  const std::string_view line = take_line(bytes);
  if (auto decoded = from_base64url(bytes)) CHECK(to_base64url(*decoded) == bytes);
  if (line == "token") return check_claims(*keys, std::string(bytes));
  const std::string key_id = keys->current_key_id().value();
  std::string header(line);
  if (const size_t at = header.find("KID"); at != header.npos) header.replace(at, 3, key_id);
  std::string token = to_base64url(header) + "." + to_base64url(bytes);
  const Signature signature = keys->sign(key_id, token).value();
  check_claims(*keys, token + "." + to_base64url(signature.bytes));
}

const Register kRegistered("token", run);

}  // namespace
}  // namespace micropay::fuzz
