// The handlers of the user service, by file. service.cc lists them; nobody else includes this.
#pragma once

#include "contracts/common.pb.h"
#include "contracts/user.pb.h"
#include "libs/runtime/service.h"
#include "libs/security/keys.h"
#include "libs/security/passwords.h"
#include "services/user/service.h"

namespace micropay::user_handlers {

// What handlers use besides their context.
struct Tools {
  UserSettings settings;
  std::shared_ptr<KeyRing> keys;
  PasswordCost password_cost;
  bool simulated = false;  // salts come from the input instead of the system
};

// --- addresses.cc ---
// Who may sign in with the address, its owner first, then the newest; none: nobody's.
std::vector<std::string> claimants_of(const UserEmail* address);
bool is_repeated(Context& ctx, const UserEmail* address, const std::string& display_name);
void claim_address(Context& ctx, const User& user);
// `user` is a row being edited. email_taken.
Result<void> prove_address(Context& ctx, User& user);
std::string issue_code(Context& ctx, const User& user);
Result<User> verify_email(Context& ctx, const VerifyEmailRequest& request);
Result<Empty> send_verification(Context& ctx, const SendVerificationRequest& request);
Result<User> prove_email(Context& ctx, const ProveEmailRequest& request);

// --- guesses.cc ---
// A try at a password: at an address from a source, or within a session.
struct Guess {
  std::string email;    // empty: within a session
  std::string session;  // id
  std::string address;  // the source's
  bool known = false;   // the source is: knows_source()
  std::string user_id;  // whose password it is; empty: nobody's address
};
bool must_wait(QueryContext& ctx, const Guess& guess);
// Whether the address's user has signed in from there before.
bool knows_source(QueryContext& ctx, const UserEmail* claim, const std::string& address);
bool knows_source(Context& ctx, const UserEmail* claim, const std::string& address);
// sign_in_delayed; `delayed`: nothing was compared because of it.
Result<void> check_patience(Context& ctx, const Guess& guess, bool delayed);
// Counted, told and kept although the input is refused.
void count_failure(Context& ctx, const Guess& guess, std::string_view reason);
void tell_refused(Context& ctx, const Guess& guess, std::string_view reason, uint32_t failures);
void forget_failures(Context& ctx, const Guess& guess);
void remember_source(Context& ctx, const std::string& user_id, const std::string& address);
Result<void> forget_attempts(Context& ctx, const SignInAttemptsEnd& timer);

// --- sign_in.cc: preparations on workers, sign-in, change of the password ---
Result<PasswordFacts> hash_of_new_user(QueryContext& ctx, const std::string& email,
                                       const std::string& password, const Tools& tools);
Result<PasswordFacts> compare_for_login(QueryContext& ctx, const LoginRequest& request, const Tools& tools);
Result<PasswordFacts> compare_for_change(QueryContext& ctx, const ChangePasswordRequest& request,
                                         const Tools& tools);
Result<PasswordFacts> compare_for_api_key(QueryContext& ctx, const CreateApiKeyRequest& request,
                                          const Tools& tools);
Result<TokenPair> login(Context& ctx, const LoginRequest& request, const Tools& tools);
Result<Empty> change_password(Context& ctx, const ChangePasswordRequest& request, const Tools& tools);
// The caller's own password, as the worker compared it; wrong ones are counted against the session.
Result<void> confirm_password(Context& ctx, const User& user);

// --- sessions.cc ---
Result<TokenPair> start_session(Context& ctx, const User& user, const std::string& user_agent,
                                const Tools& tools);
void end_sessions(Context& ctx, const std::string& user_id, std::string_view reason, const Tools& tools,
                  const std::string& but = {});
void end_session(Context& ctx, const std::string& session_id, std::string_view reason,
                 Duration access_token_ttl);
// Access tokens of the session or user are refused while any of them lives. `issued_until` 0: all of them.
void revoke_tokens(Context& ctx, const std::string& id, Time issued_until, Duration access_token_ttl);
Result<TokenPair> refresh(Context& ctx, const RefreshRequest& request, const Tools& tools);
Result<Empty> logout(Context& ctx, const LogoutRequest& request, const Tools& tools);
Result<Empty> revoke_session(Context& ctx, const RevokeSessionRequest& request, const Tools& tools);
Result<ListSessionsResponse> list_sessions(QueryContext& ctx, const ListSessionsRequest& request);
Result<void> drop_session(Context& ctx, const SessionEnd& timer);
Result<void> drop_revocation(Context& ctx, const RevocationEnd& timer);

// --- api_keys.cc ---
Result<CreatedApiKey> create_api_key(Context& ctx, const CreateApiKeyRequest& request, const Tools& tools);
Result<void> revoke_api_keys(Context& ctx, const std::string& user_id);
Result<Empty> revoke_api_key(Context& ctx, const RevokeApiKeyRequest& request);
Result<ListApiKeysResponse> list_api_keys(QueryContext& ctx, const ListApiKeysRequest& request);
Result<ApiKeyGrant> find_api_key(QueryContext& ctx, const FindApiKeyRequest& request);

// --- suspension.cc ---
Result<User> suspend_user(Context& ctx, const SuspendUserRequest& request, const Tools& tools);
Result<User> reinstate_user(Context& ctx, const ReinstateUserRequest& request);
// Administrators who may sign in, but this one.
bool has_another_admin(Context& ctx, const std::string& but);

}  // namespace micropay::user_handlers
