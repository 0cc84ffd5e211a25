// The entity tag of a resource: a digest of the JSON that a GET of it answers, so that a client may send it
// back in If-Match and the engine can tell, from the record alone, whether the client saw the present
// version.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libs/contract/model.h"

namespace micropay::contract {

// A 64-bit digest, the same in every build and on every machine; never 0. Not for adversaries' input where a
// collision would hurt somebody else.
uint64_t digest64(std::string_view bytes);

// digest64 of to_json(message).
uint64_t etag_of(const Message& message);

// "\"0123456789abcdef\""; of the compressed form, which is other bytes, "\"0123456789abcdef-gzip\"".
std::string format_etag(uint64_t digest, bool gzip = false);
// Of either form. None: not one of ours, or weak (W/"…"): such a tag does not say that the bytes are the same
// (RFC 9110 13.1.1).
std::optional<uint64_t> parse_etag(std::string_view text);

}  // namespace micropay::contract
