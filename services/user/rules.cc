#include "services/user/rules.h"

#include <arpa/inet.h>

#include "libs/base/check.h"
#include "libs/base/ids.h"
#include "libs/contract/validate.h"
#include "libs/security/encoding.h"

namespace micropay::user_rules {
namespace {

using contract::role_bit;

constexpr size_t kIdBytes = 16, kRandomBytes = 32;
constexpr uint32_t kEverybody = ~uint32_t(0);

struct ScopeRow {
  std::string_view name;
  uint32_t roles;  // one of them is enough
};
const ScopeRow kScopes[] = {
    {"payments:read", kEverybody},
    {"payments:write", kEverybody},
    {"ledger:read", role_bit(ADMIN) | role_bit(AUDITOR)},
    {"ledger:write", role_bit(ADMIN)},
};

const ScopeRow* find_scope(std::string_view name) {
  for (const ScopeRow& row : kScopes)
    if (row.name == name) return &row;
  return nullptr;
}

}  // namespace

std::string normal_email(std::string_view email) {
  std::string out(email);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  return out;
}

std::string code_of(uint64_t random, uint32_t nth) {
  return nth <= kShortCodes ? fmt::format("{:06}", random % 1'000'000)
                            : fmt::format("{:012}", random % 1'000'000'000'000);
}

Duration sign_in_delay(uint32_t failures, const Patience& patience) {
  if (failures < patience.free) return 0;
  const uint32_t doublings = std::min(failures - patience.free, 20u);
  return std::min(kSecond << doublings, patience.longest);
}

std::string source_of(const std::string& address) {
  in6_addr bytes;
  if (inet_pton(AF_INET6, address.c_str(), &bytes) != 1) return address;
  char text[INET6_ADDRSTRLEN];
  if (IN6_IS_ADDR_V4MAPPED(&bytes)) return inet_ntop(AF_INET, &bytes.s6_addr[12], text, sizeof text);
  std::fill_n(&bytes.s6_addr[8], 8, uint8_t(0));
  return std::string(inet_ntop(AF_INET6, &bytes, text, sizeof text)) + "/64";
}

uint32_t seconds_to_wait(Time not_before, Time now) {
  return not_before <= now ? 0 : uint32_t((not_before - now + kSecond - 1) / kSecond);
}

Result<Roles> normal_roles(const Roles& roles) {
  Roles out = roles;
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  for (const int role : out)
    if (role == ROLE_UNSPECIFIED || !Role_IsValid(role))
      return fail(Code::kInvalidArgument, "unknown_role", "There is no such role.", "roles");
  if (out.empty()) return fail(Code::kInvalidArgument, "required", "A user has at least one role.", "roles");
  return out;
}

uint32_t role_bits(const Roles& roles) {
  uint32_t bits = 0;
  for (const int role : roles) bits |= role_bit(Role(role));
  return bits;
}

Result<void> check_scopes(const Scopes& scopes, uint32_t bits) {
  for (int i = 0; i < scopes.size(); ++i) {
    const ScopeRow* row = find_scope(scopes[i]);
    const std::string field = fmt::format("scopes[{}]", i);
    if (row == nullptr)
      return fail(Code::kInvalidArgument, "unknown_scope",
                  "Scopes are payments:read, payments:write, ledger:read, ledger:write.", field);
    if ((row->roles & bits) == 0)
      return fail(Code::kPermissionDenied, "scope_not_allowed", "Your roles do not allow this scope.", field);
  }
  return {};
}

std::vector<std::string> usable_scopes(const Scopes& scopes, uint32_t bits) {
  std::vector<std::string> out;
  for (const std::string& scope : scopes)
    if (const ScopeRow* row = find_scope(scope); row != nullptr && (row->roles & bits) != 0)
      out.push_back(scope);
  return out;
}

std::optional<ApiKeyGrant> grant_of(const ApiKey& key, const User& user) {
  if (key.revoked() || user.status() != User::ACTIVE) return {};
  ApiKeyGrant grant;
  grant.set_user_id(key.user_id());
  for (std::string& scope : usable_scopes(key.scopes(), role_bits(user.roles())))
    grant.add_scopes(std::move(scope));
  grant.set_secret_hash(key.secret_hash());
  return grant;
}

Time token_expiry(Time now, Duration ttl) { return (now / kSecond + ttl / kSecond) * kSecond; }

std::string secret_id(Time now, std::string_view random) {
  CHECK(random.size() == 10);
  Uuid id;
  const uint64_t ms = uint64_t(now) / 1000;
  for (size_t i = 0; i < 6; ++i) id[i] = uint8_t(ms >> (40 - 8 * i));
  std::copy_n(random.begin(), random.size(), id.begin() + 6);
  id[6] = (id[6] & 0x0f) | 0x70;
  id[8] = (id[8] & 0x3f) | 0x80;
  return format_uuid(id);
}

std::string make_refresh_token(std::string_view session_id, std::string_view family,
                               std::string_view secret) {
  const std::optional<Uuid> id = parse_uuid(session_id);
  CHECK(id && family.size() == kRandomBytes && secret.size() == kRandomBytes);
  std::string bytes(id->begin(), id->end());
  return to_base64url(bytes.append(family).append(secret));
}

std::optional<RefreshToken> read_refresh_token(std::string_view text) {
  const std::optional<std::string> bytes = from_base64url(text);
  if (!bytes) return {};
  const bool old = bytes->size() == kIdBytes + kRandomBytes;
  if (!old && bytes->size() != kIdBytes + 2 * kRandomBytes) return {};
  Uuid id;
  std::copy_n(bytes->begin(), kIdBytes, id.begin());
  return RefreshToken{format_uuid(id), old ? "" : bytes->substr(kIdBytes, kRandomBytes)};
}

std::string successor_secret(std::string_view token, std::string_view salt) {
  return secret_digest(std::string(salt).append(token));
}

}  // namespace micropay::user_rules
