// The messages of the contracts for the targets that take any of them, and what "the same" means for two.
#pragma once

#include <string>
#include <vector>

#include "libs/contract/model.h"

namespace micropay::fuzz {

// Prototypes of every request, answer, record and event.
const std::vector<const contract::Message*>& messages();
inline const std::string& name_of(const contract::Message& message) {
  return message.GetDescriptor()->name();
}

// Its bytes with maps in order: equal for equal messages, NaN included.
std::string bytes_of(const contract::Message& message);

// Whether simdjson, which did not write it, takes it.
bool is_json(std::string_view text);

}  // namespace micropay::fuzz
