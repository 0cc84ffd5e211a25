// Who guesses at passwords has to wait: the stranger, not the owner. What is counted, and whom it keeps
// waiting:
//
//   address and source   5 failures are free, then 1, 2, 4 … s, at most 15 minutes; nobody else notices
//   source               100 are free, whatever addresses they were at; then the same
//   address              50 are free, from all sources; then at most a minute
//   session              5 are free for who is signed in and is asked for the password again
//
// A source that its user has signed in from before is no stranger: of these it has only the first to wait
// for.
#include <arpa/inet.h>

#include "libs/base/ids.h"
#include "services/user/handlers.h"
#include "services/user/rules.h"

namespace micropay::user_handlers {
namespace {

using user_rules::Patience;

constexpr int kMaxSources = 10;

struct Counted {
  std::string key;
  Patience patience;
};

// What a try is counted under, and so what it may have to wait for.
std::vector<Counted> counted(const Guess& guess) {
  if (guess.email.empty()) return {{"session " + guess.session, user_rules::kOwnPatience}};
  const std::string source = user_rules::source_of(guess.address);
  std::vector<Counted> all{{guess.email + " " + source, user_rules::kOwnPatience}};
  if (guess.known) return all;
  all.push_back({" " + source, user_rules::kSourcePatience});
  all.push_back({guess.email, user_rules::kAddressPatience});
  return all;
}

template <typename AnyContext>
uint32_t seconds_to_wait_in(AnyContext& ctx, const Guess& guess) {
  Time latest = 0;
  for (const Counted& each : counted(guess))
    if (const SignInAttempts* attempts = ctx.template table<SignInAttempts>().find(each.key))
      latest = std::max(latest, attempts->not_before());
  return user_rules::seconds_to_wait(latest, ctx.now());
}

template <typename AnyContext>
bool is_known_source(AnyContext& ctx, const UserEmail* claim, const std::string& address) {
  // Where several claim an address, a stranger among them would be known.
  if (claim == nullptr || (claim->proven_at() == 0 && claim->claimant_ids_size() > 0)) return false;
  const KnownSources* known = ctx.template table<KnownSources>().find(claim->user_id());
  if (known == nullptr) return false;
  return std::ranges::find(known->sources(), user_rules::source_of(address)) != known->sources().end();
}

// The key of events about an address that is nobody's; does not tell the address.
std::string subject_of(const Guess& guess) {
  return guess.user_id.empty() ? derived_uuid("sign-in:" + guess.email) : guess.user_id;
}

}  // namespace

bool must_wait(QueryContext& ctx, const Guess& guess) { return seconds_to_wait_in(ctx, guess) > 0; }

bool knows_source(QueryContext& ctx, const UserEmail* claim, const std::string& address) {
  return is_known_source(ctx, claim, address);
}

bool knows_source(Context& ctx, const UserEmail* claim, const std::string& address) {
  return is_known_source(ctx, claim, address);
}

void tell_refused(Context& ctx, const Guess& guess, std::string_view reason, uint32_t failures) {
  UserSignInFailed event;
  event.set_subject(subject_of(guess));
  event.set_reason(std::string(reason));
  event.set_address(ctx.principal().address);
  event.set_failures(failures);
  ctx.emit(event);
  ctx.keep_changes();
}

Result<void> check_patience(Context& ctx, const Guess& guess, bool delayed) {
  const uint32_t wait = seconds_to_wait_in(ctx, guess);
  if (wait == 0 && !delayed) return {};
  const SignInAttempts* attempts = ctx.table<SignInAttempts>().find(counted(guess).front().key);
  tell_refused(ctx, guess, "delayed", attempts == nullptr ? 0 : attempts->failures());
  auto error = fail(Code::kResourceExhausted, "sign_in_delayed",
                    "Too many failed sign-ins: wait before the next one.");
  error.error().retry_after_s = std::max(wait, 1u);
  return error;
}

void count_failure(Context& ctx, const Guess& guess, std::string_view reason) {
  uint32_t told = 0;
  for (const Counted& each : counted(guess)) {
    SignInAttempts none;
    none.set_email(each.key);
    SignInAttempts& attempts = ctx.table<SignInAttempts>().edit_or_insert(none, each.key);
    attempts.set_failures(attempts.failures() + 1);
    attempts.set_not_before(ctx.now() + user_rules::sign_in_delay(attempts.failures(), each.patience));
    SignInAttemptsEnd end;
    end.set_email(each.key);
    ctx.set_timer(each.key, ctx.now() + each.patience.kept, end);
    if (told == 0) told = attempts.failures();
  }
  tell_refused(ctx, guess, reason, told);
}

// Only what nobody else's guesses are counted under: a success at one's own account must not make room for
// guesses at another's.
void forget_failures(Context& ctx, const Guess& guess) {
  const std::string key = counted(guess).front().key;
  if (ctx.table<SignInAttempts>().erase(key)) ctx.cancel_timer<SignInAttemptsEnd>(key);
}

void remember_source(Context& ctx, const std::string& user_id, const std::string& address) {
  const std::string source = user_rules::source_of(address);
  if (source.empty()) return;
  const KnownSources* known = ctx.table<KnownSources>().find(user_id);
  if (known != nullptr && known->sources_size() > 0 && *known->sources().rbegin() == source) return;
  KnownSources none;
  none.set_user_id(user_id);
  auto& sources = *ctx.table<KnownSources>().edit_or_insert(none, user_id).mutable_sources();
  sources.erase(std::remove(sources.begin(), sources.end(), source), sources.end());
  *sources.Add() = source;
  if (sources.size() > kMaxSources) sources.DeleteSubrange(0, sources.size() - kMaxSources);
}

Result<void> forget_attempts(Context& ctx, const SignInAttemptsEnd& timer) {
  ctx.table<SignInAttempts>().erase(timer.email());
  return {};
}

}  // namespace micropay::user_handlers
