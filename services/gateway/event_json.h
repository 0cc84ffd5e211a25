// An event of the log as CloudEvents 1.0 JSON (structured mode), as the live stream sends it.
#pragma once

#include <string>

#include "libs/store/store.h"

namespace micropay::gateway {

void append_event_json(std::string& out, const EventRecord& event);
// User ids in the fields that the contract marks as the event's audience.
void for_each_audience(const EventRecord& event, const std::function<void(const std::string&)>& visit);

}  // namespace micropay::gateway
