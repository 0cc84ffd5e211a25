// The list of handlers, and those of registration, profiles and roles. Sign-in is in sign_in.cc, sessions in
// sessions.cc.
#include "services/user/service.h"

#include "libs/runtime/access.h"
#include "libs/security/tokens.h"
#include "services/user/handlers.h"
#include "services/user/rules.h"

namespace micropay {
namespace user_handlers {
namespace {

RoleMembers& members_of(Context& ctx, Role role) {
  RoleMembers none;
  none.set_role(Role_Name(role));
  return ctx.table<RoleMembers>().edit_or_insert(none, none.role());
}

void remember_admin(Context& ctx, const std::string& user_id, bool is_admin) {
  auto& ids = *members_of(ctx, ADMIN).mutable_user_ids();
  ids.erase(std::remove(ids.begin(), ids.end(), user_id), ids.end());
  if (is_admin) *ids.Add() = user_id;
}

bool has(const user_rules::Roles& roles, Role role) {
  return std::find(roles.begin(), roles.end(), role) != roles.end();
}

struct NewUser {
  const std::string& email;
  std::string display_name, language, currency;
  user_rules::Roles roles;
  bool proven = false;  // nobody has to show that the address is his
};

UserCreated created(const User& user, const std::string& currency, std::string code) {
  UserCreated event;
  event.set_verification_code(std::move(code));
  event.set_user_id(user.id());
  event.set_email(user.email());
  event.set_display_name(user.display_name());
  event.set_default_currency(currency);
  event.set_language(user.language());
  *event.mutable_roles() = user.roles();
  return event;
}

Result<User> add_user(Context& ctx, const NewUser& given) {
  const std::string email = user_rules::normal_email(given.email);
  const std::string& hash = ctx.prepared<PasswordFacts>().password_hash();
  const UserEmail* address = ctx.table<UserEmail>().find(email);
  const bool proven = address != nullptr && address->proven_at() != 0;
  if (proven || hash.empty() || is_repeated(ctx, address, given.display_name))
    return fail(Code::kAlreadyExists, "email_taken", "There is a user with this e-mail address.", "email");
  User user;
  user.set_id(ctx.new_id());
  user.set_email(email);
  user.set_display_name(given.display_name);
  *user.mutable_roles() = given.roles;
  user.set_language(given.language);
  user.set_created_at(ctx.now());
  user.set_updated_at(ctx.now());
  User& inserted = ctx.table<User>().insert(user);
  claim_address(ctx, user);
  Credential credential;
  credential.set_user_id(user.id());
  credential.set_password_hash(hash);
  credential.set_changed_at(ctx.now());
  ctx.table<Credential>().insert(credential);
  remember_source(ctx, user.id(), ctx.principal().address);
  if (has(user.roles(), ADMIN)) remember_admin(ctx, user.id(), true);
  ctx.emit(created(user, given.currency, given.proven ? "" : issue_code(ctx, user)));
  if (given.proven) TRY(prove_address(ctx, inserted));
  return inserted;
}

Result<User> create_user(Context& ctx, const CreateUserRequest& request) {
  user_rules::Roles roles;
  roles.Add(USER);
  return add_user(ctx, {.email = request.email(),
                        .display_name = request.display_name(),
                        .language = request.language(),
                        .currency = request.default_currency(),
                        .roles = roles});
}

Result<User> create_admin(Context& ctx, const CreateAdminRequest& request) {
  user_rules::Roles roles = request.roles();
  if (roles.empty()) roles.Add(ADMIN);
  const std::string& name = request.display_name().empty() ? request.email() : request.display_name();
  return add_user(ctx, {.email = request.email(),
                        .display_name = name,
                        .language = "",
                        .currency = "",
                        .roles = TRY(user_rules::normal_roles(roles)),
                        .proven = true});
}

Result<User> get_me(QueryContext& ctx, const GetMeRequest&) {
  return TRY(ctx.table<User>().get(ctx.principal().user_id)).get();
}

Result<User> update_me(Context& ctx, const UpdateMeRequest& request) {
  const User& before = TRY(ctx.table<User>().get(ctx.principal().user_id));
  const bool renamed = request.has_display_name() && request.display_name() != before.display_name();
  const bool speaks_anew = request.has_language() && request.language() != before.language();
  if (!renamed && !speaks_anew) return before;
  User& user = ctx.table<User>().edit(ctx.principal().user_id);
  if (renamed) user.set_display_name(request.display_name());
  if (speaks_anew) user.set_language(request.language());
  user.set_updated_at(ctx.now());
  UserUpdated event;
  event.set_user_id(user.id());
  event.set_display_name(user.display_name());
  event.set_language(user.language());
  ctx.emit(event);
  return user;
}

Result<User> get_user(QueryContext& ctx, const GetUserRequest& request) {
  return TRY(ctx.table<User>().get(request.id())).get();
}

Result<ListUsersResponse> list_users(QueryContext& ctx, const ListUsersRequest& request) {
  ListQuery query{.order_by = request.order_by(),
                  .page_size = uint32_t(request.page_size()),
                  .page_token = request.page_token()};
  if (!request.email().empty())
    query.filters.push_back({.field = "email", .value = user_rules::normal_email(request.email())});
  const auto page = TRY(ctx.table<User>().list(std::move(query)));
  ListUsersResponse response;
  for (size_t i = 0; i < page.size(); ++i) *response.add_users() = page[i];
  response.set_next_page_token(page.next_page_token);
  return response;
}

Result<User> set_roles(Context& ctx, const SetRolesRequest& request, const Tools& tools) {
  const user_rules::Roles roles = TRY(user_rules::normal_roles(request.roles()));
  const User& before = TRY(ctx.table<User>().get(request.id()));
  if (user_rules::role_bits(before.roles()) == user_rules::role_bits(roles)) return before;
  if (has(before.roles(), ADMIN) && !has(roles, ADMIN) && !has_another_admin(ctx, before.id()))
    return fail(Code::kFailedPrecondition, "last_admin",
                "There has to be an administrator: appoint another one first.");
  TRY(check_not_party(ctx.principal(), {request.id()}));
  User& user = ctx.table<User>().edit(request.id());
  *user.mutable_roles() = roles;
  user.set_updated_at(ctx.now());
  remember_admin(ctx, user.id(), has(roles, ADMIN));
  revoke_tokens(ctx, user.id(), ctx.now(), tools.settings.access_token_ttl);
  UserRoleChanged event;
  event.set_user_id(user.id());
  *event.mutable_roles() = roles;
  event.set_reason(request.reason());
  ctx.emit(event);
  return user;
}

void list_preparations(Service& service, const std::shared_ptr<const Tools>& tools) {
  service.prepare([tools](QueryContext& ctx, const CreateUserRequest& request) {
    return hash_of_new_user(ctx, request.email(), request.password(), *tools);
  });
  service.prepare([tools](QueryContext& ctx, const CreateAdminRequest& request) {
    return hash_of_new_user(ctx, request.email(), request.password(), *tools);
  });
  service.prepare([tools](QueryContext& ctx, const LoginRequest& request) {
    return compare_for_login(ctx, request, *tools);
  });
  service.prepare([tools](QueryContext& ctx, const ChangePasswordRequest& request) {
    return compare_for_change(ctx, request, *tools);
  });
  service.prepare([tools](QueryContext& ctx, const CreateApiKeyRequest& request) {
    return compare_for_api_key(ctx, request, *tools);
  });
}

// A handler that needs the tools, as the runtime takes it.
template <typename Response, typename Request>
auto with(const std::shared_ptr<const Tools>& tools,
          Result<Response> (*handler)(Context&, const Request&, const Tools&)) {
  return [tools, handler](Context& ctx, const Request& request) { return handler(ctx, request, *tools); };
}

}  // namespace
}  // namespace user_handlers

UserSettings::UserSettings(Settings& settings)
    : access_token_ttl(settings.duration("user.access_token_ttl", 15 * kMinute,
                                         "How long an access token is good, at most 12h")),
      session_ttl(settings.duration("user.session_ttl", 30 * kDay, "How long a sign-in may be refreshed")),
      refresh_reuse_window(settings.duration("user.refresh_reuse_window", 10 * kSecond,
                                             "How long a used refresh token still gives the same successor: "
                                             "two tabs, a lost answer; at most 1m")),
      fresh_sign_in(settings.duration("user.fresh_sign_in", 15 * kMinute,
                                      "How long after a sign-in an API key is made without the password")) {
  refresh_reuse_window = std::clamp<Duration>(refresh_reuse_window, 0, kMinute);
  access_token_ttl = std::clamp(access_token_ttl, kSecond, kLongestTokenLife);
}

Service user_service(const Parts& parts) {
  using namespace user_handlers;
  const bool simulated = parts.data_folder.empty();
  const auto tools =
      std::make_shared<const Tools>(Tools{.settings = UserSettings(parts.settings),
                                          .keys = key_ring(parts.data_folder),
                                          .password_cost = simulated ? kCheapPasswordCost : PasswordCost(),
                                          .simulated = simulated});
  Service service{"user"};
  list_preparations(service, tools);
  service.command(create_user);
  service.command(create_admin);
  service.command(update_me);
  service.command(verify_email);
  service.command(send_verification);
  service.command(prove_email);
  service.command(with(tools, set_roles));
  service.command(with(tools, suspend_user));
  service.command(reinstate_user);
  service.query(get_me);
  service.query(get_user);
  service.query(list_users);
  service.command(with(tools, login));
  service.command(with(tools, refresh));
  service.command(with(tools, logout));
  service.command(with(tools, change_password));
  service.command(with(tools, revoke_session));
  service.query(list_sessions);
  service.command(with(tools, create_api_key));
  service.command(revoke_api_key);
  service.query(list_api_keys);
  service.query(find_api_key);
  service.query([tools](QueryContext&, const GetSigningKeysRequest&) -> Result<SigningKeys> {
    SigningKeys keys;
    keys.set_jwks(tools->keys->jwks());
    return keys;
  });
  service.on_timer(forget_attempts);
  service.on_timer(drop_session);
  service.on_timer(drop_revocation);
  return service;
}

}  // namespace micropay
