#include "services/config/rules/changes.h"

#include <set>

namespace micropay::config {
namespace {

constexpr std::string_view kAny = "*";

void tell(std::set<Change>& changes, std::string_view application, std::string_view profile) {
  const bool shared = application == "application";
  changes.insert({std::string(shared ? kAny : application), std::string(profile)});
}

void tell_file(std::set<Change>& changes, std::string_view path) {
  const std::string_view file = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  const size_t dot = file.rfind('.');
  const std::string_view extension = dot == file.npos ? std::string_view() : file.substr(dot);
  if (extension != ".yml" && extension != ".yaml" && extension != ".properties")
    return tell(changes, kAny, kAny);
  const std::string_view stem = file.substr(0, dot);
  tell(changes, stem, kAny);
  for (size_t dash = stem.find('-'); dash != stem.npos; dash = stem.find('-', dash + 1))
    if (dash > 0 && dash + 1 < stem.size()) tell(changes, stem.substr(0, dash), stem.substr(dash + 1));
}

}  // namespace

std::vector<Change> changes_between(const FileTree& before, const FileTree& after) {
  std::set<Change> changes;
  for (const auto& [path, content] : after.files) {
    const auto earlier = before.files.find(path);
    if (earlier == before.files.end() || earlier->second != content) tell_file(changes, path);
  }
  for (const auto& [path, content] : before.files)
    if (!after.files.contains(path)) tell_file(changes, path);
  if (changes.contains({std::string(kAny), std::string(kAny)}))
    return {{std::string(kAny), std::string(kAny)}};
  return {changes.begin(), changes.end()};
}

}  // namespace micropay::config
