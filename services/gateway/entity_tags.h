// Entity tags of answers (RFC 9110 8.8.3, 13.1): a strong one for each form, "0123456789abcdef" plain and
// "0123456789abcdef-gzip" compressed, so that no cache takes the bytes of one for the other. Both name one
// version of a record: If-Match takes either, and compares strongly, so a weak tag matches nothing.
#pragma once

#include <cstdint>
#include <string_view>

namespace micropay::gateway {

// Whether If-None-Match names this tag, or is "*"; weak and strong are alike.
bool none_match_names(std::string_view if_none_match, std::string_view etag);
// The same of a version, in whichever form.
bool none_match_names_version(std::string_view if_none_match, uint64_t digest);
// Whether If-Match names this version in one of its forms, or is "*".
bool if_match_names(std::string_view if_match, uint64_t digest);

}  // namespace micropay::gateway
