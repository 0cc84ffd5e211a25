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

std::string format_etag(uint64_t digest);  // "\"0123456789abcdef\""
std::optional<uint64_t> parse_etag(
    std::string_view text);  // also of the weak form W/"…"; none: not one of ours

}  // namespace micropay::contract
