// What may be a password: its form, and which ones everybody tries first.
//
//   std::string form = TRY(new_password(text, {.email = …, .field = "newPassword"}));    // to be hashed
//   for (const std::string& form : password_forms(text)) …                              // to be compared
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libs/base/error.h"

namespace micropay {

struct NewPassword {
  std::string_view text;
  std::string_view email;  // of whose it will be
  std::string_view field;  // of the request, for the error
};
// The form in which a password is hashed: RFC 8265 OpaqueString, so that the same characters are the same
// password whatever keyboard they come from. Refuses what is too short in that form (too_short), has
// characters that cannot be typed again (invalid_format), and what is tried first (password_too_common).
Result<std::string> new_password(const NewPassword& given);

// What a given password is compared as: its form, and as it came, for hashes that were made before there was
// one.
std::vector<std::string> password_forms(std::string_view text);

// Of the form of a password. The list is ours: words that every published list of stolen passwords begins
// with, and the ways in which people lengthen them to what they were asked for (digits, signs, years,
// capitals, 4 for a, twice the same); and what takes no remembering: runs along the alphabet, the digits, a
// row of keys, and few characters again and again.
bool is_common_password(std::string_view form);

}  // namespace micropay
