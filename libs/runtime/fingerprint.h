// What makes two requests with one Idempotency-Key the same: the method and the value of its validated
// message, not the bytes that it came in. Members in another order, white space, escapes, "1.0" for "1",
// defaults written out, an address in capitals are one request, by whichever door. Secrets do not count: a
// digest of one, kept for ever, could be guessed at, and whoever may repeat a request must not learn whether
// he knows it.
//
// A key is of a person, whichever token or API key of his it comes with. Where nobody has signed in (a
// registration) there is nobody whose key it could be, and a key is of the very request: another request with
// it is another key.
#pragma once

#include <string>

#include "libs/base/digest.h"
#include "libs/runtime/engine.h"

namespace micropay {

Digest128 fingerprint_of(const contract::Method& method, const google::protobuf::Message& request);

// Makes Command::fingerprint and ::key_id; without a key that is remembered both stay empty.
void make_fingerprint(Command& command);

// Where releases before this one kept the key of an API key; empty: not otherwise than now.
std::string former_key_id(const Command& command);

// Whether somebody must not be told that a request has it.
bool has_secrets(const contract::Method& method);

}  // namespace micropay
