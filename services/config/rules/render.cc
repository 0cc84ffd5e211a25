#include "services/config/rules/render.h"

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "libs/contract/json.h"

namespace micropay::config {
namespace {

using Kind = PropertyValue::Kind;

constexpr size_t kMaxDepth = 64;  // of a made tree: deeper keys stay flat

void append_value(std::string& out, const PropertyValue& value) {
  if (value.kind == Kind::kText) contract::append_json_string(out, value.text);
  else out += value.text;
}

// A key's place in the nested form. Children keep the order in which they came.
struct Branch {
  const PropertyValue* value = nullptr;
  std::vector<std::pair<std::string, Branch>> children;
  std::unordered_map<std::string, size_t> places;

  Branch& child(std::string_view name) {
    const auto [place, fresh] = places.try_emplace(std::string(name), children.size());
    if (fresh) children.emplace_back(name, Branch());
    return children[place->second].second;
  }
  // Whether the children are [0], [1], … in any order; a list is written in theirs.
  bool is_list() {
    if (children.empty()) return false;
    for (size_t i = 0; i < children.size(); ++i)
      if (!places.contains(fmt::format("[{}]", i))) return false;
    return true;
  }
  Branch& item(size_t index) { return children[places.at(fmt::format("[{}]", index))].second; }
};

// "a.b[0].c" to a, b, [0], c. False when it is no such path.
bool split_path(std::string_view key, std::vector<std::string_view>& parts) {
  parts.clear();
  while (!key.empty()) {
    const bool index = key.front() == '[';
    const size_t end = index ? key.find(']') + 1 : std::min(key.find_first_of(".["), key.size());
    if (end == 0 || parts.size() == kMaxDepth) return false;  // no bracket closes, or nothing between dots
    parts.push_back(key.substr(0, end));
    key.remove_prefix(end);
    if (key.starts_with('.')) {
      key.remove_prefix(1);
      if (key.empty()) return false;
    } else if (!key.empty() && key.front() != '[') {
      return false;
    }
  }
  return !parts.empty();
}

// A key that is a value and has others below it cannot be both in a tree: what comes later stays flat.
void add(Branch& root, const Property& property) {
  std::vector<std::string_view> parts;
  Branch* at = &root;
  if (split_path(property.key, parts)) {
    for (const std::string_view part : parts) {
      at = &at->child(part);
      if (at->value != nullptr) break;
    }
  }
  if (at == &root || at->value != nullptr || !at->children.empty()) at = &root.child(property.key);
  at->value = &property.value;
}

Branch tree_of(const std::vector<Property>& properties) {
  Branch root;
  for (const Property& property : properties) add(root, property);
  return root;
}

void append_json(std::string& out, Branch& branch) {
  if (branch.value != nullptr) return append_value(out, *branch.value);
  const bool list = branch.is_list();
  out += list ? '[' : '{';
  for (size_t i = 0; i < branch.children.size(); ++i) {
    if (i > 0) out += ',';
    if (list) {
      append_json(out, branch.item(i));
      continue;
    }
    contract::append_json_string(out, branch.children[i].first);
    out += ':';
    append_json(out, branch.children[i].second);
  }
  out += list ? ']' : '}';
}

// A word that every reader of YAML takes for the same text.
bool plain(std::string_view text) {
  static constexpr std::string_view kTaken[] = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"};
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto other = [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '/';
  };
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  return !text.empty() && letter(text.front()) && std::ranges::all_of(text, other) &&
         std::ranges::count(kTaken, lower) == 0;
}

void append_yaml_text(std::string& out, std::string_view text) {
  if (plain(text)) out += text;
  else contract::append_json_string(out, text);  // a JSON string is YAML
}

// What stands behind "key:" or "-": a scalar on the same line, or lines below, deeper by two.
void append_yaml(std::string& out, Branch& branch, size_t indent) {
  if (branch.value != nullptr) {
    out += ' ';
    if (branch.value->kind == Kind::kText) append_yaml_text(out, branch.value->text);
    else out += branch.value->text;
    out += '\n';
    return;
  }
  const bool list = branch.is_list();
  if (!out.empty()) out += '\n';
  for (size_t i = 0; i < branch.children.size(); ++i) {
    out.append(indent, ' ');
    if (list) {
      out += '-';
      append_yaml(out, branch.item(i), indent + 2);
      continue;
    }
    append_yaml_text(out, branch.children[i].first);
    out += ':';
    append_yaml(out, branch.children[i].second, indent + 2);
  }
}

void append_text_or_null(std::string& out, std::string_view text) {
  if (text.empty()) out += "null";
  else contract::append_json_string(out, text);
}

}  // namespace

std::string environment_json(const Environment& environment, std::string_view name) {
  std::string out = "{\"name\":";
  contract::append_json_string(out, name);
  out += ",\"profiles\":[";
  for (const std::string& profile : environment.request.profiles) {
    if (out.back() != '[') out += ',';
    contract::append_json_string(out, profile);
  }
  out += "],\"label\":";
  append_text_or_null(out, environment.request.label);
  out += ",\"version\":";
  append_text_or_null(out, environment.version);
  out += ",\"state\":null,\"propertySources\":[";
  for (const PropertySource& source : environment.sources) {
    if (out.back() != '[') out += ',';
    out += "{\"name\":";
    contract::append_json_string(out, source.name);
    out += ",\"source\":{";
    for (const Property& property : source.properties) {
      if (out.back() != '{') out += ',';
      contract::append_json_string(out, property.key);
      out += ':';
      append_value(out, property.value);
    }
    out += "}}";
  }
  return out + "]}";
}

std::string nested_json(const std::vector<Property>& properties) {
  Branch root = tree_of(properties);
  std::string out;
  append_json(out, root);
  return out;
}

std::string nested_yaml(const std::vector<Property>& properties) {
  if (properties.empty()) return "{}\n";
  Branch root = tree_of(properties);
  std::string out;
  append_yaml(out, root, 0);
  return out;
}

}  // namespace micropay::config
