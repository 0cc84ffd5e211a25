// Passwords as Argon2id hashes in PHC string form, "$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>". A hash
// costs about 20 MiB and 25 ms on purpose: call it from a preparation on a worker, never from a handler.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "libs/base/error.h"

namespace micropay {

// The first choice of OWASP's Password Storage Cheat Sheet for Argon2id.
struct PasswordCost {
  uint32_t memory_kib = 19'456;
  uint32_t passes = 2;
};
// For tests and the simulator, which sign in thousands of times.
constexpr PasswordCost kCheapPasswordCost{.memory_kib = 8, .passes = 1};

// `salt`: 16 bytes, random and new each time (random_salt); a simulator's own. kUnavailable when there is no
// memory.
Result<std::string> hash_password(std::string_view password, std::string_view salt, PasswordCost cost = {});
std::string random_salt();

// In constant time; false for a hash that is none. The cost is the hash's own.
bool verify_password(const std::string& hash, std::string_view password);

// The first of the hashes that is the password's; none. Hashes of one salt and cost are computed once.
std::optional<size_t> matching_hash(std::span<const std::string> hashes, std::string_view password);
// The salt of a hash; empty when it is none.
std::string salt_of(const std::string& hash);
// A hash that no password matches and that costs as much to verify as a real one: for users that do not
// exist.
std::string dummy_hash(PasswordCost cost = {});

}  // namespace micropay
