// Settings in the forms that clients ask for. Pure.
#pragma once

#include <string>
#include <vector>

#include "services/config/rules/environment.h"

namespace micropay::config {

// {"name":"payment","profiles":["eu"],"label":null,"version":"…","state":null,"propertySources":[…]}
std::string environment_json(const Environment& environment, std::string_view name);

// Flat keys as the nested maps and lists that they stand for.
std::string nested_json(const std::vector<Property>& properties);
std::string nested_yaml(const std::vector<Property>& properties);

}  // namespace micropay::config
