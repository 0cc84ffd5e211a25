// Asks the operations port of a running platform.
#pragma once

#include <string>
#include <string_view>

#include "libs/base/error.h"
#include "libs/base/time.h"

namespace micropay::app {

// The body of a GET that is answered 200. kUnavailable when nothing listens at `address` (host:port), it does
// not answer in time, or what answers is no operations port.
Result<std::string> get_from_ops(const std::string& address, std::string_view path, Duration timeout);

}  // namespace micropay::app
