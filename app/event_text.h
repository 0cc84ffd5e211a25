// Events as text: CloudEvents 1.0 JSON for machines, lines for people.
#pragma once

#include <string>

#include "libs/store/envelope.h"

namespace micropay::app {

// {"specversion":"1.0","id":…,"source":"/payment","type":…,"subject":…,"time":…,"position":…,"data":{…}}
std::string event_json(const Envelope& envelope);
// "   123  2026-11-21T01:39:47.123456Z  payment.completed  0190…  {…}"
std::string event_line(const Envelope& envelope, bool colours);
// Every attribute and the data, indented.
std::string event_page(const Envelope& envelope);

std::string pretty_json(std::string_view json);

}  // namespace micropay::app
