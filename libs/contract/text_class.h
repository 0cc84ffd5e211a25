// The classes of texts that other people get to see: NAME (one line), TEXT (lines, tabs), TOKEN (printable
// ASCII without blanks). One look, one form: normalised (NFC), trimmed, with something visible in it, and
// nothing that is not seen or turns what stands beside it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "contracts/options.pb.h"
#include "libs/base/error.h"

namespace micropay::contract {

constexpr size_t kMostMarks = 4;  // on one character

inline bool is_text_class(Format format) { return format == NAME || format == TEXT || format == TOKEN; }

// The form in which a text of the class is kept; nothing when it has that form already, as most have. Line
// ends become \n. Refuses invalid_format.
Result<std::optional<std::string>> kept_form(std::string_view text, Format format);

}  // namespace micropay::contract
