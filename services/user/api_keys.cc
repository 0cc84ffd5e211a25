// API keys: "mk_<id>_<secret>", for programs. A key acts for its user within its scopes and has no roles.
#include "libs/security/encoding.h"
#include "services/user/handlers.h"
#include "services/user/rules.h"

namespace micropay::user_handlers {
namespace {
constexpr size_t kRandomBytes = 32;

// A key outlives a stolen access token, so it takes the password: given with the request, or a moment ago.
Result<void> check_fresh_sign_in(Context& ctx, const User& user, const CreateApiKeyRequest& request,
                                 Duration fresh) {
  if (!request.current_password().empty()) return confirm_password(ctx, user);
  const Session* session = ctx.table<Session>().find(ctx.principal().session_id);
  const bool own = session != nullptr && session->user_id() == user.id();
  if (own && ctx.now() < std::max(session->created_at(), session->confirmed_at()) + fresh) return {};
  return fail(Code::kPermissionDenied, "password_required",
              "You signed in a while ago: give your password as currentPassword.", "currentPassword");
}

void tell_revoked(Context& ctx, const ApiKey& key) {
  UserApiKeyRevoked event;
  event.set_user_id(key.user_id());
  event.set_api_key_id(key.id());
  ctx.emit(event);
}

}  // namespace

Result<CreatedApiKey> create_api_key(Context& ctx, const CreateApiKeyRequest& request, const Tools& tools) {
  const Principal& caller = ctx.principal();
  if (caller.kind != Principal::Kind::kUser)
    return fail(Code::kPermissionDenied, "forbidden", "Only a signed-in user makes API keys.");
  const User& user = TRY(ctx.table<User>().get(caller.user_id));
  TRY(check_fresh_sign_in(ctx, user, request, tools.settings.fresh_sign_in));
  TRY(user_rules::check_scopes(request.scopes(), user_rules::role_bits(user.roles())));
  Holdings none;
  none.set_user_id(user.id());
  Holdings& holdings = ctx.table<Holdings>().edit_or_insert(none, user.id());
  if (holdings.api_keys() >= user_rules::kMaxApiKeys)
    return fail(Code::kAlreadyExists, "too_many_api_keys", "Revoke an API key before you make another.");
  holdings.set_api_keys(holdings.api_keys() + 1);

  const std::string secret = to_base64url(ctx.random_bytes(kRandomBytes));
  CreatedApiKey created;
  ApiKey& key = *created.mutable_api_key();
  key.set_id(ctx.new_id());
  key.set_user_id(user.id());
  key.set_name(request.name());
  *key.mutable_scopes() = request.scopes();
  key.set_secret_hash(secret_digest(secret));
  key.set_created_at(ctx.now());
  ctx.table<ApiKey>().insert(key);
  created.set_secret("mk_" + key.id() + "_" + secret);

  UserApiKeyCreated event;
  event.set_user_id(user.id());
  event.set_api_key_id(key.id());
  *event.mutable_scopes() = request.scopes();
  ctx.emit(event);
  return created;
}

Result<Empty> revoke_api_key(Context& ctx, const RevokeApiKeyRequest& request) {
  const ApiKey& key = TRY(ctx.table<ApiKey>().get(request.id()));
  const Principal& caller = ctx.principal();
  if (key.user_id() != caller.user_id && !caller.has(ADMIN))
    return fail(Code::kNotFound, "not_found", "There is no such API key.");
  if (key.revoked()) return Empty();
  ctx.table<ApiKey>().edit(request.id()).set_revoked(true);
  Holdings& holdings = ctx.table<Holdings>().edit(key.user_id());
  holdings.set_api_keys(holdings.api_keys() - 1);
  tell_revoked(ctx, key);
  return Empty();
}

Result<void> revoke_api_keys(Context& ctx, const std::string& user_id) {
  if (ctx.table<Holdings>().find(user_id) == nullptr) return {};
  ListQuery query{.filters = {{.field = "user_id", .value = user_id}, {.field = "revoked", .value = "false"}},
                  .page_size = 500};
  const auto keys = TRY(ctx.table<ApiKey>().list(std::move(query)));  // kMaxApiKeys at most
  for (size_t i = 0; i < keys.size(); ++i) {
    ctx.table<ApiKey>().edit(keys[i].id()).set_revoked(true);
    tell_revoked(ctx, keys[i]);
  }
  ctx.table<Holdings>().edit(user_id).set_api_keys(0);
  return {};
}

Result<ListApiKeysResponse> list_api_keys(QueryContext& ctx, const ListApiKeysRequest& request) {
  auto page =
      TRY(ctx.table<ApiKey>().list({.filters = {{.field = "userId", .value = ctx.principal().user_id}},
                                    .page_size = uint32_t(request.page_size()),
                                    .page_token = request.page_token()}));
  ListApiKeysResponse response;
  for (size_t i = 0; i < page.size(); ++i) *response.add_api_keys() = page[i];
  response.set_next_page_token(page.next_page_token);
  return response;
}

Result<ApiKeyGrant> find_api_key(QueryContext& ctx, const FindApiKeyRequest& request) {
  const ApiKey& key = TRY(ctx.table<ApiKey>().get(request.id()));
  const User& user = TRY(ctx.table<User>().get(key.user_id()));
  std::optional<ApiKeyGrant> grant = user_rules::grant_of(key, user);
  if (!grant) return fail(Code::kNotFound, "not_found", "There is no such API key.");
  return *std::move(grant);
}

}  // namespace micropay::user_handlers
