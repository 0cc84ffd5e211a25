// Signing in and changing a password. Argon2id runs in the preparations, on workers; the handlers decide with
// what it found. What an attacker can measure or read is the same for an address that nobody has.
#include "libs/security/encoding.h"
#include "libs/security/password_rules.h"
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
  std::optional<size_t> found;
  for (const std::string& form : password_forms(password))
    if (!found) found = matching_hash(hashes, form);
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

bool still_matches(const PasswordFacts& facts, const Credential* credential) {
  return facts.matches() && credential != nullptr && credential->user_id() == facts.user_id() &&
         credential->changed_at() == facts.credential_changed_at();
}

Guess guess_at(const std::string& email, const UserEmail* address, const Principal& caller, bool known) {
  return {.email = email,
          .session = {},
          .address = caller.address,
          .known = known,
          .user_id = address == nullptr ? "" : address->user_id()};
}

// Of who is signed in: what strangers guess does not keep him waiting, and a stolen access token is no way to
// guess without waiting.
Guess guess_within(const Principal& caller) {
  return {.email = {},
          .session = caller.session_id.empty() ? caller.user_id : caller.session_id,
          .address = caller.address,
          .known = false,
          .user_id = caller.user_id};
}

PasswordFacts nothing_compared() {
  PasswordFacts facts;
  facts.set_delayed(true);  // guessing during the wait costs us nothing
  return facts;
}

PasswordFacts compare_own(QueryContext& ctx, const std::string& password, const Tools& tools) {
  if (must_wait(ctx, guess_within(ctx.principal()))) return nothing_compared();
  const Credential* own = ctx.table<Credential>().find(ctx.principal().user_id);
  return compare(own == nullptr ? Credentials() : Credentials{own}, password, tools);
}

}  // namespace

Result<PasswordFacts> hash_of_new_user(QueryContext& ctx, const std::string& email,
                                       const std::string& password, const Tools& tools) {
  PasswordFacts facts;
  const std::string form = TRY(new_password({.text = password, .email = email, .field = "password"}));
  // A taken address is refused by the handler, after it has looked for an earlier answer to the same
  // idempotency key.
  const UserEmail* address = ctx.table<UserEmail>().find(user_rules::normal_email(email));
  if (address != nullptr && address->proven_at() != 0) return facts;
  const Credential* first = address == nullptr ? nullptr : ctx.table<Credential>().find(address->user_id());
  facts.set_password_hash(TRY(hash({.password = form, .owner = email, .beside = first}, tools)));
  return facts;
}

Result<PasswordFacts> compare_for_login(QueryContext& ctx, const LoginRequest& request, const Tools& tools) {
  const std::string email = user_rules::normal_email(request.email());
  const UserEmail* address = ctx.table<UserEmail>().find(email);
  const bool known = knows_source(ctx, address, ctx.principal().address);
  if (must_wait(ctx, guess_at(email, address, ctx.principal(), known))) return nothing_compared();
  return compare(credentials_of(ctx, address), request.password(), tools);
}

Result<PasswordFacts> compare_for_change(QueryContext& ctx, const ChangePasswordRequest& request,
                                         const Tools& tools) {
  const std::string& user_id = ctx.principal().user_id;
  const User* user = ctx.table<User>().find(user_id);
  const std::string form = TRY(new_password({.text = request.new_password(),
                                             .email = user == nullptr ? std::string_view() : user->email(),
                                             .field = "newPassword"}));
  PasswordFacts facts = compare_own(ctx, request.current_password(), tools);
  if (!facts.matches()) return facts;
  const Credential* present = ctx.table<Credential>().find(user_id);
  const UserEmail* address = user == nullptr ? nullptr : ctx.table<UserEmail>().find(user->email());
  const bool shared = claimants_of(address).size() > 1;
  facts.set_password_hash(TRY(hash(
      {.password = form, .owner = user_id + request.new_password(), .beside = shared ? present : nullptr},
      tools)));
  return facts;
}

Result<PasswordFacts> compare_for_api_key(QueryContext& ctx, const CreateApiKeyRequest& request,
                                          const Tools& tools) {
  return request.current_password().empty() ? PasswordFacts()
                                            : compare_own(ctx, request.current_password(), tools);
}

Result<TokenPair> login(Context& ctx, const LoginRequest& request, const Tools& tools) {
  const PasswordFacts& facts = ctx.prepared<PasswordFacts>();
  const std::string email = user_rules::normal_email(request.email());
  const UserEmail* address = ctx.table<UserEmail>().find(email);
  const std::vector<std::string> claimants = claimants_of(address);
  const Guess guess =
      guess_at(email, address, ctx.principal(), knows_source(ctx, address, ctx.principal().address));
  // Of many tries at once only those before the first wait learn whether their password was right.
  TRY(check_patience(ctx, guess, facts.delayed()));
  const std::string& user_id = facts.user_id();
  const bool may = std::ranges::find(claimants, user_id) != claimants.end();
  if (!may || !still_matches(facts, ctx.table<Credential>().find(user_id))) {
    count_failure(ctx, guess, claimants.empty() ? "unknown_user" : "wrong_password");
    return fail(Code::kUnauthenticated, "invalid_credentials", "E-mail or password is wrong.");
  }
  const bool undisputed = address->proven_at() != 0 || claimants.size() == 1;
  if (undisputed && user_id == address->user_id()) forget_failures(ctx, guess);
  const User& user = TRY(ctx.table<User>().get(user_id));
  if (user.status() != User::ACTIVE) {
    tell_refused(ctx, guess, "suspended", 0);
    return fail(Code::kPermissionDenied, "user_suspended", "This user may not sign in.");
  }
  remember_source(ctx, user_id, ctx.principal().address);
  return start_session(ctx, user, request.user_agent(), tools);
}

Result<void> confirm_password(Context& ctx, const User& user) {
  const PasswordFacts& facts = ctx.prepared<PasswordFacts>();
  const Guess guess = guess_within(ctx.principal());
  TRY(check_patience(ctx, guess, facts.delayed()));
  if (!still_matches(facts, ctx.table<Credential>().find(user.id()))) {
    count_failure(ctx, guess, "wrong_password");
    return fail(Code::kPermissionDenied, "invalid_credentials", "The current password is wrong.",
                "currentPassword");
  }
  forget_failures(ctx, guess);
  if (Session* session = ctx.table<Session>().edit_present(ctx.principal().session_id))
    session->set_confirmed_at(ctx.now());
  return {};
}

Result<Empty> change_password(Context& ctx, const ChangePasswordRequest& request, const Tools& tools) {
  const Principal& caller = ctx.principal();
  if (caller.kind != Principal::Kind::kUser)
    return fail(Code::kPermissionDenied, "forbidden", "Only a signed-in user changes a password.");
  const User& user = TRY(ctx.table<User>().get(caller.user_id));
  TRY(confirm_password(ctx, user));
  Credential& changed = ctx.table<Credential>().edit(user.id());
  changed.set_changed_at(std::max(ctx.now(), changed.changed_at() + 1));
  changed.set_password_hash(ctx.prepared<PasswordFacts>().password_hash());
  end_sessions(ctx, user.id(), "password_changed", tools, caller.session_id);
  if (request.revoke_api_keys()) TRY(revoke_api_keys(ctx, user.id()));
  UserPasswordChanged event;
  event.set_user_id(user.id());
  ctx.emit(event);
  return Empty();
}

}  // namespace micropay::user_handlers
