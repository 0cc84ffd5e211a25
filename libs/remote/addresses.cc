#include "libs/remote/addresses.h"

#include <algorithm>

namespace micropay {

std::vector<std::string> split_addresses(std::string_view list) {
  std::vector<std::string> items;
  while (!list.empty()) {
    const size_t end = std::min(list.find(','), list.size());
    std::string_view item = list.substr(0, end);
    while (item.ends_with('/') || item.ends_with(' ')) item.remove_suffix(1);
    while (item.starts_with(' ')) item.remove_prefix(1);
    if (!item.empty()) items.emplace_back(item);
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return items;
}

}  // namespace micropay
