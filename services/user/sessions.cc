// Sessions: a family of refresh tokens each. A token works once; using it again later means that somebody
// else has it, too, so the session ends. Again within seconds it is two tabs or a lost answer, and gives the
// same successor. A token that never was one of the family ends nothing. Sessions end after 30 days whatever
// happens, and their rows go with them.
#include "libs/base/ids.h"
#include "libs/security/encoding.h"
#include "libs/security/tokens.h"
#include "services/user/handlers.h"
#include "services/user/rules.h"

namespace micropay::user_handlers {
namespace {

constexpr size_t kRandomBytes = 32, kIdRandomBytes = 10;

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

// What a refresh token is to its session.
enum class Token : uint8_t {
  kPresent,
  kJustUsed,  // a moment ago
  kUsed,
  kNone,  // of no session that lives, or never one of its family
};

struct Presented {
  Token token = Token::kNone;
  std::string session_id, family;
  const Session* session = nullptr;
};

Presented look_at(Context& ctx, const std::string& text, Duration reuse_window) {
  const std::optional<user_rules::RefreshToken> token = user_rules::read_refresh_token(text);
  if (!token) return {};
  Presented found{.session_id = token->session_id, .family = token->family};
  found.session = ctx.table<Session>().find(token->session_id);
  if (found.session == nullptr) return found;
  const std::string hash = secret_digest(text);
  const bool previous = same_secret(found.session->previous_hash(), hash);
  const bool of_family =
      !token->family.empty() && same_secret(found.session->family_hash(), secret_digest(token->family));
  if (same_secret(found.session->refresh_hash(), hash)) found.token = Token::kPresent;
  else if (previous && ctx.now() < found.session->refreshed_at() + reuse_window)
    found.token = Token::kJustUsed;
  else if (previous || of_family) found.token = Token::kUsed;
  return found;
}

// Of the token that `text` follows by; a token of the last release begins a family with its own secret.
std::string successor_of(const Presented& presented, const std::string& text, std::string_view salt) {
  const std::string family =
      presented.family.empty() ? user_rules::successor_secret(text, "family") : presented.family;
  return user_rules::make_refresh_token(presented.session_id, family,
                                        user_rules::successor_secret(text, salt));
}

}  // namespace

Result<TokenPair> start_session(Context& ctx, const User& user, const std::string& user_agent,
                                const Tools& tools) {
  Session session;
  session.set_id(user_rules::secret_id(ctx.now(), ctx.random_bytes(kIdRandomBytes)));
  session.set_user_id(user.id());
  const std::string family = ctx.random_bytes(kRandomBytes);
  std::string refresh_token =
      user_rules::make_refresh_token(session.id(), family, ctx.random_bytes(kRandomBytes));
  session.set_refresh_hash(secret_digest(refresh_token));
  session.set_family_hash(secret_digest(family));
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

void end_sessions(Context& ctx, const std::string& user_id, std::string_view reason, const Tools& tools,
                  const std::string& but) {
  const Holdings* holdings = ctx.table<Holdings>().find(user_id);
  if (holdings == nullptr) return;
  const auto sessions = holdings->session_ids();  // a copy: ending one changes the list
  for (const std::string& session_id : sessions)
    if (session_id != but) end_session(ctx, session_id, reason, tools.settings.access_token_ttl);
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
  const std::string& text = request.refresh_token();
  const Presented presented = look_at(ctx, text, tools.settings.refresh_reuse_window);
  if (presented.token == Token::kNone) return refuse();
  const User& user = TRY(ctx.table<User>().get(presented.session->user_id()));
  if (user.status() != User::ACTIVE)
    return fail(Code::kPermissionDenied, "user_suspended", "This user may not sign in.");
  if (!lives(presented.session, ctx.now())) return refuse();
  if (presented.token == Token::kUsed) {
    end_session(ctx, presented.session_id, "token_reused", tools.settings.access_token_ttl);
    ctx.keep_changes();
    return fail(Code::kUnauthenticated, "token_reused",
                "This refresh token was used before, so its session has ended: sign in again.");
  }
  if (presented.token == Token::kJustUsed)
    return tokens_of(ctx, user, *presented.session,
                     successor_of(presented, text, presented.session->successor_salt()), tools);
  const std::string salt = ctx.random_bytes(kRandomBytes);
  std::string fresh = successor_of(presented, text, salt);
  Session& edited = ctx.table<Session>().edit(presented.session_id);
  edited.set_previous_hash(edited.refresh_hash());
  edited.set_refresh_hash(secret_digest(fresh));
  edited.set_successor_salt(salt);
  if (presented.family.empty())
    edited.set_family_hash(secret_digest(user_rules::successor_secret(text, "family")));
  edited.set_rotation(edited.rotation() + 1);
  edited.set_refreshed_at(ctx.now());
  return tokens_of(ctx, user, edited, std::move(fresh), tools);
}

// Says nothing of a token that is not known: whoever logs out is logged out.
Result<Empty> logout(Context& ctx, const LogoutRequest& request, const Tools& tools) {
  const Presented presented = look_at(ctx, request.refresh_token(), tools.settings.refresh_reuse_window);
  if (presented.token == Token::kNone || !lives(presented.session, ctx.now())) return Empty();
  if (presented.token == Token::kUsed) {
    end_session(ctx, presented.session_id, "token_reused", tools.settings.access_token_ttl);
    return Empty();
  }
  close(ctx, presented.session_id, tools.settings.access_token_ttl);
  UserSignedOut event;
  event.set_user_id(presented.session->user_id());
  event.set_session_id(presented.session_id);
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
