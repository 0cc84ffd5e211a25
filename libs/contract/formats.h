// The string formats of the contract language that are not ids, money or texts.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace micropay::contract {

// RFC 5321 addr-spec without quoted local parts and address literals: at most 254 characters, 64 before the
// @, a domain of at least two labels.
bool is_email(std::string_view text);
// The form in which addresses are kept and compared: lower case, an international domain in ASCII (IDNA).
// Nothing when it has that form, or is none; is_email() tells.
std::optional<std::string> email_form(std::string_view text);
bool is_date(std::string_view text);      // YYYY-MM-DD that the calendar has
bool is_url(std::string_view text);       // absolute http or https URL with a host, no blanks
bool is_language(std::string_view text);  // the shape of BCP 47

}  // namespace micropay::contract
