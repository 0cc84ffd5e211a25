#include "services/config/rules/environment.h"

#include <algorithm>

#include "services/config/rules/document.h"
#include "services/config/rules/profiles.h"

namespace micropay::config {
namespace {

constexpr std::string_view kShared = "application";  // for every application
constexpr std::string_view kExtensions[] = {".properties", ".yml", ".yaml"};
constexpr size_t kMaxNames = 20;
constexpr size_t kMaxNameLength = 100;

bool is_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !name.empty() && name.size() <= kMaxNameLength && name != "." && name != ".." &&
         std::ranges::all_of(name, allowed);
}

Result<void> add_file(Environment& environment, const FileTree& tree, const std::string& path) {
  const auto file = tree.files.find(path);
  if (file == tree.files.end()) return {};
  auto documents = TRY(read_documents(path, file->second));
  for (size_t i = documents.size(); i-- > 0;) {
    const std::string& expression = documents[i].on_profile;
    if (!expression.empty() && !matches(expression, environment.request.profiles)) continue;
    std::string name = tree.location + path;
    if (documents.size() > 1) name += fmt::format(" (document #{})", i);
    environment.sources.push_back({std::move(name), std::move(documents[i].properties)});
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> split_checked(std::string_view list, std::string_view what) {
  std::vector<std::string> names;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    names.emplace_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  if (names.size() > kMaxNames || !std::ranges::all_of(names, is_name))
    return fail(Code::kInvalidArgument, "invalid_name",
                "names are of letters, digits, '-', '_' and '.', at most 20 with commas between",
                std::string(what));
  return names;
}

Result<Environment> make_environment(const FileTree& tree, EnvironmentRequest request) {
  Environment environment{.request = std::move(request), .version = tree.version};
  std::vector<std::string> names;  // the strongest first
  for (size_t i = environment.request.applications.size(); i-- > 0;)
    if (environment.request.applications[i] != kShared) names.push_back(environment.request.applications[i]);
  names.emplace_back(kShared);
  std::vector<std::string> suffixes;
  for (size_t i = environment.request.profiles.size(); i-- > 0;)
    suffixes.push_back("-" + environment.request.profiles[i]);
  suffixes.emplace_back();
  for (const std::string& suffix : suffixes)
    for (const std::string& name : names)
      for (const std::string& root : tree.roots)
        for (const std::string_view extension : kExtensions)
          TRY(add_file(environment, tree, fmt::format("{}{}{}{}", root, name, suffix, extension)));
  return environment;
}

const std::string* find_plain_file(const FileTree& tree, std::string_view path,
                                   const std::vector<std::string>& profiles) {
  const size_t slash = path.rfind('/');
  const size_t dot = path.rfind('.');
  const bool extended = dot != path.npos && (slash == path.npos || dot > slash);
  const std::string_view stem = extended ? path.substr(0, dot) : path;
  const std::string_view extension = extended ? path.substr(dot) : std::string_view();
  std::vector<std::string> names;
  for (size_t i = profiles.size(); i-- > 0;)
    names.push_back(fmt::format("{}-{}{}", stem, profiles[i], extension));
  names.emplace_back(path);
  for (const std::string& name : names) {
    for (const std::string& root : tree.roots) {
      const auto found = tree.files.find(root + name);
      if (found != tree.files.end()) return &found->second;
    }
  }
  return nullptr;
}

}  // namespace micropay::config
