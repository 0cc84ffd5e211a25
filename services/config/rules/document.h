// A file of settings, read: YAML and Java properties, each of one or several documents, as flat keys. A
// document may be for certain profiles only.
//
// Limits: 1 MiB a file, 20,000 values, 32 levels. Error: settings_malformed, with file and line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/error.h"
#include "libs/remote/property_source.h"

namespace micropay::config {

struct Document {
  std::string on_profile;  // an expression (profiles.h); empty: always
  std::vector<Property> properties;
};

constexpr size_t kMaxFileBytes = 1 << 20;

// The documents in the order of the file: a later one wins. `path` ends in .yml, .yaml or .properties, and is
// what an error names.
Result<std::vector<Document>> read_documents(std::string_view path, std::string_view content);

// Plain scalars that are JSON numbers, true or false keep their type. YAML 1.1's on, off, yes and no stay
// words: a setting of ours may be called so, and who wants a bool of them takes it from the word.
PropertyValue typed_scalar(std::string_view text);

}  // namespace micropay::config
