// What a path asks for. Pure.
//
//   /{application}/{profile}[/{label}]                      an environment
//   /[{label}/]{application}-{profile}.(yml|yaml|properties|json)   the same merged into one file
//   /{application}/{profile}/{label}/{path}                 a file as it is
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/error.h"
#include "services/config/rules/environment.h"

namespace micropay::config {

struct Target {
  enum class Form : uint8_t { kEnvironment, kYaml, kProperties, kJson, kPlain };
  Form form = Form::kEnvironment;
  EnvironmentRequest request;
  std::string name;  // as the path has it: "payment,shared"
  std::string path;  // of kPlain
};

// `path` starts with '/' and is percent-encoded; with `default_label` a plain file's path follows the
// profile. A label stands in a path with "(_)" for '/'. Errors: route_not_found, invalid_name, invalid_label,
// invalid_path.
Result<Target> read_target(std::string_view path, bool default_label);

// Branches, tags and commits as git has them, and nothing that a command or a file system could take for
// something else: no "..", no leading '-' or '/', no control characters or blanks. At most 200 characters.
bool is_label(std::string_view label);

}  // namespace micropay::config
