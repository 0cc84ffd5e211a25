// Checks a request against the bounds its contract states. The first violation in field order is the answer:
// code kInvalidArgument, reason one of required, too_short, too_long, pattern_mismatch, out_of_range,
// invalid_format, unknown_currency, not_positive, card_number_refused, and the JSON field path
// ("amount.value", "items[2].sku").
#pragma once

#include "libs/contract/model.h"

namespace micropay::contract {

// Also normalises: EMAIL fields to lower case and ASCII host names, UUID fields to lower case, the text
// classes and the values of metadata to the form in which they are kept (text_class.h). Doing it twice
// changes nothing more.
Result<void> validate(Message& message);

// A GET that asks for the record of its path and nothing besides.
bool names_record_only(const Method& method, const Message& request);

// The principal's view of a method: may any caller with these roles call it, whoever owns the record? True
// for public methods, for signed-in callers (any role bit) where that suffices or where the handler restricts
// the list itself (Owner without `by`), and for callers with one of the roles. An owner check with a record
// is the runtime's, and an API key's scope the gateway's: both ask when this says no.
bool allowed_by_role(const Method& method, uint32_t role_bits);
inline uint32_t role_bit(Role role) { return uint32_t(1) << role; }

}  // namespace micropay::contract
