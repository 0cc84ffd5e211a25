// What a client would take, of the headers Accept and Accept-Encoding (RFC 9110 12.5): weights from 0 (not at
// all) to 1000. What is malformed in a list counts as nothing.
#pragma once

#include <cstdint>
#include <string_view>

namespace micropay {

// Of "application/json"; an empty header takes everything. The most specific range decides, so
// "application/json;q=0, */*" does not take it. Parameters of ranges do not matter.
uint32_t media_weight(std::string_view accept, std::string_view type);
// Of "gzip", also by "*"; 0 when it is not named.
uint32_t coding_weight(std::string_view accept_encoding, std::string_view coding);

}  // namespace micropay
