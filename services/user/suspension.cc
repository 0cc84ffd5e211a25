// Keeping a user out, and letting him in again. Whoever is suspended has no session, no token and no key that
// works; what he owns stays.
#include "services/user/handlers.h"
#include "services/user/rules.h"

namespace micropay::user_handlers {
namespace {

bool is_staff(const User& user) {
  return std::ranges::any_of(user.roles(),
                             [](int role) { return role == ADMIN || role == SUPPORT || role == AUDITOR; });
}

// Support looks after customers; of staff only an administrator decides.
Result<void> check_may_decide(const Principal& caller, const User& user) {
  const bool system = caller.kind == Principal::Kind::kSystem;
  if (system || caller.has(ADMIN) || !is_staff(user)) return {};
  return fail(Code::kPermissionDenied, "forbidden", "Only an administrator decides about staff.");
}

}  // namespace

bool has_another_admin(Context& ctx, const std::string& but) {
  const RoleMembers* members = ctx.table<RoleMembers>().find(Role_Name(ADMIN));
  return members != nullptr && std::ranges::any_of(members->user_ids(), [&](const std::string& id) {
           const User* user = id == but ? nullptr : ctx.table<User>().find(id);
           return user != nullptr && user->status() == User::ACTIVE;
         });
}

Result<User> suspend_user(Context& ctx, const SuspendUserRequest& request, const Tools& tools) {
  const User& before = TRY(ctx.table<User>().get(request.id()));
  TRY(check_may_decide(ctx.principal(), before));
  if (before.status() != User::ACTIVE) return before;
  const bool admin = std::ranges::find(before.roles(), int(ADMIN)) != before.roles().end();
  if (admin && !has_another_admin(ctx, before.id()))
    return fail(Code::kFailedPrecondition, "last_admin",
                "There has to be an administrator: appoint another one first.");
  User& user = ctx.table<User>().edit(request.id());
  user.set_status(User::SUSPENDED);
  user.set_updated_at(ctx.now());
  end_sessions(ctx, user.id(), "suspended", tools);
  revoke_tokens(ctx, user.id(), ctx.now(), tools.settings.access_token_ttl);
  UserSuspended event;
  event.set_user_id(user.id());
  event.set_reason(request.reason());
  ctx.emit(event);
  return user;
}

Result<User> reinstate_user(Context& ctx, const ReinstateUserRequest& request) {
  const User& before = TRY(ctx.table<User>().get(request.id()));
  TRY(check_may_decide(ctx.principal(), before));
  if (before.status() != User::SUSPENDED) return before;
  User& user = ctx.table<User>().edit(request.id());
  user.set_status(User::ACTIVE);
  user.set_updated_at(ctx.now());
  UserReinstated event;
  event.set_user_id(user.id());
  event.set_reason(request.reason());
  ctx.emit(event);
  return user;
}

}  // namespace micropay::user_handlers
