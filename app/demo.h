// --demo: sample users of every role, wallets with money, and some history, made through the engine like
// anything a client does. Only an empty platform is filled; one that has the demo users is left as it is.
#pragma once

#include <string>

#include "libs/runtime/engine.h"

namespace micropay::app {

enum class Demo : uint8_t {
  kSeeded,   // just now
  kPresent,  // by an earlier start
  kForeign,  // other users are there: nothing was made
};
// The engine must be running.
Result<Demo> seed_demo(Engine& engine);

// The logins, and a tour with curl that works when pasted. `address` is the gateway's: "127.0.0.1:8080".
std::string demo_text(const std::string& address);

}  // namespace micropay::app
