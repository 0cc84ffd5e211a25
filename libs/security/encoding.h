// The small things that tokens, keys and passwords share: BLAKE2b-256 for what is kept of a random secret,
// comparison in constant time; and base64url.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libs/base/base64url.h"

namespace micropay {

// Of a random secret of 32 bytes or more; passwords need passwords.h. 32 bytes.
std::string secret_digest(std::string_view secret);

// Takes the same time wherever the two differ; the length is no secret.
bool same_secret(std::string_view a, std::string_view b);

}  // namespace micropay
