// The journal: double-entry transactions, transfers of ledger clients, reversals.
#pragma once

#include "libs/runtime/parts.h"

namespace micropay {

Service transaction_service(const Parts& parts);

}  // namespace micropay
