// From the answer of a method to an HTTP response: JSON or media, entity tag and 304, sparse fields, gzip,
// Location.
#pragma once

#include "libs/runtime/engine.h"
#include "services/gateway/exchange.h"

namespace micropay::gateway {

HttpResponse query_response(const Exchange& exchange, const Row& row);
HttpResponse command_response(const Exchange& exchange, const Answer& answer);

// Any body with its type, compressed when the client takes it and it is worth it.
void set_body(HttpResponse& response, const Exchange& exchange, std::string_view content_type,
              std::string body);

// Whether an If-None-Match header names the tag, or any.
bool none_match_names(std::string_view if_none_match, std::string_view etag);

}  // namespace micropay::gateway
