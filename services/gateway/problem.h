// Errors as RFC 9457 problem documents. The stable words are `code` (the error's reason) and `field`; texts
// may change.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "libs/base/error.h"
#include "libs/http/message.h"

namespace micropay::gateway {

struct ProblemContext {
  std::string_view correlation_id;
  std::string_view instance;  // path of the request
};

// Status, headers of the document (Retry-After, WWW-Authenticate where they belong) and body.
HttpResponse problem_response(const Error& error, const ProblemContext& context);
// The same for a status that no code stands for: 405, 406, 415, 426, 431.
HttpResponse problem_response(uint32_t status, const Error& error, const ProblemContext& context);

// 404 route_not_found. A slash at the end makes another path, and there is none of that kind here; who wrote
// one by mistake is told what is there without it.
Error no_route(std::string_view path, const std::function<bool(std::string_view)>& is_route);

}  // namespace micropay::gateway
