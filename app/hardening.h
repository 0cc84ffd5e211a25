// What a process that serves does before it reads a secret: its memory holds signing keys, passwords on their
// way to be hashed, and what people own, so it leaves no core dump and lets no other process of the same user
// look into it.
#pragma once

#include "libs/base/settings.h"

namespace micropay::app {

// Declares process.core_dumps; whether they are allowed.
bool read_core_dumps(Settings& settings);
// Not to be taken back in this process.
void forbid_core_dumps();
// Every setting that ends in "listen" is an address: invalid_setting when one is none. After all are
// declared.
Result<void> check_addresses(const Settings& settings);

}  // namespace micropay::app
