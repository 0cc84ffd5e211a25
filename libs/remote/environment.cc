// Reads what a config server answers: ours, or Spring's.
#include <simdjson.h>

#include <charconv>
#include <map>

#include "libs/remote/config_client.h"
#include "libs/remote/property_source.h"

namespace micropay {
namespace {

using simdjson::dom::element;

constexpr size_t kMaxValues = 50'000;

std::string text_of(element value) {
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) return std::string(text);
  return value.is_null() ? std::string() : simdjson::minify(value);
}

std::string member_text(element object, std::string_view name) {
  element found;
  return object[name].get(found) == simdjson::SUCCESS ? text_of(found) : std::string();
}

// Spring's newer form gives a value with its origin.
element value_of(element given) {
  element inner;
  return given.is_object() && given["value"].get(inner) == simdjson::SUCCESS ? inner : given;
}

// The index of "list[3]"; -1 when it is no plain list of scalars.
int index_of(std::string_view key) {
  const size_t bracket = key.find('[');
  int index = -1;
  if (bracket == key.npos || !key.ends_with(']')) return -1;
  const char* last = key.data() + key.size() - 1;
  return std::from_chars(key.data() + bracket + 1, last, index).ptr == last ? index : -1;
}

// Settings of ours are flat: a list is one value with commas.
Settings::Values flat(const std::vector<Property>& properties) {
  Settings::Values values;
  std::map<std::string, std::map<int, std::string>> lists;
  for (const Property& property : properties) {
    const int index = index_of(property.key);
    if (index >= 0) lists[std::string(list_of(property.key))][index] = property.value.text;
    else values.emplace_back(property.key, property.value.text);
  }
  for (const auto& [key, items] : lists) {
    std::string joined;
    for (const auto& [index, item] : items) joined += (joined.empty() ? "" : ",") + item;
    values.emplace_back(key, std::move(joined));
  }
  return values;
}

std::unexpected<Error> malformed() {
  return fail(Code::kUnavailable, "malformed_settings", "The config server's answer is none.");
}

}  // namespace

Result<RemoteValues> read_environment(std::string_view json) {
  simdjson::dom::parser parser;
  element root;
  simdjson::dom::array list;
  if (parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS || !root.is_object() ||
      root["propertySources"].get(list) != simdjson::SUCCESS)
    return malformed();
  std::vector<PropertySource> sources;
  size_t values = 0;
  for (const element one : list) {
    simdjson::dom::object source;
    if (!one.is_object() || one["source"].get(source) != simdjson::SUCCESS) return malformed();
    PropertySource& read = sources.emplace_back();
    for (const auto [key, value] : source) {
      if (++values > kMaxValues) return malformed();
      read.properties.push_back({std::string(key), {.text = text_of(value_of(value))}});
    }
  }
  return RemoteValues{.values = flat(merged(sources)), .version = member_text(root, "version")};
}

}  // namespace micropay
