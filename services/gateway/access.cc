#include "services/gateway/access.h"

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

}  // namespace micropay::gateway
