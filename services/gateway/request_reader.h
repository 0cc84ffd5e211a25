// From an HTTP request to the message of its method: body as JSON, path variables, query string, then
// validation. What is refused and why stands in libs/contract/json.h and validate.h; unknown query parameters
// are unknown_parameter.
#pragma once

#include <string>
#include <vector>

#include "libs/http/message.h"
#include "libs/runtime/service.h"
#include "services/gateway/router.h"

namespace micropay::gateway {

struct ReadRequest {
  MessagePtr message;
  std::vector<std::string> fields;  // sparse fields of the answer; empty: all
};

// The error of a body that is not JSON in a plain encoding (415), if it is one.
std::optional<Error> check_content(const HttpRequest& request);
// Sets the path variables.
Result<void> read_path(const RouteMatch& match, contract::Message& message);
Result<ReadRequest> read_request(const RouteMatch& match, const HttpRequest& request);

// Headers about the command itself.
struct CommandHeaders {
  std::string idempotency_key;  // 1 to 255 visible characters
  uint64_t sent_digest = 0;     // of verb, path, query and body
  uint64_t if_match = 0;
  bool respond_async = false;
};
// Refuses a malformed key (invalid_idempotency_key) and an If-Match of several tags (invalid_if_match). A tag
// that is none of ours can match nothing: kPreconditionFailed.
Result<CommandHeaders> read_command_headers(const HttpRequest& request);

}  // namespace micropay::gateway
