// An Authenticator for tests: tokens are words that the test hands out, each with the identity behind it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>

#include "libs/security/authenticator.h"

namespace micropay {

class AuthenticatorTwin final : public Authenticator {
 public:
  void give(std::string token, Identity identity) {
    std::scoped_lock lock(mutex_);
    identities_[std::move(token)] = std::move(identity);
  }
  // Of a session or an API key; who listens is told.
  void revoke(const std::string& token) {
    std::string id;
    {
      std::scoped_lock lock(mutex_);
      id = identities_[token].principal.session_id;
      identities_.erase(token);
    }
    tell(id);
  }
  // As a new role or a suspension of the user does: whose tokens are what they are by now is looked at again.
  void tell(const std::string& id) const {
    if (listener_) listener_(id);
  }
  void on_revoked(std::function<void(const std::string& id)> listener) override {
    listener_ = std::move(listener);
  }
  // authenticate() of this token waits until the test lets it go on; known() does not know it.
  void hold(const std::string& token) {
    std::scoped_lock lock(mutex_);
    held_.insert(token);
  }
  void let_go() {
    std::scoped_lock lock(mutex_);
    held_.clear();
    changed_.notify_all();
  }
  size_t waiting() const { return waiting_; }
  std::optional<Result<Identity>> known(std::string_view bearer_token) override {
    {
      std::scoped_lock lock(mutex_);
      if (held_.contains(std::string(bearer_token))) return {};
    }
    return authenticate(bearer_token);
  }
  Result<Identity> authenticate(std::string_view bearer_token) override {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.wait(lock, [&] { return !held_.contains(std::string(bearer_token)); });
    --waiting_;
    auto found = identities_.find(std::string(bearer_token));
    if (unready_) return std::unexpected(*unready_);
    if (bearer_token == "expired") return fail(Code::kUnauthenticated, "token_expired");
    if (found == identities_.end()) return fail(Code::kUnauthenticated, "invalid_token");
    return found->second;
  }
  void set_unready(std::optional<Error> why) {
    std::scoped_lock lock(mutex_);
    unready_ = std::move(why);
  }
  std::optional<Error> unready() const override {
    std::scoped_lock lock(mutex_);
    return unready_;
  }
  std::string jwks() const override { return R"({"keys":[]})"; }

 private:
  std::function<void(const std::string& id)> listener_;
  mutable std::mutex mutex_;
  std::optional<Error> unready_;
  std::condition_variable changed_;
  std::set<std::string> held_;
  std::atomic<size_t> waiting_{0};
  std::map<std::string, Identity> identities_;
};

}  // namespace micropay
