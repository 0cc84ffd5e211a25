// Real-time balances: decides what may be spent, holds it, and applies what the journal settles.
#pragma once

#include "libs/runtime/parts.h"

namespace micropay {

Service balance_service(const Parts& parts);

}  // namespace micropay
