// JSON transcoding in the forms of DESIGN 6: lowerCamelCase, Money as {"currency":"EUR","value":"12.34"},
// TIME fields as RFC 3339, enums by name, 64-bit integers as numbers when they are within 2^53 and as strings
// beyond, bytes as base64url, Metadata as an object of strings (in the order of its keys: equal messages give
// equal text). Hand-made over reflection plans built once per message type, because protobuf's own costs 7 to
// 14 µs a message.
#pragma once

#include <string>
#include <string_view>

#include "libs/contract/model.h"

namespace micropay::contract {

struct JsonOptions {
  bool hide_internal = true;   // leave out fields marked internal or secret
  bool mask_personal = false;  // for logs: personal and secret values become "***"
  // Sparse fields: only these top-level JSON names, empty for all. For a list answer they apply to its items.
  std::vector<std::string_view> fields;
};

// Appends the message as JSON. Unset strings, zero numbers, false and empty lists are written. Left out when
// unset are messages, optional fields, TIME fields, an enum that is *_UNSPECIFIED, and fields whose "" or 0
// would break their own format or bounds (UUID, EMAIL, min: 1 …): what is written could be read again.
void append_json(std::string& out, const Message& message, const JsonOptions& options = {});
std::string to_json(const Message& message, const JsonOptions& options = {});

// A JSON string literal with quotes.
void append_json_string(std::string& out, std::string_view text);

// Reads a JSON object into the message, which must be empty. null is taken for an optional text without a
// least length: it is there and empty, as "" is, and takes away what a record has (RFC 7396). Refuses, with
// the field path: unknown fields (reason unknown_field), fields marked read_only or internal
// (read_only_field), wrong types and other nulls (invalid_type), a value twice (duplicate_field), text that
// is not JSON or not UTF-8, depth over 16 (malformed_json), Money of another shape or with too many decimals
// (invalid_amount, unknown_currency), bad times, enums, base64 (invalid_format), integers that do not fit the
// field (out_of_range), a "" or 0 that is written although the field's bounds forbid it (too_short,
// invalid_format, pattern_mismatch, out_of_range): validate() can no longer tell it from a field that was
// left out. The other bounds are validate()'s. An empty body is an empty object.
Result<void> parse_json(std::string_view json, Message& message);

// Sets one field from text, as it stands in a path or query string; `name` is its JSON name ("pageSize",
// "id"). Repeated fields take one item a call; a second value for another field is refused (duplicate_field),
// so a path variable that the body has set already is, too. "metadata.order" is an entry of a Metadata field.
// Reasons as above.
Result<void> set_from_text(Message& message, std::string_view name, std::string_view text);

// Reads a field for owners, keys, path building: string fields as they are, integers as text.
std::string field_text(const Message& message, const FieldDescriptor& field);

}  // namespace micropay::contract
