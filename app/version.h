// The version of this build, in one place: `micropay version`, the OpenAPI document, the log's first line.
#pragma once

#include <string_view>

namespace micropay::app {
constexpr std::string_view kVersion = "0.1.0";
}
