// A committed tick as the applier takes it: its rows as they stand in the log record, so that they are made
// into columns from a few bytes that lie side by side, and the messages that the engine made can go.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "libs/store/store.h"

namespace micropay {

struct PackedTick {
  struct Change {
    const contract::Table* table = nullptr;
    std::string_view key, row;  // the row's protobuf bytes
    bool erased = false;
  };
  uint64_t number = 0;
  std::vector<std::shared_ptr<const EventRecord>> events;
  std::vector<Change> changes;
  std::shared_ptr<const void> payload;  // what the changes look into
};

using PackedTickPtr = std::unique_ptr<PackedTick>;

}  // namespace micropay
