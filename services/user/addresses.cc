// Whose an e-mail address is. An address may be claimed by several users until one of them proves it by the
// code that was sent there: that one owns it, whoever came first. So a stranger who registers somebody's
// address keeps nobody out and gets nobody's money, and he is found by nobody
// (docs/decisions/0015-proven-addresses.md).
#include "libs/security/encoding.h"
#include "services/user/handlers.h"
#include "services/user/rules.h"

namespace micropay::user_handlers {
namespace {

constexpr size_t kSaltBytes = 16;

uint64_t random_number(Context& ctx) {
  uint64_t number = 0;
  for (const char byte : ctx.random_bytes(sizeof number)) number = number << 8 | uint8_t(byte);
  return number;
}

std::string hash_of_code(std::string_view salt, std::string_view code) {
  return std::string(salt).append(secret_digest(std::string(salt).append(code)));
}

bool is_code(const EmailVerification& verification, std::string_view code) {
  const std::string_view salt = std::string_view(verification.code_hash()).substr(0, kSaltBytes);
  return same_secret(verification.code_hash(), hash_of_code(salt, code));
}

std::unexpected<Error> email_taken() {
  return fail(Code::kAlreadyExists, "email_taken", "There is a user with this e-mail address.", "email");
}

std::unexpected<Error> invalid_code() {
  return fail(Code::kInvalidArgument, "invalid_code",
              "This is not the code that was sent last, or it has expired: ask for another one.", "code");
}

void remove(google::protobuf::RepeatedPtrField<std::string>& ids, const std::string& id) {
  ids.erase(std::remove(ids.begin(), ids.end(), id), ids.end());
}

// Few may claim an address. The first stays: he was there before anybody knew that it would be disputed. Of
// the others one gives way who never signed in, or the newest: his account, its sessions and his right to
// prove the address stay, only signing in by the address does not.
void drop_one_too_many(Context& ctx, UserEmail& address) {
  auto& others = *address.mutable_claimant_ids();
  if (others.size() < user_rules::kMaxClaims) return;
  int gives_way = others.size() - 2;  // the last one has just come
  for (int i = gives_way; i >= 0; --i)
    if (ctx.table<Holdings>().find(others[i]) == nullptr) {
      gives_way = i;
      break;
    }
  others.DeleteSubrange(gives_way, 1);
}

}  // namespace

std::vector<std::string> claimants_of(const UserEmail* address) {
  if (address == nullptr) return {};
  const auto& others = address->claimant_ids();
  std::vector<std::string> ids(others.rbegin(), others.rend());
  ids.insert(address->proven_at() != 0 ? ids.begin() : ids.end(), address->user_id());
  return ids;
}

// Somebody who pressed the button twice, or never got the answer: the same name from the address a moment
// ago.
bool is_repeated(Context& ctx, const UserEmail* address, const std::string& display_name) {
  return std::ranges::any_of(claimants_of(address), [&](const std::string& id) {
    const User* user = ctx.table<User>().find(id);
    return user != nullptr && user->display_name() == display_name &&
           ctx.now() < user->created_at() + user_rules::kRepeatedWithin;
  });
}

void claim_address(Context& ctx, const User& user) {
  UserEmail fresh;
  fresh.set_email(user.email());
  UserEmail& address = ctx.table<UserEmail>().edit_or_insert(fresh, user.email());
  if (address.user_id().empty()) {
    address.set_user_id(user.id());
    return;
  }
  address.add_claimant_ids(user.id());
  drop_one_too_many(ctx, address);
}

// The address's owner from now on; those who claimed it, too, may go on signing in by it.
Result<void> prove_address(Context& ctx, User& user) {
  UserEmail& address = ctx.table<UserEmail>().edit(user.email());
  if (address.proven_at() != 0 && address.user_id() != user.id()) return email_taken();
  if (address.user_id() != user.id()) {
    auto& others = *address.mutable_claimant_ids();
    remove(others, user.id());
    *others.Add() = address.user_id();
    std::rotate(others.begin(), others.end() - 1, others.end());
    drop_one_too_many(ctx, address);
    address.set_user_id(user.id());
  }
  address.set_proven_at(ctx.now());
  user.set_email_verified(true);
  user.set_email_verified_at(ctx.now());
  user.set_updated_at(ctx.now());
  ctx.table<EmailVerification>().erase(user.id());
  UserEmailVerified event;
  event.set_user_id(user.id());
  event.set_email(user.email());
  ctx.emit(event);
  return {};
}

// Guessing is bounded for the address, too: whoever lets many codes be sent to it, by registering it again
// and again, is up against longer ones.
std::string issue_code(Context& ctx, const User& user) {
  UserEmail& address = ctx.table<UserEmail>().edit(user.email());
  if (address.codes_since() + kDay <= ctx.now()) address.set_codes(0), address.set_codes_since(ctx.now());
  address.set_codes(address.codes() + 1);
  const std::string code = user_rules::code_of(random_number(ctx), address.codes());

  EmailVerification none;
  none.set_user_id(user.id());
  EmailVerification& verification = ctx.table<EmailVerification>().edit_or_insert(none, user.id());
  verification.set_code_hash(hash_of_code(ctx.random_bytes(kSaltBytes), code));
  verification.set_expires_at(ctx.now() + user_rules::kCodeLife);
  verification.set_tries(0);
  if (verification.sent_since() + user_rules::kCodesCountedFor <= ctx.now())
    verification.set_sent(0), verification.set_sent_since(ctx.now());
  verification.set_sent(verification.sent() + 1);
  return code;
}

Result<User> verify_email(Context& ctx, const VerifyEmailRequest& request) {
  const User& user = TRY(ctx.table<User>().get(ctx.principal().user_id));
  if (user.email_verified()) return user;
  const EmailVerification* sent = ctx.table<EmailVerification>().find(user.id());
  if (sent == nullptr || sent->expires_at() <= ctx.now() || sent->tries() >= user_rules::kCodeTries)
    return invalid_code();
  if (!is_code(*sent, request.code())) {
    EmailVerification& verification = ctx.table<EmailVerification>().edit(user.id());
    verification.set_tries(verification.tries() + 1);
    ctx.keep_changes();
    return invalid_code();
  }
  User& edited = ctx.table<User>().edit(user.id());
  TRY(prove_address(ctx, edited));
  return edited;
}

Result<Empty> send_verification(Context& ctx, const SendVerificationRequest&) {
  const User& user = TRY(ctx.table<User>().get(ctx.principal().user_id));
  if (user.email_verified())
    return fail(Code::kFailedPrecondition, "email_already_verified", "Your e-mail address is proven.");
  const UserEmail* address = ctx.table<UserEmail>().find(user.email());
  if (address != nullptr && address->proven_at() != 0) return email_taken();
  const EmailVerification* last = ctx.table<EmailVerification>().find(user.id());
  if (last != nullptr && last->sent() >= user_rules::kMaxCodes &&
      ctx.now() < last->sent_since() + user_rules::kCodesCountedFor) {
    auto error = fail(Code::kResourceExhausted, "too_many_codes", "Wait before you ask for another code.");
    error.error().retry_after_s =
        user_rules::seconds_to_wait(last->sent_since() + user_rules::kCodesCountedFor, ctx.now());
    return error;
  }
  UserEmailVerificationRequested event;
  event.set_user_id(user.id());
  event.set_email(user.email());
  event.set_verification_code(issue_code(ctx, user));
  event.set_expires_at(ctx.now() + user_rules::kCodeLife);
  ctx.emit(event);
  return Empty();
}

Result<User> prove_email(Context& ctx, const ProveEmailRequest& request) {
  const User& user = TRY(ctx.table<User>().get(request.id()));
  if (user.email_verified()) return user;
  User& edited = ctx.table<User>().edit(user.id());
  TRY(prove_address(ctx, edited));
  return edited;
}

}  // namespace micropay::user_handlers
