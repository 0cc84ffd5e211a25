// The user service: registration, sign-in, sessions, roles, API keys. See README.md.
#pragma once

#include "libs/runtime/parts.h"

namespace micropay {

struct UserSettings {
  explicit UserSettings(Settings& settings);
  Duration access_token_ttl;
  Duration session_ttl;
  Duration refresh_reuse_window;
  Duration fresh_sign_in;
};

// Signs with the key ring of the parts' data folder; without a folder with a fixed key and cheap password
// hashes, so that tests and the simulator come out the same each run.
Service user_service(const Parts& parts);

}  // namespace micropay
