// Decisions of the user service as functions over values.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "contracts/user.pb.h"
#include "libs/base/error.h"
#include "libs/base/time.h"

namespace micropay::user_rules {

// How long who guesses has to wait.
struct Patience {
  uint32_t free;     // failures before the waiting begins
  Duration longest;  // wait
  Duration kept;     // after the last failure all is forgotten
};
constexpr Patience kOwnPatience{.free = 5, .longest = 15 * kMinute, .kept = kDay};
constexpr Patience kSourcePatience{.free = 100, .longest = 15 * kMinute, .kept = kHour};
constexpr Patience kAddressPatience{.free = 50, .longest = kMinute, .kept = kDay};

constexpr int kMaxSessions = 20;      // of a user; one more ends the oldest
constexpr uint32_t kMaxApiKeys = 50;  // of a user

constexpr int kMaxClaims = 4;                  // users who may sign in with one address
constexpr Duration kRepeatedWithin = kMinute;  // the same registration again is taken for a double click
constexpr Duration kCodeLife = 30 * kMinute;
constexpr uint32_t kCodeTries = 5;  // wrong ones, then it is worth nothing
constexpr uint32_t kMaxCodes = 5;   // sent to a user in kCodesCountedFor
constexpr Duration kCodesCountedFor = kHour;
constexpr uint32_t kShortCodes = 10;  // of an address in a day; later ones are longer

using Roles = google::protobuf::RepeatedField<int>;
using Scopes = google::protobuf::RepeatedPtrField<std::string>;

// Addresses are compared and kept in lower case.
std::string normal_email(std::string_view email);

// What proves an address: 6 digits of the number, or 12 for the codes that are sent to it behind the first of
// a day (`nth` counts from 1).
std::string code_of(uint64_t random, uint32_t nth);

// The wait after the failures-th failure, of five free ones: 0 0 0 0 1 2 4 … s.
Duration sign_in_delay(uint32_t failures, const Patience& patience);
// What one attacker has at once: an IPv4 address, an IPv6 network of 64 bits ("2001:db8::/64").
std::string source_of(const std::string& address);
// Whole seconds until `not_before`, rounded up; 0: it may be tried.
uint32_t seconds_to_wait(Time not_before, Time now);

// Sorted, each once. Refuses unspecified and unknown ones and none at all (unknown_role).
Result<Roles> normal_roles(const Roles& roles);
uint32_t role_bits(const Roles& roles);

// unknown_scope, or scope_not_allowed for a user of these roles.
Result<void> check_scopes(const Scopes& scopes, uint32_t role_bits);
// Those of a key's scopes that its user may still have.
std::vector<std::string> usable_scopes(const Scopes& scopes, uint32_t role_bits);
// None when the key is revoked or its user may not sign in.
std::optional<ApiKeyGrant> grant_of(const ApiKey& key, const User& user);

// "exp" is in whole seconds; a token lives no longer than it should.
Time token_expiry(Time now, Duration ttl);

// An id that only who is told it knows: a UUIDv7, so that sessions list newest first, of 10 random bytes.
std::string secret_id(Time now, std::string_view random);

// A refresh token names its session, and proves two things: that it is of the session's family, which all its
// tokens have in common, and that it is the present one. base64url(16 bytes of the id, 32 of the family, 32
// of the token). Those of the last release have no family.
struct RefreshToken {
  std::string session_id;
  std::string family;  // empty: of the last release
};
std::string make_refresh_token(std::string_view session_id, std::string_view family, std::string_view secret);
std::optional<RefreshToken> read_refresh_token(std::string_view text);
// The secret of the token that follows: nobody makes it of the salt alone, nor of the token alone.
std::string successor_secret(std::string_view token, std::string_view salt);

}  // namespace micropay::user_rules
