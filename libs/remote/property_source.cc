#include "libs/remote/property_source.h"

#include <unordered_map>
#include <unordered_set>

namespace micropay {

std::string_view list_of(std::string_view key) {
  const size_t bracket = key.find('[');
  return bracket == key.npos ? std::string_view() : key.substr(0, bracket);
}

std::vector<Property> merged(const std::vector<PropertySource>& sources) {
  std::vector<Property> all;
  std::unordered_set<std::string_view> seen;
  std::unordered_map<std::string_view, const PropertySource*> lists;  // and who has it
  for (const PropertySource& source : sources) {
    for (const Property& property : source.properties) {
      const std::string_view list = list_of(property.key);
      if (!list.empty() && lists.try_emplace(list, &source).first->second != &source) continue;
      if (seen.insert(property.key).second) all.push_back(property);
    }
  }
  return all;
}

}  // namespace micropay
