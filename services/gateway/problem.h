// Errors as RFC 9457 problem documents. The stable words are `code` (the error's reason) and `field`; texts
// may change.
#pragma once

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

}  // namespace micropay::gateway
