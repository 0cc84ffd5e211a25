// The audit chain walked entry by entry, to name the first that is broken.
#pragma once

#include <string>

#include "app/evidence.h"

namespace micropay::app {

// The first entry that its event in the log and the entry before do not make; empty when all are whole.
// `entries`: so many are.
std::string broken_chain(const Evidence& evidence, uint64_t& entries);

}  // namespace micropay::app
