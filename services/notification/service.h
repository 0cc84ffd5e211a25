// The notification service: messages to people. See README.md.
#pragma once

#include "libs/runtime/parts.h"

namespace micropay {

Service notification_service(const Parts& parts);

}  // namespace micropay
