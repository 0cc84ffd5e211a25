// Authentication and the first half of authorization.
#include "services/gateway/access.h"

#include "libs/contract/validate.h"

namespace micropay::gateway {

Result<std::optional<std::string_view>> bearer_token(const HttpRequest& request) {
  if (!request.has_header("authorization")) return std::optional<std::string_view>();
  std::string_view value = request.header("authorization");
  if (value.size() < 8 || !equals_ignoring_case(value.substr(0, 7), "bearer ")) {
    return fail(Code::kUnauthenticated, "invalid_token", "Send the token as Authorization: Bearer <token>.");
  }
  return std::optional(value.substr(7));
}

Result<Principal> authenticate(Authenticator& authenticator, const contract::Method& method,
                               const HttpRequest& request) {
  bool open = method.options.access().public_();
  Principal principal;
  auto token = bearer_token(request);
  if (token && *token) {
    auto identity = authenticator.authenticate(**token);
    if (identity) principal = std::move(identity->principal);
    else if (!open) return std::unexpected(std::move(identity).error());
  } else if (!open) {
    if (!token) return std::unexpected(std::move(token).error());
    return fail(Code::kUnauthenticated, "unauthenticated", "Sign in: this needs a token.");
  }
  principal.address = request.remote_address;
  return principal;
}

Result<void> check_access(const contract::Method& method, const Principal& principal) {
  const Access& access = method.options.access();
  if (access.public_()) return {};
  if (principal.kind == Principal::Kind::kApiKey) {
    bool in_scope = !access.scope().empty() && std::ranges::count(principal.scopes, access.scope()) > 0;
    if (in_scope) return {};
    return fail(Code::kPermissionDenied, "forbidden", "The scopes of this API key do not open this method.");
  }
  if (contract::allowed_by_role(method, principal.role_bits)) return {};
  if (method.owner.by != nullptr) return {};
  return fail(Code::kPermissionDenied, "forbidden", "Your roles do not open this method.");
}

}  // namespace micropay::gateway
