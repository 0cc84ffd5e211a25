// YAML as flat keys, the way Spring flattens it: maps join with dots, lists get indices, null is "".
// Internal to document.cc.
#pragma once

#include "services/config/rules/document.h"

namespace micropay::config {

Result<std::vector<Document>> read_yaml(std::string_view path, std::string_view content);

}  // namespace micropay::config
