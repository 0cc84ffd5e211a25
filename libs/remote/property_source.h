// Settings as Spring Cloud Config speaks of them: flat keys with typed values, gathered in named sources of
// which the earlier one wins. What the config service makes and the config client takes apart.
//
//   for (const Property& one : merged(sources)) use(one.key, one.value.text);
//
// Pure values; never fails.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace micropay {

struct PropertyValue {
  enum class Kind : uint8_t { kText, kNumber, kBool };
  Kind kind = Kind::kText;
  std::string text;  // a number as it was written, a bool as true or false

  bool operator==(const PropertyValue&) const = default;
};

struct Property {
  std::string key;  // "gateway.rate.read", "servers[0].host"
  PropertyValue value;

  bool operator==(const Property&) const = default;
};

struct PropertySource {
  std::string name;  // "file:/etc/micropay/config/payment-production.yml"
  std::vector<Property> properties;

  bool operator==(const PropertySource&) const = default;
};

// Every key once, in the order of first appearance, the strongest source's value. A list is taken whole from
// the strongest source that has any of it: otherwise a shorter list would keep the tail of the one that it
// replaces.
std::vector<Property> merged(const std::vector<PropertySource>& sources);

// "servers" of "servers[0].host": what is before the first index. Empty when the key is of no list.
std::string_view list_of(std::string_view key);

}  // namespace micropay
