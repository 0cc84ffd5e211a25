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

// --- sign_in.cc: preparations on workers, sign-in, change of the password ---
Result<PasswordFacts> hash_of_new_user(QueryContext& ctx, const std::string& email,
                                       const std::string& password, const Tools& tools);
Result<PasswordFacts> compare_for_login(QueryContext& ctx, const LoginRequest& request, const Tools& tools);
Result<PasswordFacts> compare_for_change(QueryContext& ctx, const ChangePasswordRequest& request,
                                         const Tools& tools);
Result<TokenPair> login(Context& ctx, const LoginRequest& request, const Tools& tools);
Result<Empty> change_password(Context& ctx, const ChangePasswordRequest& request, const Tools& tools);
Result<void> forget_attempts(Context& ctx, const SignInAttemptsEnd& timer);

// --- sessions.cc ---
Result<TokenPair> start_session(Context& ctx, const User& user, const std::string& user_agent,
                                const Tools& tools);
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
Result<CreatedApiKey> create_api_key(Context& ctx, const CreateApiKeyRequest& request);
Result<Empty> revoke_api_key(Context& ctx, const RevokeApiKeyRequest& request);
Result<ListApiKeysResponse> list_api_keys(QueryContext& ctx, const ListApiKeysRequest& request);
Result<ApiKeyGrant> find_api_key(QueryContext& ctx, const FindApiKeyRequest& request);

}  // namespace micropay::user_handlers
