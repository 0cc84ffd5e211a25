// base64url (RFC 4648 §5) without padding; only the canonical form is read, so a value has one text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace micropay {

std::string to_base64url(std::string_view bytes);
std::optional<std::string> from_base64url(std::string_view text);

}  // namespace micropay
