// The ids that a message names: which field means which record does not matter, an id is of one only.
#pragma once

#include <functional>
#include <string_view>

#include "libs/contract/model.h"

namespace micropay::contract {

// Every UUID of a text field, also in messages of messages; until `each` returns false.
void each_id(const google::protobuf::Message& message, const std::function<bool(std::string_view)>& each);

}  // namespace micropay::contract
