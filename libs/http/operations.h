// The operations port: metrics and health for the machines that watch this process. Bound to loopback by
// default and never to be reached from outside: it asks nobody who they are.
#pragma once

#include <functional>

#include "libs/http/server.h"

namespace micropay {

struct Health {
  bool started = false;  // the engine has loaded what it needs
  bool ready = false;    // takes requests: neither starting nor draining
};

HttpHandler operations_handler(std::function<Health()> health);

}  // namespace micropay
