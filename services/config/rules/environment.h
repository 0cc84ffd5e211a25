// Which files make the settings of an application, and in which order. Pure: over a tree of files in memory.
//
// Strongest first, as Spring has it, for application "payment" with profiles "eu,live" (the last profile
// wins):
//   payment-live  application-live  payment-eu  application-eu  payment  application
// and for each name the roots in their order, .properties before .yml before .yaml, a file's later documents
// before its earlier ones.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/error.h"
#include "libs/remote/property_source.h"

namespace micropay::config {

// Everything at one version: what a backend gives, and what answers are made of. Never changed once made.
struct FileTree {
  std::string location;  // before a path in the names of sources: "file:/etc/micropay/config/"
  std::string version;   // a commit, or a digest of the files
  std::map<std::string, std::string, std::less<>> files;  // path below the root -> content
  std::vector<std::string> roots = {
      ""};  // folders in which settings are looked for, "x/"; the strongest first
};
using FileTreePtr = std::shared_ptr<const FileTree>;

struct EnvironmentRequest {
  std::vector<std::string> applications;  // the last is the strongest
  std::vector<std::string> profiles;      // the last is the strongest
  std::string label;                      // empty: the backend's default
};

struct Environment {
  EnvironmentRequest request;
  std::string version;
  std::vector<PropertySource> sources;  // the strongest first
};

// Error: settings_malformed, when a file that belongs to it cannot be read as settings.
Result<Environment> make_environment(const FileTree& tree, EnvironmentRequest request);

// "a,b" to names. Error: invalid_name when there are none, more than 20, or one is not made of letters,
// digits,
// '-', '_', '.'; "." and ".." are none either.
Result<std::vector<std::string>> split_checked(std::string_view list, std::string_view what);

// The file of that path for the first of these that is there: with "-<profile>" before its extension,
// strongest profile first, then as it is. Null: there is none.
const std::string* find_plain_file(const FileTree& tree, std::string_view path,
                                   const std::vector<std::string>& profiles);

}  // namespace micropay::config
