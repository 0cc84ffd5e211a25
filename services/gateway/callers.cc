#include "services/gateway/callers.h"

#include "services/gateway/backend.h"

namespace micropay::gateway {

void Callers::ask(std::string_view token, size_t loop, Found found) {
  const Time asked_at = clock_.monotonic();
  auto shared = std::make_shared<Found>(std::move(found));
  const bool taken = asking_.submit([this, token = std::string(token), loop, shared, asked_at] {
    Result<Identity> identity = std::unexpected(overloaded());
    if (clock_.monotonic() - asked_at <= kPatience) {
      identity = authenticator_.authenticate(token);
      (identity ? found_ : identity.error().code == Code::kUnauthenticated ? refused_ : failed_).add();
    } else {
      overloaded_.add();
    }
    post_(loop, [shared, identity = std::move(identity)] { (*shared)(identity); });
  });
  if (taken) return;
  overloaded_.add();
  (*shared)(std::unexpected(overloaded()));
}

}  // namespace micropay::gateway
