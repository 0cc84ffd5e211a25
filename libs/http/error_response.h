// A failure as an RFC 9457 problem document, for servers that are not the gateway: config, discovery,
// operations. `code` is the error's reason, and stable.
#pragma once

#include "libs/base/error.h"
#include "libs/http/message.h"

namespace micropay {

HttpResponse error_response(const Error& error);
// For a status that no code stands for: 405, 406, 415, 429.
HttpResponse error_response(uint32_t status, const Error& error);

// For HttpOptions::problem: what was not understood well enough to reach a handler.
HttpResponse malformed_response(uint32_t status, std::string_view reason, std::string_view detail);

}  // namespace micropay
