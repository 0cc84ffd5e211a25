// The parts of the reference page, each a text of its own language in a raw string: HTML here, style and
// script beside. The page reads /openapi.json and /events.json and needs nothing from anywhere else.
#pragma once

#include <string>
#include <string_view>

#include "libs/contract/model.h"

namespace micropay::gateway {

extern const std::string_view kReferenceStyle;
extern const std::string_view kReferenceScript;

std::string reference_page();
// A Content-Security-Policy that lets exactly this style and this script run, and calls to this server.
std::string reference_policy();

// The events of the contracts: [{"type","topic","service","key","summary","fields":[…],"audience":[…]}].
std::string events_json(const contract::Model& model);

}  // namespace micropay::gateway
