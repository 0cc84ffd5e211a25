// From the answer of a method to an HTTP response: JSON or media, entity tag and 304, sparse fields, gzip,
// Location.
#pragma once

#include "libs/runtime/engine.h"
#include "services/gateway/exchange.h"

namespace micropay::gateway {

HttpResponse query_response(const Exchange& exchange, const Row& row);
HttpResponse command_response(const Exchange& exchange, const Answer& answer);

// Any body with its type, compressed when the client takes it and it is worth it. `digest` is of the body and
// makes its entity tag: a GET of a client that has that form already is answered 304. 0: no tag.
void set_body(HttpResponse& response, const Exchange& exchange, std::string_view content_type,
              std::string body, uint64_t digest = 0);

// Whether the client takes answers of this type at all; false: it was answered 406.
bool acceptable(Exchange& exchange, std::string_view content_type);

}  // namespace micropay::gateway
