#include "libs/security/tokens.h"

#include <simdjson.h>

#include "contracts/options.pb.h"
#include "libs/base/check.h"
#include "libs/base/ids.h"
#include "libs/contract/validate.h"
#include "libs/security/encoding.h"

namespace micropay {
namespace {

namespace dom = simdjson::dom;

std::string role_names(uint32_t role_bits) {
  std::string out;
  for (int role = Role_MIN; role <= Role_MAX; ++role)
    if (role_bits >> role & 1) out += fmt::format(R"({}"{}")", out.empty() ? "" : ",", Role_Name(Role(role)));
  return out;
}

std::unexpected<Error> invalid() {
  return fail(Code::kUnauthenticated, "invalid_token", "The token is not valid.");
}

struct Parts {
  std::string_view header, payload, signature, signed_text;
};

std::optional<Parts> split(std::string_view token) {
  const size_t first = token.find('.');
  if (first == token.npos) return {};
  const size_t second = token.find('.', first + 1);
  if (second == token.npos || token.find('.', second + 1) != token.npos) return {};
  return Parts{token.substr(0, first), token.substr(first + 1, second - first - 1), token.substr(second + 1),
               token.substr(0, second)};
}

// The key that the header names; none unless it is exactly ours: another alg, "crit" or a key of the sender's
// own (jwk, jku, x5c) is never followed.
std::optional<std::string> key_id_of(std::string_view header_text) {
  const std::optional<std::string> header = from_base64url(header_text);
  dom::parser parser;
  dom::object members;
  if (!header || parser.parse(*header).get(members) || members.size() != 3) return {};
  std::string_view algorithm, type, key_id;
  if (members["alg"].get(algorithm) || members["typ"].get(type) || members["kid"].get(key_id)) return {};
  if (algorithm != "EdDSA" || type != "at+jwt") return {};
  return std::string(key_id);
}

// Of a payload whose signature holds; it is checked all the same, for a key may be shared by mistake.
std::optional<Claims> read_claims(const std::string& payload) {
  dom::parser parser;
  dom::element document;
  std::string_view issuer, audience, user, session, id;
  dom::array roles;
  int64_t issued_s = 0, issued_us = 0, expires_s = 0;
  if (parser.parse(payload).get(document) || document["iss"].get(issuer) || document["aud"].get(audience) ||
      document["sub"].get(user) || document["sid"].get(session) || document["jti"].get(id) ||
      document["roles"].get(roles) || document["iat"].get(issued_s) || document["iat_us"].get(issued_us) ||
      document["exp"].get(expires_s))
    return {};
  if (issuer != kTokenIssuer || audience != kTokenIssuer || !is_uuid(user) || !is_uuid(session)) return {};
  if (expires_s <= 0 || expires_s > INT64_MAX / kSecond) return {};
  if (issued_us < 0 || issued_us / kSecond != issued_s) return {};
  Claims claims{std::string(user), std::string(session), std::string(id), 0, issued_us, expires_s * kSecond};
  if (claims.expires_at - claims.issued_at > kLongestTokenLife) return {};
  for (const dom::element element : roles) {
    std::string_view name;
    Role role;
    if (element.get(name) || !Role_Parse(std::string(name), &role)) return {};
    claims.role_bits |= contract::role_bit(role);
  }
  return claims;
}

}  // namespace

Result<std::string> sign_token(KeyRing& keys, const Claims& claims) {
  // Nothing here needs JSON escapes: ids, numbers and names of an enum.
  CHECK(is_uuid(claims.user_id) && is_uuid(claims.session_id) && is_uuid(claims.id));
  CHECK(claims.expires_at - claims.issued_at <= kLongestTokenLife);
  const std::string key_id = TRY(keys.current_key_id());
  const std::string header = fmt::format(R"({{"alg":"EdDSA","typ":"at+jwt","kid":"{}"}})", key_id);
  const std::string payload =
      fmt::format(R"({{"iss":"{0}","aud":"{0}","sub":"{1}","sid":"{2}","jti":"{3}","roles":[{4}],)"
                  R"("iat":{5},"iat_us":{6},"exp":{7}}})",
                  kTokenIssuer, claims.user_id, claims.session_id, claims.id, role_names(claims.role_bits),
                  claims.issued_at / kSecond, claims.issued_at, claims.expires_at / kSecond);
  std::string token = to_base64url(header) + "." + to_base64url(payload);
  const Signature signature = TRY(keys.sign(key_id, token));
  return token.append(".").append(to_base64url(signature.bytes));
}

Error keys_unknown() {
  return {.code = Code::kUnavailable,
          .reason = "keys_unknown",
          .detail = "The keys that tokens are checked with are not known here at present: try again.",
          .retry_after_s = 2};
}

Result<Claims> verify_token(KeyRing& keys, std::string_view token, Time now) {
  if (token.size() > kMaxTokenBytes) return invalid();
  const std::optional<Parts> parts = split(token);
  if (!parts) return invalid();
  const std::optional<std::string> key_id = key_id_of(parts->header);
  const std::optional<std::string> signature = from_base64url(parts->signature);
  if (key_id && signature && keys.may_lack(*key_id)) return std::unexpected(keys_unknown());
  if (!key_id || !signature || !keys.verify(*key_id, parts->signed_text, *signature)) return invalid();
  const std::optional<std::string> payload = from_base64url(parts->payload);
  std::optional<Claims> claims = payload ? read_claims(*payload) : std::nullopt;
  if (!claims || claims->issued_at > now + kClockSkew) return invalid();
  if (claims->expires_at <= now)
    return fail(Code::kUnauthenticated, "token_expired", "The token has expired.");
  return std::move(*claims);
}

}  // namespace micropay
