// What a service is made from. Everything a service reads of the world outside its handlers comes through
// here, once, at start.
#pragma once

#include <string>

#include "libs/base/settings.h"
#include "libs/base/time.h"
#include "libs/runtime/service.h"

namespace micropay {

struct Parts {
  Settings& settings;
  std::string data_folder;  // empty: nothing is kept (tests, simulator)
  const Clock& clock = system_clock();
};

}  // namespace micropay
