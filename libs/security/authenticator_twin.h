// An Authenticator for tests: tokens are words that the test hands out, each with the identity behind it.
#pragma once

#include <map>
#include <mutex>

#include "libs/security/authenticator.h"

namespace micropay {

class AuthenticatorTwin final : public Authenticator {
 public:
  void give(std::string token, Identity identity) {
    std::scoped_lock lock(mutex_);
    identities_[std::move(token)] = std::move(identity);
  }
  void revoke(const std::string& token) {
    std::scoped_lock lock(mutex_);
    identities_.erase(token);
  }
  Result<Identity> authenticate(std::string_view bearer_token) override {
    std::scoped_lock lock(mutex_);
    auto found = identities_.find(std::string(bearer_token));
    if (bearer_token == "expired") return fail(Code::kUnauthenticated, "token_expired");
    if (found == identities_.end()) return fail(Code::kUnauthenticated, "invalid_token");
    return found->second;
  }
  std::string jwks() const override { return R"({"keys":[]})"; }

 private:
  std::mutex mutex_;
  std::map<std::string, Identity> identities_;
};

}  // namespace micropay
