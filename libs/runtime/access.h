// The rules of the contract about who may call that need no record: roles and scopes. Asked at the edge, and
// again by the process that serves. The owner of a record is Engine::authorize's.
#pragma once

#include "libs/base/error.h"
#include "libs/contract/model.h"
#include "libs/runtime/principal.h"

namespace micropay {

// kPermissionDenied forbidden when neither role nor scope nor a possible ownership opens the method.
Result<void> check_access(const contract::Method& method, const Principal& principal);

}  // namespace micropay
