// Who asks for something: a person, a key, or the system itself. The gateway makes it of a token; handlers
// and the audit trail read it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "contracts/options.pb.h"

namespace micropay {

// Who asks. The system itself (timers, events, the command line) has kind kSystem and may do everything.
struct Principal {
  enum class Kind : uint8_t { kAnonymous, kUser, kApiKey, kSystem } kind = Kind::kAnonymous;
  std::string user_id;
  std::string session_id;
  uint32_t role_bits = 0;  // contract::role_bit(ADMIN) | ...
  std::vector<std::string> scopes;
  std::string address;  // of the client, for sign-in delays and audit

  bool has(Role role) const { return role_bits >> role & 1; }
  bool staff() const;         // ADMIN, SUPPORT or AUDITOR
  std::string actor() const;  // user id, "system", "anonymous"
};
const Principal& system_principal();

}  // namespace micropay
