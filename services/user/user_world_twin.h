// A world with the user service alone, for its tests: registering and signing in in one line, and an
// authenticator that is wired as the platform's.
#pragma once

#include <gtest/gtest.h>

#include "contracts/common.pb.h"
#include "contracts/user.pb.h"
#include "libs/runtime/testing.h"
#include "services/user/authentication.h"
#include "services/user/service.h"

namespace micropay {

struct UserWorld : testing::Test {
  static constexpr const char* kPassword = "correct horse battery";

  Settings settings;
  World world{{user_service({.settings = settings, .data_folder = ""})}};
  TokenAuthenticator authenticator{key_ring(""), api_keys_in(world.store()), world.clock()};

  void SetUp() override {
    world.engine().on_committed([this](const auto& events) { tell_revocations(events, authenticator); });
  }

  Result<User> register_user(const std::string& email, const std::string& key = {}) {
    CreateUserRequest request;
    request.set_email(email);
    request.set_password(kPassword);
    request.set_display_name("Ada");
    request.set_default_currency("EUR");
    request.set_language("de");
    return world.call<User>(request, Principal(), key);
  }
  void prove(const User& user) {
    ProveEmailRequest request;
    request.set_id(user.id());
    ASSERT_TRUE(world.call<User>(request));
  }
  Result<User> make_admin(const std::string& email) {
    CreateAdminRequest request;
    request.set_email(email);
    request.set_password(kPassword);
    return world.call<User>(request);
  }
  Result<TokenPair> login(const std::string& email, const std::string& password = kPassword,
                          const std::string& address = "192.0.2.1") {
    LoginRequest request;
    request.set_email(email);
    request.set_password(password);
    request.set_user_agent("test");
    return world.call<TokenPair>(request, Principal{.address = address});
  }
  Result<TokenPair> refresh(const std::string& token) {
    RefreshRequest request;
    request.set_refresh_token(token);
    return world.call<TokenPair>(request, Principal());
  }
  // Signed in a moment ago.
  Principal signed_in(const std::string& email, const std::string& password = kPassword) {
    return bearer(login(email, password).value().access_token()).value();
  }
  Result<User> set_roles(const std::string& id, std::initializer_list<Role> roles, const Principal& caller) {
    SetRolesRequest request;
    request.set_id(id);
    for (const Role role : roles) request.add_roles(role);
    request.set_reason("a test");
    return world.call<User>(request, caller);
  }
  // Who the bearer of the token is, as the gateway would find out.
  Result<Principal> bearer(const std::string& token) {
    return TRY(authenticator.authenticate(token)).principal;
  }
  static std::string reason(const auto& result) { return result ? "" : result.error().reason; }
};

}  // namespace micropay
