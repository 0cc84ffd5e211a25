// Sessions: a family of refresh tokens each. A token works once; using it again means that somebody else has
// it, too, so the session ends. Sessions end after 30 days whatever happens, and their rows go with them.
#include "libs/base/ids.h"
#include "libs/security/encoding.h"
#include "libs/security/tokens.h"
#include "services/user/handlers.h"
#include "services/user/rules.h"

namespace micropay::user_handlers {
namespace {

constexpr size_t kRandomBytes = 32;

std::unexpected<Error> refuse() {
  return fail(Code::kUnauthenticated, "invalid_refresh_token",
              "The refresh token is not valid: sign in again.");
}

void remove(google::protobuf::RepeatedPtrField<std::string>& ids, const std::string& id) {
  ids.erase(std::remove(ids.begin(), ids.end(), id), ids.end());
}

bool lives(const Session* session, Time now) {
  return session != nullptr && session->status() == Session::ACTIVE && session->expires_at() > now;
}

Result<TokenPair> tokens_of(Context& ctx, const User& user, const Session& session, std::string refresh_token,
                            const Tools& tools) {
  const Claims claims{.user_id = user.id(),
                      .session_id = session.id(),
                      .id = ctx.new_id(),
                      .role_bits = user_rules::role_bits(user.roles()),
                      .issued_at = ctx.now(),
                      .expires_at = user_rules::token_expiry(ctx.now(), tools.settings.access_token_ttl)};
  TokenPair pair;
  pair.set_access_token(TRY(sign_token(*tools.keys, claims)));
  pair.set_refresh_token(std::move(refresh_token));
  pair.set_expires_in(int32_t(tools.settings.access_token_ttl / kSecond));
  pair.set_token_type("Bearer");
  return pair;
}

// Marks a session as ended in every place that knows it. False when it had ended already.
bool close(Context& ctx, const std::string& session_id, Duration access_token_ttl) {
  const Session* session = ctx.table<Session>().find(session_id);
  if (session == nullptr || session->status() != Session::ACTIVE) return false;
  ctx.table<Session>().edit(session_id).set_status(Session::REVOKED);
  remove(*ctx.table<Holdings>().edit(session->user_id()).mutable_session_ids(), session_id);
  revoke_tokens(ctx, session_id, 0, access_token_ttl);
  return true;
}

}  // namespace

Result<TokenPair> start_session(Context& ctx, const User& user, const std::string& user_agent,
                                const Tools& tools) {
  Session session;
  session.set_id(ctx.new_id());
  session.set_user_id(user.id());
  std::string refresh_token = user_rules::make_refresh_token(session.id(), ctx.random_bytes(kRandomBytes));
  session.set_refresh_hash(secret_digest(refresh_token));
  session.set_user_agent(user_agent);
  session.set_address(ctx.principal().address);
  session.set_created_at(ctx.now());
  session.set_refreshed_at(ctx.now());
  session.set_expires_at(ctx.now() + tools.settings.session_ttl);
  ctx.table<Session>().insert(session);
  SessionEnd end;
  end.set_session_id(session.id());
  ctx.set_timer(session.id(), session.expires_at(), end);

  Holdings none;
  none.set_user_id(user.id());
  Holdings& holdings = ctx.table<Holdings>().edit_or_insert(none, user.id());
  holdings.add_session_ids(session.id());
  if (holdings.session_ids_size() > user_rules::kMaxSessions)
    end_session(ctx, std::string(holdings.session_ids(0)), "too_many", tools.settings.access_token_ttl);

  UserSignedIn event;
  event.set_user_id(user.id());
  event.set_session_id(session.id());
  event.set_address(session.address());
  event.set_user_agent(user_agent);
  ctx.emit(event);
  return tokens_of(ctx, user, session, std::move(refresh_token), tools);
}

void end_session(Context& ctx, const std::string& session_id, std::string_view reason,
                 Duration access_token_ttl) {
  if (!close(ctx, session_id, access_token_ttl)) return;
  UserSessionRevoked event;
  event.set_user_id(ctx.table<Session>().find(session_id)->user_id());
  event.set_session_id(session_id);
  event.set_reason(std::string(reason));
  ctx.emit(event);
}

void revoke_tokens(Context& ctx, const std::string& id, Time issued_until, Duration access_token_ttl) {
  Revocation none;
  none.set_id(id);
  Revocation& revocation = ctx.table<Revocation>().edit_or_insert(none, id);
  revocation.set_issued_until(issued_until);
  revocation.set_ends_at(ctx.now() + access_token_ttl);
  RevocationEnd end;
  end.set_id(id);
  ctx.set_timer(id, revocation.ends_at(), end);
}

Result<TokenPair> refresh(Context& ctx, const RefreshRequest& request, const Tools& tools) {
  const std::optional<std::string> session_id = user_rules::session_of(request.refresh_token());
  if (!session_id) return refuse();
  const Session* session = ctx.table<Session>().find(*session_id);
  if (!lives(session, ctx.now())) return refuse();
  if (!same_secret(session->refresh_hash(), secret_digest(request.refresh_token()))) {
    end_session(ctx, *session_id, "token_reused", tools.settings.access_token_ttl);
    ctx.keep_changes();
    return fail(Code::kUnauthenticated, "token_reused",
                "This refresh token was used before, so its session has ended: sign in again.");
  }
  const User& user = TRY(ctx.table<User>().get(session->user_id()));
  if (user.status() != User::ACTIVE)
    return fail(Code::kPermissionDenied, "user_suspended", "This user may not sign in.");
  std::string fresh = user_rules::make_refresh_token(*session_id, ctx.random_bytes(kRandomBytes));
  Session& edited = ctx.table<Session>().edit(*session_id);
  edited.set_refresh_hash(secret_digest(fresh));
  edited.set_rotation(edited.rotation() + 1);
  edited.set_refreshed_at(ctx.now());
  return tokens_of(ctx, user, edited, std::move(fresh), tools);
}

// Says nothing of a token that is not known: whoever logs out is logged out.
Result<Empty> logout(Context& ctx, const LogoutRequest& request, const Tools& tools) {
  const std::optional<std::string> session_id = user_rules::session_of(request.refresh_token());
  const Session* session = session_id ? ctx.table<Session>().find(*session_id) : nullptr;
  if (!lives(session, ctx.now())) return Empty();
  if (!same_secret(session->refresh_hash(), secret_digest(request.refresh_token()))) {
    end_session(ctx, *session_id, "token_reused", tools.settings.access_token_ttl);
    return Empty();
  }
  close(ctx, *session_id, tools.settings.access_token_ttl);
  UserSignedOut event;
  event.set_user_id(session->user_id());
  event.set_session_id(*session_id);
  ctx.emit(event);
  return Empty();
}

Result<Empty> revoke_session(Context& ctx, const RevokeSessionRequest& request, const Tools& tools) {
  const Session& session = TRY(ctx.table<Session>().get(request.id()));
  const Principal& caller = ctx.principal();
  if (session.user_id() != caller.user_id && !caller.has(ADMIN))
    return fail(Code::kNotFound, "not_found", "There is no such session.");
  end_session(ctx, request.id(), "requested", tools.settings.access_token_ttl);
  return Empty();
}

Result<ListSessionsResponse> list_sessions(QueryContext& ctx, const ListSessionsRequest& request) {
  auto page =
      TRY(ctx.table<Session>().list({.filters = {{.field = "userId", .value = ctx.principal().user_id}},
                                     .page_size = uint32_t(request.page_size()),
                                     .page_token = request.page_token()}));
  ListSessionsResponse response;
  for (size_t i = 0; i < page.size(); ++i) {
    Session& session = *response.add_sessions() = page[i];
    if (session.status() == Session::ACTIVE && session.expires_at() <= ctx.now())
      session.set_status(Session::EXPIRED);
  }
  response.set_next_page_token(page.next_page_token);
  return response;
}

Result<void> drop_session(Context& ctx, const SessionEnd& timer) {
  const Session* session = ctx.table<Session>().find(timer.session_id());
  if (session == nullptr) return {};
  if (ctx.table<Holdings>().find(session->user_id()) != nullptr)
    remove(*ctx.table<Holdings>().edit(session->user_id()).mutable_session_ids(), timer.session_id());
  ctx.table<Session>().erase(timer.session_id());
  return {};
}

Result<void> drop_revocation(Context& ctx, const RevocationEnd& timer) {
  ctx.table<Revocation>().erase(timer.id());
  return {};
}

}  // namespace micropay::user_handlers
