// Checks a request against the bounds its contract states. The first violation in field order is the answer:
// code kInvalidArgument, reason one of required, too_short, too_long, pattern_mismatch, out_of_range, invalid_format,
// unknown_currency, not_positive, and the JSON field path ("amount.value", "items[2].sku").
#pragma once

#include "libs/contract/model.h"

namespace micropay::contract {

// Also normalises: EMAIL fields to lower case, UUID fields to lower case.
Result<void> validate(Message& message);

// The principal's view of a method: may any caller with these roles, or its owner, call it? The owner check itself
// needs the record and is the runtime's.
bool allowed_by_role(const Method& method, uint32_t role_bits);
inline uint32_t role_bit(Role role) { return uint32_t(1) << role; }

}  // namespace micropay::contract
