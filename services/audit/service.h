// The trail: every event of the log, hash-chained, so that nothing can be changed or left out unseen.
#pragma once

#include "libs/runtime/parts.h"

namespace micropay {

Service audit_service(const Parts& parts);

}  // namespace micropay
