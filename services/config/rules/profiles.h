// Profile expressions as Spring has them: names, !, &, |, parentheses; commas mean any of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace micropay::config {

// Whether the expression holds with these profiles. One that cannot be read holds never: settings meant for
// somebody else must not be given to all.
bool matches(std::string_view expression, const std::vector<std::string>& profiles);

}  // namespace micropay::config
