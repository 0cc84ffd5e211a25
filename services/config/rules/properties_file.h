// Java's .properties form: read, and written so that Java reads the same again.
#pragma once

#include "services/config/rules/document.h"

namespace micropay::config {

// UTF-8. A line "#---" begins a new document.
Result<std::vector<Document>> read_properties(std::string_view path, std::string_view content);

// "key: value" lines.
std::string write_properties(const std::vector<Property>& properties);

}  // namespace micropay::config
