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

Result<Principal> principal_of(const contract::Method& method, const HttpRequest& request,
                               Result<Identity> identity) {
  if (!identity && !method.options.access().public_()) return std::unexpected(std::move(identity).error());
  Principal principal;
  if (identity) principal = std::move(identity->principal);
  principal.address = request.remote_address;
  return principal;
}

Result<Principal> without_token(const contract::Method& method, const HttpRequest& request,
                                const Result<std::optional<std::string_view>>& token) {
  if (!token) return principal_of(method, request, std::unexpected(token.error()));
  return principal_of(method, request,
                      fail(Code::kUnauthenticated, "unauthenticated", "Sign in: this needs a token."));
}

}  // namespace micropay::gateway
