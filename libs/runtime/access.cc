#include "libs/runtime/access.h"

#include "libs/contract/validate.h"

namespace micropay {

Result<void> check_access(const contract::Method& method, const Principal& principal) {
  const Access& access = method.options.access();
  if (access.public_() || principal.kind == Principal::Kind::kSystem) return {};
  if (principal.kind == Principal::Kind::kApiKey) {
    bool in_scope = !access.scope().empty() && std::ranges::count(principal.scopes, access.scope()) > 0;
    if (in_scope) return {};
    return fail(Code::kPermissionDenied, "forbidden", "The scopes of this API key do not open this method.");
  }
  if (contract::allowed_by_role(method, principal.role_bits)) return {};
  if (method.owner.by != nullptr) return {};
  return fail(Code::kPermissionDenied, "forbidden", "Your roles do not open this method.");
}

}  // namespace micropay
