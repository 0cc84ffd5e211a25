// Who is behind a bearer token. The gateway asks for every request, so an implementation answers from a cache
// and pays for a signature once a token; any thread may call. Errors are kUnauthenticated with the stable
// reason token_expired or invalid_token (forged, unknown key, alg none, revoked session): nothing else is
// said about why.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "libs/base/error.h"
#include "libs/base/time.h"
#include "libs/runtime/context.h"

namespace micropay {

struct Identity {
  Principal principal;
  Time expires_at = 0;  // a live stream ends then; 0: never
};

class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // May wait for another process, for a bounded time; kUnavailable when it does not answer.
  virtual Result<Identity> authenticate(std::string_view bearer_token) = 0;
  // Never waits; none: authenticate() would have to.
  virtual std::optional<Result<Identity>> known(std::string_view bearer_token) {
    return authenticate(bearer_token);
  }
  // `listener` is told of every session, API key or user that something was revoked of, once known() and
  // authenticate() know it; on any thread, must not block. Before the first revocation; for as long as this
  // lives.
  virtual void on_revoked(std::function<void(const std::string& id)> /*listener*/) {}
  // Why no token can be checked; none: they can.
  virtual std::optional<Error> unready() const { return {}; }
  // The public keys as a JSON Web Key Set (RFC 7517), for /.well-known/jwks.json.
  virtual std::string jwks() const = 0;
};

}  // namespace micropay
