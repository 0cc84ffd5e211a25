// Test twin of a contract: the message All has every kind of field, with and without bounds; what the tests
// of JSON and of validation read, write and refuse.
#pragma once

#include "libs/contract/contract_twin.h"

namespace micropay::contract {

const Model& kinds();

}  // namespace micropay::contract
