// Signing in and changing a password. Argon2id runs in the preparations, on workers; the handlers decide with
// what it found. What an attacker can measure or read is the same for an address that nobody has.
#include "libs/base/ids.h"
#include "libs/security/encoding.h"
#include "services/user/handlers.h"
#include "services/user/rules.h"

namespace micropay::user_handlers {
namespace {

Result<std::string> hash(const std::string& password, const std::string& owner, const Tools& tools) {
  const std::string salt = tools.simulated ? secret_digest(owner).substr(0, 16) : random_salt();
  return hash_password(password, salt, tools.password_cost);
}

// Compares with the credential, or for none with a hash that costs the same and never matches.
PasswordFacts compare(const Credential* credential, const std::string& password, const Tools& tools) {
  PasswordFacts facts;
  if (credential == nullptr) {
    verify_password(dummy_hash(tools.password_cost), password);
    return facts;
  }
  facts.set_matches(verify_password(credential->password_hash(), password));
  facts.set_user_id(credential->user_id());
  facts.set_credential_changed_at(credential->changed_at());
  return facts;
}

bool must_wait(const SignInAttempts* attempts, Time now) {
  return attempts != nullptr && user_rules::seconds_to_wait(attempts->not_before(), now) > 0;
}

bool still_matches(const PasswordFacts& facts, const Credential* credential) {
  return facts.matches() && credential != nullptr && credential->user_id() == facts.user_id() &&
         credential->changed_at() == facts.credential_changed_at();
}

struct Refusal {
  const std::string& email;
  std::string user_id;  // empty: nobody's address
  std::string_view reason;
};

// The key of events about an address that is nobody's; does not tell the address.
std::string subject_of(const Refusal& refusal) {
  return refusal.user_id.empty() ? derived_uuid("sign-in:" + refusal.email) : refusal.user_id;
}

void tell(Context& ctx, const Refusal& refusal, uint32_t failures) {
  UserSignInFailed event;
  event.set_subject(subject_of(refusal));
  event.set_reason(std::string(refusal.reason));
  event.set_address(ctx.principal().address);
  event.set_failures(failures);
  ctx.emit(event);
  ctx.keep_changes();
}

std::unexpected<Error> refuse_delayed(Context& ctx, const Refusal& refusal, const SignInAttempts* attempts) {
  tell(ctx, refusal, attempts == nullptr ? 0 : attempts->failures());
  auto error = fail(Code::kResourceExhausted, "sign_in_delayed",
                    "Too many failed sign-ins: wait before the next one.");
  const uint32_t wait =
      attempts == nullptr ? 0 : user_rules::seconds_to_wait(attempts->not_before(), ctx.now());
  error.error().retry_after_s = std::max(wait, 1u);
  return error;
}

// Counted, and kept although the input is refused.
void count_failure(Context& ctx, const Refusal& refusal) {
  SignInAttempts none;
  none.set_email(refusal.email);
  SignInAttempts& attempts = ctx.table<SignInAttempts>().edit_or_insert(none, refusal.email);
  attempts.set_failures(attempts.failures() + 1);
  attempts.set_not_before(ctx.now() + user_rules::sign_in_delay(attempts.failures()));
  SignInAttemptsEnd end;
  end.set_email(refusal.email);
  ctx.set_timer(refusal.email, ctx.now() + user_rules::kAttemptsKept, end);
  tell(ctx, refusal, attempts.failures());
}

void forget(Context& ctx, const std::string& email) {
  if (ctx.table<SignInAttempts>().erase(email)) ctx.cancel_timer<SignInAttemptsEnd>(email);
}

}  // namespace

Result<PasswordFacts> hash_of_new_user(QueryContext& ctx, const std::string& email,
                                       const std::string& password, const Tools& tools) {
  PasswordFacts facts;
  // A taken address is refused by the handler, after it has looked for an earlier answer to the same
  // idempotency key.
  if (ctx.table<UserEmail>().find(user_rules::normal_email(email)) == nullptr)
    facts.set_password_hash(TRY(hash(password, email, tools)));
  return facts;
}

Result<PasswordFacts> compare_for_login(QueryContext& ctx, const LoginRequest& request, const Tools& tools) {
  const std::string email = user_rules::normal_email(request.email());
  if (must_wait(ctx.table<SignInAttempts>().find(email), ctx.now())) {
    PasswordFacts facts;
    facts.set_delayed(true);  // guessing during the wait costs us nothing
    return facts;
  }
  const UserEmail* owner = ctx.table<UserEmail>().find(email);
  const Credential* credential = owner == nullptr ? nullptr : ctx.table<Credential>().find(owner->user_id());
  return compare(credential, request.password(), tools);
}

Result<PasswordFacts> compare_for_change(QueryContext& ctx, const ChangePasswordRequest& request,
                                         const Tools& tools) {
  const std::string& user_id = ctx.principal().user_id;
  PasswordFacts facts = compare(ctx.table<Credential>().find(user_id), request.current_password(), tools);
  if (facts.matches())
    facts.set_password_hash(TRY(hash(request.new_password(), user_id + request.new_password(), tools)));
  return facts;
}

Result<TokenPair> login(Context& ctx, const LoginRequest& request, const Tools& tools) {
  const PasswordFacts& facts = ctx.prepared<PasswordFacts>();
  const std::string email = user_rules::normal_email(request.email());
  const UserEmail* owner = ctx.table<UserEmail>().find(email);
  const std::string user_id = owner == nullptr ? "" : owner->user_id();
  // Of many tries at once only those before the first wait learn whether their password was right.
  const SignInAttempts* attempts = ctx.table<SignInAttempts>().find(email);
  if (facts.delayed() || must_wait(attempts, ctx.now()))
    return refuse_delayed(ctx, {email, user_id, "delayed"}, attempts);
  const Credential* credential = owner == nullptr ? nullptr : ctx.table<Credential>().find(user_id);
  if (!still_matches(facts, credential)) {
    count_failure(ctx, {email, user_id, owner == nullptr ? "unknown_user" : "wrong_password"});
    return fail(Code::kUnauthenticated, "invalid_credentials", "E-mail or password is wrong.");
  }
  forget(ctx, email);
  const User& user = TRY(ctx.table<User>().get(user_id));
  if (user.status() != User::ACTIVE) {
    tell(ctx, {email, user_id, "suspended"}, 0);
    return fail(Code::kPermissionDenied, "user_suspended", "This user may not sign in.");
  }
  return start_session(ctx, user, request.user_agent(), tools);
}

Result<Empty> change_password(Context& ctx, const ChangePasswordRequest&, const Tools& tools) {
  const PasswordFacts& facts = ctx.prepared<PasswordFacts>();
  const Principal& caller = ctx.principal();
  if (caller.kind != Principal::Kind::kUser)
    return fail(Code::kPermissionDenied, "forbidden", "Only a signed-in user changes a password.");
  const User& user = TRY(ctx.table<User>().get(caller.user_id));
  // A stolen access token must not be a way to guess the password without waiting.
  const SignInAttempts* attempts = ctx.table<SignInAttempts>().find(user.email());
  if (must_wait(attempts, ctx.now()))
    return refuse_delayed(ctx, {user.email(), user.id(), "delayed"}, attempts);
  const Credential* credential = ctx.table<Credential>().find(user.id());
  if (!still_matches(facts, credential)) {
    count_failure(ctx, {user.email(), user.id(), "wrong_password"});
    return fail(Code::kPermissionDenied, "invalid_credentials", "The current password is wrong.",
                "currentPassword");
  }
  forget(ctx, user.email());
  Credential& changed = ctx.table<Credential>().edit(user.id());
  changed.set_changed_at(std::max(ctx.now(), changed.changed_at() + 1));
  changed.set_password_hash(facts.password_hash());
  if (const Holdings* holdings = ctx.table<Holdings>().find(user.id())) {
    const auto sessions = holdings->session_ids();  // a copy: ending one changes the list
    for (const std::string& session_id : sessions)
      if (session_id != caller.session_id)
        end_session(ctx, session_id, "password_changed", tools.settings.access_token_ttl);
  }
  UserPasswordChanged event;
  event.set_user_id(user.id());
  ctx.emit(event);
  return Empty();
}

Result<void> forget_attempts(Context& ctx, const SignInAttemptsEnd& timer) {
  ctx.table<SignInAttempts>().erase(timer.email());
  return {};
}

}  // namespace micropay::user_handlers
