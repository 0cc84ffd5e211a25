// What comes out of a topic.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "libs/store/store.h"

namespace micropay::kafka {

struct Partition {
  std::string topic;
  uint32_t number = 0;
  auto operator<=>(const Partition&) const = default;
};

struct Consumed {
  std::shared_ptr<const EventRecord> event;
  std::string_view topic;  // lives as long as whoever gave it
  uint32_t partition = 0;
  uint64_t offset = 0;
};

}  // namespace micropay::kafka
