// Words that somebody mistyped, and the nearest of those that there are: what errors about names suggest.
#pragma once

#include <cstddef>
#include <string_view>

namespace micropay {

// How many characters must be added, removed or replaced to make one of the other; letters of either case are
// the same.
size_t edit_distance(std::string_view a, std::string_view b);

// The first of the items whose distance is least; null when it is more than `most` for all.
template <typename Items, typename Distance>
auto nearest_of(const Items& items, size_t most, Distance distance) -> decltype(&*items.begin()) {
  decltype(&*items.begin()) nearest = nullptr;
  size_t least = most;
  for (const auto& item : items) {
    const size_t found = distance(item);
    if (found < least || (nearest == nullptr && found == least)) least = found, nearest = &item;
  }
  return nearest;
}

}  // namespace micropay
