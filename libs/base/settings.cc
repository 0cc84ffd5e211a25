// Settings: layers of given text, typed readers over them, and one report of everything that was wrong.
#include "libs/base/settings.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <functional>
#include <optional>
#include <set>
#include <sstream>

#include "libs/base/check.h"
#include "libs/base/words.h"

namespace micropay {
namespace {

constexpr std::string_view kPrefix = "MICROPAY_";
constexpr std::string_view kTestPrefix = "MICROPAY_TEST_";  // for test tools, not settings
constexpr size_t kMaxDepth = 8;
constexpr size_t kMaxNodes = 10'000;
constexpr std::string_view kMask = "***";

std::string variable_of(std::string_view key) {
  std::string name(kPrefix);
  for (const char c : key)
    name += c == '.' || c == '-' ? '_' : char(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

// Lower-case words with underscores, joined by dots: what maps to one variable name and to a YAML path.
bool well_formed(std::string_view key) {
  if (key.empty() || key.front() == '.' || key.back() == '.') return false;
  return std::ranges::all_of(
      key, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.'; });
}

std::optional<int64_t> parse_integer(std::string_view text) {
  int64_t value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

std::string joined(std::initializer_list<std::string_view> words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

Error unreadable(std::string detail) {
  return {Code::kInvalidArgument, "config_unreadable", std::move(detail), {}, {}};
}

bool anything(const std::string&) { return true; }

std::optional<bool> parse_flag(std::string_view text) {
  if (text == "on" || text == "true") return true;
  if (text == "off" || text == "false") return false;
  return {};
}

// Of each setting its key and its variable, and of a secret those of its file.
std::set<std::string, std::less<>> known_names(const std::vector<SettingInfo>& declared) {
  std::set<std::string, std::less<>> known;
  for (const SettingInfo& info : declared) {
    for (const char* suffix : {"", "_file"}) {
      if (*suffix != 0 && !info.secret) continue;
      known.insert(info.key + suffix);
      known.insert(variable_of(info.key + suffix));
    }
  }
  return known;
}

using Put = std::function<void(const std::string& key, const std::string& value, int line)>;

// Calls `put` for every leaf. A section or key with nothing after its colon counts as absent. An alias may
// lead back to where it stands, or unfold to billions of values: both are cut.
void flatten(const YAML::Node& node, const std::string& key, size_t depth, size_t& nodes, const Put& put) {
  const int line = node.Mark().line + 1;
  if (depth > kMaxDepth || ++nodes > kMaxNodes)
    throw YAML::Exception(node.Mark(), "more or deeper than settings are");
  if (node.IsMap()) {
    for (const auto& entry : node)
      flatten(entry.second, key.empty() ? entry.first.Scalar() : key + "." + entry.first.Scalar(), depth + 1,
              nodes, put);
  } else if (node.IsSequence()) {
    std::string list;
    for (const auto& item : node) list += (list.empty() ? "" : ",") + item.as<std::string>();
    put(key, list, line);
  } else if (node.IsScalar()) {
    put(key, node.Scalar(), line);
  }
}

}  // namespace

Result<void> Settings::load_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::unexpected(unreadable(fmt::format("cannot read the configuration file {}", path)));
  return load_text(std::string(std::istreambuf_iterator(file), {}), path);
}

Result<void> Settings::load_text(std::string_view yaml, const std::string& path) {
  try {
    const YAML::Node root = YAML::Load(std::string(yaml));
    if (!root.IsMap() && !root.IsNull())
      return std::unexpected(unreadable(fmt::format("{}: expected a map of settings at the top", path)));
    size_t nodes = 0;
    flatten(root, "", 0, nodes, [&](const std::string& key, const std::string& value, int line) {
      const auto [at, fresh] = layers_[kFile].try_emplace(key, value, fmt::format("{}:{}", path, line));
      if (!fresh)
        problems_.push_back(
            fmt::format("{}:{}: {} is given a second time, first at {}", path, line, key, at->second.source));
    });
  } catch (const YAML::Exception& error) {
    return std::unexpected(unreadable(fmt::format("{}:{}: {}", path, error.mark.line + 1, error.msg)));
  }
  return {};
}

void Settings::load_environment(const char* const* environment) {
  for (; *environment != nullptr; ++environment) {
    const std::string_view entry(*environment);
    const size_t equals = entry.find('=');
    if (!entry.starts_with(kPrefix) || entry.starts_with(kTestPrefix) || equals == std::string_view::npos)
      continue;
    const std::string name(entry.substr(0, equals));
    layers_[kEnvironment][name] = {std::string(entry.substr(equals + 1)), name};
  }
}

Result<void> Settings::set(std::string_view assignment) {
  const size_t equals = assignment.find('=');
  if (equals == std::string_view::npos || equals == 0)
    return fail(Code::kInvalidArgument, "invalid_setting",
                fmt::format("--set {}: expected key=value, such as --set fraud.mode=shadow", assignment));
  give(assignment.substr(0, equals), assignment.substr(equals + 1), "--set");
  return {};
}

void Settings::give(std::string_view key, std::string_view value, std::string_view source) {
  layers_[kFlags][std::string(key)] = {std::string(value), std::string(source)};
}

const Settings::Given* Settings::given(std::string_view key) const {
  for (int layer = kLayers - 1; layer >= 0; --layer) {
    const auto found =
        layer == kEnvironment ? layers_[layer].find(variable_of(key)) : layers_[layer].find(key);
    if (found != layers_[layer].end()) return &found->second;
  }
  return nullptr;
}

SettingInfo& Settings::declare(std::string_view key, const std::string& standard, std::string allowed,
                               std::string_view help, Apply allows) {
  for (const SettingInfo& info : declared_) {
    if (variable_of(info.key) != variable_of(key)) continue;
    fmt::print(stderr, "setting {} is declared in two places (also as {})\n", key, info.key);
    CHECK(!"a setting has one reader: let it pass the value on");
  }
  CHECK(well_formed(key));
  SettingInfo info{std::string(key), standard, standard, "default", std::move(allowed), std::string(help)};
  if (const Given* given = this->given(key)) info.value = given->value, info.source = given->source;
  own_.push_back({.allows = std::move(allows), .in_force = info.value});
  return declared_.emplace_back(std::move(info));
}

void Settings::reject(SettingInfo& info, const Given& given) {
  const auto remote = layers_[kRemote].find(info.key);
  if (remote != layers_[kRemote].end() && &remote->second == &given) refused_.push_back(info.key);
  else
    problems_.push_back(fmt::format("{}: {} = \"{}\" is not allowed; expected {}", given.source, info.key,
                                    given.value, info.allowed));
  info.value = info.standard, info.source = "default";
  own_.back().in_force = info.value;
}

Duration Settings::duration(std::string_view key, Duration standard, std::string_view help) {
  SettingInfo& info = declare(key, format_duration(standard), "a duration such as 250ms, 30s, 15m, 2h or 7d",
                              help, [](const std::string& text) { return parse_duration(text).has_value(); });
  const Given* given = this->given(key);
  if (given == nullptr) return standard;
  if (const auto value = parse_duration(given->value)) return *value;
  reject(info, *given);
  return standard;
}

int64_t Settings::integer(std::string_view key, int64_t standard, int64_t min, int64_t max,
                          std::string_view help) {
  CHECK(min <= standard && standard <= max);
  const auto allows = [min, max](const std::string& text) {
    const auto value = parse_integer(text);
    return value && min <= *value && *value <= max;
  };
  SettingInfo& info = declare(key, fmt::format("{}", standard),
                              fmt::format("an integer from {} to {}", min, max), help, allows);
  const Given* given = this->given(key);
  if (given == nullptr) return standard;
  const auto value = parse_integer(given->value);
  if (value && min <= *value && *value <= max) return *value;
  reject(info, *given);
  return standard;
}

std::string Settings::text(std::string_view key, std::string_view standard, std::string_view help) {
  return declare(key, std::string(standard), "text", help, anything).value;
}

bool Settings::flag(std::string_view key, bool standard, std::string_view help) {
  SettingInfo& info = declare(key, standard ? "on" : "off", "on, off, true or false", help,
                              [](const std::string& text) { return parse_flag(text).has_value(); });
  const Given* given = this->given(key);
  if (given == nullptr) return standard;
  if (const auto value = parse_flag(given->value)) return *value;
  reject(info, *given);
  return standard;
}

std::string Settings::choice(std::string_view key, std::string_view standard,
                             std::initializer_list<std::string_view> choices, std::string_view help) {
  CHECK(std::ranges::count(choices, standard) == 1);
  const auto allows = [all = std::vector<std::string>(choices.begin(), choices.end())](
                          const std::string& text) { return std::ranges::count(all, text) > 0; };
  SettingInfo& info = declare(key, std::string(standard), "one of " + joined(choices), help, allows);
  const Given* given = this->given(key);
  if (given != nullptr && std::ranges::count(choices, given->value) == 0) reject(info, *given);
  return info.value;
}

std::string Settings::secret(std::string_view key, std::string_view help) {
  const std::string file_key = std::string(key) + "_file";
  SettingInfo& info =
      declare(key, "", fmt::format("a secret, or {} with its path", file_key), help, anything);
  info.secret = true;
  const Given* direct = given(key);
  const Given* file = given(file_key);
  if (direct != nullptr && file != nullptr) {
    problems_.push_back(fmt::format("{} ({}) and {} ({}) are both given; remove one", key, direct->source,
                                    file_key, file->source));
  }
  std::string value = direct != nullptr ? direct->value : "";
  if (direct == nullptr && file != nullptr) {
    info.source = file->source;
    std::ifstream stream(file->value, std::ios::binary);
    std::ostringstream content;
    if (!stream || !(content << stream.rdbuf()))
      problems_.push_back(fmt::format("{}: {} = \"{}\" cannot be read", file->source, file_key, file->value));
    value = content.str();
    if (value.ends_with('\n')) value.pop_back();
    if (value.ends_with('\r')) value.pop_back();
  }
  info.value = value.empty() ? "" : kMask;
  own_.back().in_force = value;
  return value;
}

// Takes a key or a variable name and answers in kind. A key written without its section is matched to its end
// first.
std::string Settings::nearest(std::string_view name) const {
  const bool variable = name.starts_with(kPrefix);
  std::vector<std::string> candidates;
  for (const SettingInfo& info : declared_) {
    candidates.push_back(variable ? variable_of(info.key) : info.key);
    if (info.secret) candidates.push_back(candidates.back() + (variable ? "_FILE" : "_file"));
  }
  const std::string* found = nearest_of(candidates, SIZE_MAX, [&](const std::string& candidate) {
    return !variable && candidate.ends_with("." + std::string(name)) ? 0 : edit_distance(name, candidate);
  });
  return found == nullptr ? "" : *found;
}

Result<void> Settings::finish() const {
  const auto known = known_names(declared_);
  std::vector<std::string> unknown;
  for (size_t layer = kFile; layer < kLayers; ++layer) {
    for (const auto& [name, given] : layers_[layer]) {
      if (known.contains(name)) continue;
      const std::string subject = given.source == name ? name : given.source + ": " + name;
      unknown.push_back(fmt::format("{} is no setting; the nearest is {}", subject, nearest(name)));
    }
  }
  const char* reason = unknown.empty() ? "invalid_setting" : "unknown_setting";
  unknown.insert(unknown.end(), problems_.begin(), problems_.end());
  if (unknown.empty()) return {};
  return fail(Code::kInvalidArgument, reason, fmt::format("{}", fmt::join(unknown, "\n")));
}

void Settings::give_remote(const Values& values, std::string_view source) {
  layers_[kRemote].clear();
  for (const auto& [key, value] : values) layers_[kRemote][key] = {value, std::string(source)};
}

void Settings::live(std::string_view key, Apply apply) {
  for (size_t i = 0; i < declared_.size(); ++i) {
    if (declared_[i].key != key) continue;
    declared_[i].live = true;
    own_[i].apply = std::move(apply);
    return;
  }
  CHECK(!"a live setting is declared by its reader first");
}

Settings::TakenOver Settings::take_over(const Values& values, std::string_view source) {
  give_remote(values, source);
  TakenOver taken;
  for (size_t i = 0; i < declared_.size(); ++i) take_over_one(declared_[i], own_[i], taken);
  return taken;
}

void Settings::take_over_one(SettingInfo& info, Declared& own, TakenOver& taken) {
  const Given* given = this->given(info.key);
  if (given == nullptr && info.secret && this->given(info.key + "_file") != nullptr) return;
  const std::string value = given == nullptr ? info.standard : given->value;
  if (value == own.in_force) return;
  if (!own.allows(value)) return taken.refused.push_back(info.key);
  if (!own.apply) return taken.needs_restart.push_back(info.key);
  if (!own.apply(value)) return taken.refused.push_back(info.key);
  own.in_force = value;
  info.value = info.secret && !value.empty() ? std::string(kMask) : value;
  info.source = given == nullptr ? "default" : given->source;
  taken.applied.push_back(info.key);
}

std::vector<std::string> Settings::unknown_remote() const {
  const auto known = known_names(declared_);
  std::vector<std::string> unknown;
  for (const auto& [key, given] : layers_[kRemote])
    if (!known.contains(key)) unknown.push_back(key);
  return unknown;
}

std::string Settings::print() const {
  std::vector<const SettingInfo*> sorted;
  size_t key_width = 3, value_width = 5, source_width = 6;
  for (const SettingInfo& info : declared_) {
    sorted.push_back(&info);
    key_width = std::max(key_width, info.key.size());
    value_width = std::max(value_width, std::min<size_t>(info.value.size(), 32));
    source_width = std::max(source_width, info.source.size());
  }
  std::ranges::sort(sorted, {}, &SettingInfo::key);
  std::string out;
  const auto row = [&](std::string_view key, std::string_view value, std::string_view source,
                       std::string_view help) {
    out += fmt::format("{:{}}  {:{}}  {:{}}  {}\n", key, key_width, value, value_width, source, source_width,
                       help);
  };
  row("KEY", "VALUE", "SOURCE", "HELP");
  for (const SettingInfo* info : sorted) row(info->key, info->value, info->source, info->help);
  return out;
}

}  // namespace micropay
