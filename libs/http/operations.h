// The operations port: metrics and health for the machines that watch this process. Bound to loopback by
// default and never to be reached from outside: it asks nobody who they are.
#pragma once

#include <functional>
#include <string>

#include "libs/http/server.h"

namespace micropay {

struct Health {
  bool started = false;  // the engine has loaded what it needs
  bool ready = false;    // takes requests: neither starting nor draining, and what it needs is there
  // Why it is not ready, in the answer's body: a stable word, and a sentence for people.
  std::string reason = {}, detail = {};
};

HttpHandler operations_handler(std::function<Health()> health);

}  // namespace micropay
