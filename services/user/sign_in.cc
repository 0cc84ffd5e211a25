// Signing in and changing a password. Argon2id runs in the preparations, on workers; the handlers decide with
// what it found. What an attacker can measure or read is the same for an address that nobody has.
#include "libs/base/ids.h"
#include "libs/security/encoding.h"
#include "services/user/handlers.h"
#include "services/user/rules.h"

namespace micropay::user_handlers {
namespace {

struct NewHash {
  const std::string& password;
  const std::string& owner;  // whose it is: a simulator's salt
  const Credential* beside;  // whose salt it shares, or null
};

Result<std::string> hash(const NewHash& given, const Tools& tools) {
  std::string salt = given.beside == nullptr ? "" : salt_of(given.beside->password_hash());
  if (salt.empty()) salt = tools.simulated ? secret_digest(given.owner).substr(0, 16) : random_salt();
  return hash_password(given.password, salt, tools.password_cost);
}

using Credentials = std::vector<const Credential*>;

// Compares with all of them, or for none with a hash that costs the same and never matches. Those who claim
// one address share a salt, so that several cost what one does: how long it takes tells nothing.
PasswordFacts compare(const Credentials& credentials, const std::string& password, const Tools& tools) {
  std::vector<std::string> hashes;
  for (const Credential* each : credentials) hashes.push_back(each->password_hash());
  if (hashes.empty()) hashes.push_back(dummy_hash(tools.password_cost));
  const std::optional<size_t> found = matching_hash(hashes, password);
  PasswordFacts facts;
  facts.set_matches(found.has_value());
  if (!found) return facts;
  facts.set_user_id(credentials[*found]->user_id());
  facts.set_credential_changed_at(credentials[*found]->changed_at());
  return facts;
}

Credentials credentials_of(QueryContext& ctx, const UserEmail* address) {
  Credentials credentials;
  for (const std::string& user_id : claimants_of(address))
    if (const Credential* each = ctx.table<Credential>().find(user_id)) credentials.push_back(each);
  return credentials;
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
  const UserEmail* address = ctx.table<UserEmail>().find(user_rules::normal_email(email));
  if (address != nullptr && address->proven_at() != 0) return facts;
  const Credential* first = address == nullptr ? nullptr : ctx.table<Credential>().find(address->user_id());
  facts.set_password_hash(TRY(hash({.password = password, .owner = email, .beside = first}, tools)));
  return facts;
}

Result<PasswordFacts> compare_for_login(QueryContext& ctx, const LoginRequest& request, const Tools& tools) {
  const std::string email = user_rules::normal_email(request.email());
  if (must_wait(ctx.table<SignInAttempts>().find(email), ctx.now())) {
    PasswordFacts facts;
    facts.set_delayed(true);  // guessing during the wait costs us nothing
    return facts;
  }
  return compare(credentials_of(ctx, ctx.table<UserEmail>().find(email)), request.password(), tools);
}

Result<PasswordFacts> compare_for_change(QueryContext& ctx, const ChangePasswordRequest& request,
                                         const Tools& tools) {
  const std::string& user_id = ctx.principal().user_id;
  const Credential* present = ctx.table<Credential>().find(user_id);
  PasswordFacts facts =
      compare(present == nullptr ? Credentials() : Credentials{present}, request.current_password(), tools);
  if (!facts.matches()) return facts;
  const User* user = ctx.table<User>().find(user_id);
  const UserEmail* address = user == nullptr ? nullptr : ctx.table<UserEmail>().find(user->email());
  const bool shared = claimants_of(address).size() > 1;
  facts.set_password_hash(TRY(hash({.password = request.new_password(),
                                    .owner = user_id + request.new_password(),
                                    .beside = shared ? present : nullptr},
                                   tools)));
  return facts;
}

Result<TokenPair> login(Context& ctx, const LoginRequest& request, const Tools& tools) {
  const PasswordFacts& facts = ctx.prepared<PasswordFacts>();
  const std::string email = user_rules::normal_email(request.email());
  const UserEmail* address = ctx.table<UserEmail>().find(email);
  const std::vector<std::string> claimants = claimants_of(address);
  const std::string first = address == nullptr ? "" : address->user_id();
  // Of many tries at once only those before the first wait learn whether their password was right.
  const SignInAttempts* attempts = ctx.table<SignInAttempts>().find(email);
  if (facts.delayed() || must_wait(attempts, ctx.now()))
    return refuse_delayed(ctx, {email, first, "delayed"}, attempts);
  const std::string& user_id = facts.user_id();
  const bool may = std::ranges::find(claimants, user_id) != claimants.end();
  if (!may || !still_matches(facts, ctx.table<Credential>().find(user_id))) {
    count_failure(ctx, {email, first, claimants.empty() ? "unknown_user" : "wrong_password"});
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
