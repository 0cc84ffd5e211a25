// Whom a dead letter is about, as far as it can be told: who caused it, and every user that its event,
// request or timer names. Staff does not drive its own again.
#pragma once

#include <string_view>

#include "contracts/runtime.pb.h"

namespace micropay {

bool is_about(const DeadLetter& letter, std::string_view user_id);

}  // namespace micropay
