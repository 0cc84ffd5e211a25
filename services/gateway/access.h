// Who calls: the bearer token. Whether they may is libs/runtime/access.h's, and of a record the engine's.
#pragma once

#include <optional>

#include "libs/contract/model.h"
#include "libs/http/message.h"
#include "libs/security/authenticator.h"

namespace micropay::gateway {

// The token of "Authorization: Bearer …"; none when there is no such header, invalid_token when it is another
// scheme.
Result<std::optional<std::string_view>> bearer_token(const HttpRequest& request);

// The caller of a method. Public methods take anybody, and a token that is not valid counts as none: a client
// whose token has expired must be able to refresh it. Else the errors are unauthenticated, token_expired,
// invalid_token; and what Authenticator::authenticate says when nobody knows.
Result<Principal> principal_of(const contract::Method& method, const HttpRequest& request,
                               Result<Identity> identity);
Result<Principal> without_token(const contract::Method& method, const HttpRequest& request,
                                const Result<std::optional<std::string_view>>& token);

}  // namespace micropay::gateway
