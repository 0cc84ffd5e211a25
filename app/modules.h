// The services of this binary. modules.cc is the only file that knows them all.
#pragma once

#include <string>
#include <vector>

#include "libs/runtime/parts.h"

namespace micropay::app {

// The services with these names, or all when none is named, in the order of the table. All are made so that
// every setting has its reader; those not named are dropped. Error: unknown_service, naming the nearest and
// listing all.
Result<std::vector<Service>> make_services(const Parts& parts, const std::vector<std::string>& names);

// Of these, those with the names; unknown_service as above.
Result<void> keep_only(std::vector<Service>& services, const std::vector<std::string>& names);

// "payment,balance" or repeated options, to names.
std::vector<std::string> split_names(const std::vector<std::string>& lists);

}  // namespace micropay::app
