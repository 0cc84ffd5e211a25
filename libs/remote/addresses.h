// Lists of servers as settings give them: "http://a:8888, http://b:8888/" without blanks and last slashes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace micropay {

std::vector<std::string> split_addresses(std::string_view list);

}  // namespace micropay
