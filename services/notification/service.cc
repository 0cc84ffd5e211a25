// The list of handlers; those that tell people; then the inbox and the preferences.
#include "services/notification/service.h"

#include "contracts/account.pb.h"
#include "contracts/notification.pb.h"
#include "contracts/payment.pb.h"
#include "contracts/user.pb.h"
#include "services/notification/rules.h"

namespace micropay {
namespace {

using notification_rules::Facts;
using notification_rules::Template;

std::string name_of(Context& ctx, const std::string& user_id) {
  const NotificationUser* user = ctx.table<NotificationUser>().find(user_id);
  return user == nullptr ? "" : user->display_name();
}

// What the user chose in the preferences, else at the registration.
std::string language_of(Context& ctx, const std::string& user_id,
                        const NotificationPreferences* preferences) {
  if (preferences != nullptr && !preferences->language().empty()) return preferences->language();
  const NotificationUser* user = ctx.table<NotificationUser>().find(user_id);
  return user == nullptr ? "" : user->language();
}

struct Telling {
  const std::string& user_id;
  std::string_view message;    // name of the template
  const std::string& subject;  // id of what it is about
};

Result<void> tell(Context& ctx, const Telling& telling, const Facts& facts) {
  if (telling.user_id.empty()) return {};  // the platform's own accounts
  const Template* which = notification_rules::find_template(telling.message);
  CHECK(which != nullptr);
  const auto* preferences = ctx.table<NotificationPreferences>().find(telling.user_id);
  if (!notification_rules::wanted(*which, preferences)) return {};
  auto message = notification_rules::render(*which, language_of(ctx, telling.user_id, preferences), facts);
  Notification row;
  row.set_id(ctx.new_id());
  row.set_user_id(telling.user_id);
  row.set_template_(std::string(which->name));
  row.set_title(std::move(message.title));
  row.set_text(std::move(message.text));
  row.set_event_type(ctx.envelope().type());
  row.set_subject(telling.subject);
  row.set_created_at(ctx.now());
  ctx.table<Notification>().insert(row);
  NotificationSent event;
  event.set_notification_id(row.id());
  event.set_user_id(row.user_id());
  event.set_channel("in_app");
  event.set_template_(row.template_());
  event.set_subject(row.subject());
  ctx.emit(std::move(event));
  return {};
}

// ---- e-mail, kept in the outbox until there is a way out ----

struct Mail {
  const std::string& user_id;
  const std::string& recipient;
  std::string_view message;  // name of the template
};

void mail(Context& ctx, const Mail& mail, std::string_view language, const Facts& facts) {
  const Template* which = notification_rules::find_template(mail.message);
  CHECK(which != nullptr);
  auto message = notification_rules::render(*which, language, facts);
  OutboxMessage row;
  row.set_id(ctx.new_id());
  row.set_channel(OutboxMessage::EMAIL);
  row.set_user_id(mail.user_id);
  row.set_recipient(mail.recipient);
  row.set_template_(std::string(which->name));
  row.set_subject(std::move(message.title));
  row.set_body(std::move(message.text));
  row.set_created_at(ctx.now());
  OutboxMessageEnd end;
  end.set_id(row.id());
  ctx.set_timer(row.id(), ctx.now() + notification_rules::kOutboxKept, end);
  ctx.table<OutboxMessage>().insert(std::move(row));
}

Result<void> drop_outbox_message(Context& ctx, const OutboxMessageEnd& timer) {
  ctx.table<OutboxMessage>().erase(timer.id());
  return {};
}

// ---- what this service knows of a user ----

NotificationUser& user_row(Context& ctx, const std::string& user_id) {
  NotificationUser fresh;
  fresh.set_user_id(user_id);
  return ctx.table<NotificationUser>().edit_or_insert(fresh, user_id);
}

Result<void> know_user(Context& ctx, const UserCreated& event) {
  NotificationUser& user = user_row(ctx, event.user_id());
  user.set_display_name(event.display_name());
  user.set_language(event.language());
  if (!event.verification_code().empty())
    mail(ctx, {event.user_id(), event.email(), "verify_email"}, event.language(),
         {.code = event.verification_code()});
  return {};
}

Result<void> mail_another_code(Context& ctx, const UserEmailVerificationRequested& event) {
  const auto* preferences = ctx.table<NotificationPreferences>().find(event.user_id());
  mail(ctx, {event.user_id(), event.email(), "verify_email"}, language_of(ctx, event.user_id(), preferences),
       {.code = event.verification_code()});
  return {};
}

// Before, the address is perhaps somebody else's, and notices are none of his business.
Result<void> know_address(Context& ctx, const UserEmailVerified& event) {
  user_row(ctx, event.user_id()).set_email(event.email());
  return {};
}

Result<void> know_changed_user(Context& ctx, const UserUpdated& event) {
  NotificationUser& user = user_row(ctx, event.user_id());
  user.set_display_name(event.display_name());
  user.set_language(event.language());
  return {};
}

// ---- telling ----

// A later wallet of the same user is no reason to greet again, nor is this event a second time.
Result<void> welcome(Context& ctx, const AccountCreated& event) {
  if (!event.first() || event.user_id().empty()) return {};
  // Users and wallets come from two services: the wallet may be heard of first, and nobody can be greeted
  // yet.
  if (ctx.table<NotificationUser>().find(event.user_id()) == nullptr)
    return fail(Code::kUnavailable, "user_not_found", event.user_id());
  NotificationUser& user = user_row(ctx, event.user_id());
  if (user.welcomed()) return {};
  user.set_welcomed(true);
  return tell(ctx, {event.user_id(), "welcome", event.account_id()}, {.name = user.display_name()});
}

Result<void> tell_of_payment(Context& ctx, const PaymentCompleted& event) {
  TRY(tell(ctx, {event.payer_user_id(), "payment_sent", event.payment_id()},
           {.name = name_of(ctx, event.payee_user_id()), .amount = &event.amount()}));
  if (event.payee_user_id() == event.payer_user_id()) return {};  // between own wallets once is enough
  return tell(ctx, {event.payee_user_id(), "payment_received", event.payment_id()},
              {.name = name_of(ctx, event.payer_user_id()), .amount = &event.amount()});
}

Result<void> tell_of_failed_payment(Context& ctx, const PaymentFailed& event) {
  return tell(ctx, {event.payer_user_id(), "payment_failed", event.payment_id()},
              {.amount = &event.amount(), .reason = event.reason()});
}

Result<void> tell_of_refund(Context& ctx, const PaymentRefunded& event) {
  TRY(tell(ctx, {event.payer_user_id(), "refund_received", event.payment_id()},
           {.name = name_of(ctx, event.payee_user_id()), .amount = &event.amount()}));
  if (event.payee_user_id() == event.payer_user_id()) return {};
  return tell(ctx, {event.payee_user_id(), "refund_sent", event.payment_id()},
              {.name = name_of(ctx, event.payer_user_id()), .amount = &event.amount()});
}

// Both sides of what staff took back.
Result<void> tell_of_reversal(Context& ctx, const PaymentReversed& event) {
  TRY(tell(ctx, {event.payer_user_id(), "payment_came_back", event.payment_id()},
           {.name = name_of(ctx, event.payee_user_id()), .amount = &event.amount()}));
  if (event.payee_user_id() == event.payer_user_id()) return {};
  return tell(ctx, {event.payee_user_id(), "payment_taken_back", event.payment_id()},
              {.name = name_of(ctx, event.payer_user_id()), .amount = &event.amount()});
}

Result<void> tell_of_lost_refund(Context& ctx, const PaymentRefundReversed& event) {
  TRY(tell(ctx, {event.payee_user_id(), "refund_came_back", event.payment_id()},
           {.name = name_of(ctx, event.payer_user_id()), .amount = &event.amount()}));
  if (event.payee_user_id() == event.payer_user_id()) return {};
  return tell(ctx, {event.payer_user_id(), "refund_taken_back", event.payment_id()},
              {.name = name_of(ctx, event.payee_user_id()), .amount = &event.amount()});
}

Result<void> tell_of_lost_top_up(Context& ctx, const AccountTopUpReversed& event) {
  return tell(ctx, {event.user_id(), "top_up_taken_back", event.top_up_id()}, {.amount = &event.amount()});
}

Result<void> tell_of_top_up(Context& ctx, const AccountTopUpCompleted& event) {
  return tell(ctx, {event.user_id(), "top_up_completed", event.top_up_id()}, {.amount = &event.amount()});
}

Result<void> tell_of_failed_top_up(Context& ctx, const AccountTopUpFailed& event) {
  return tell(ctx, {event.user_id(), "top_up_failed", event.top_up_id()}, {.reason = event.reason()});
}

// A holder who is frozen is told once, not of each wallet.
Result<void> tell_of_frozen_holder(Context& ctx, const AccountHolderFrozen& event) {
  return tell(ctx, {event.user_id(), "user_frozen", event.user_id()}, {});
}

Result<void> tell_of_freeze(Context& ctx, const AccountFrozen& event) {
  if (event.with_holder()) return {};
  return tell(ctx, {event.user_id(), "account_frozen", event.account_id()}, {});
}

// What concerns somebody's safety goes to the inbox, which whoever is signed in reads, and to his own
// address.
Result<void> warn(Context& ctx, const Telling& telling) {
  TRY(tell(ctx, telling, {}));
  const NotificationUser* user = ctx.table<NotificationUser>().find(telling.user_id);
  if (user == nullptr || user->email().empty()) return {};
  const auto* preferences = ctx.table<NotificationPreferences>().find(telling.user_id);
  mail(ctx, {telling.user_id, user->email(), telling.message}, language_of(ctx, telling.user_id, preferences),
       {});
  return {};
}

Result<void> tell_of_new_password(Context& ctx, const UserPasswordChanged& event) {
  return warn(ctx, {event.user_id(), "password_changed", event.user_id()});
}

Result<void> tell_of_new_api_key(Context& ctx, const UserApiKeyCreated& event) {
  return warn(ctx, {event.user_id(), "api_key_created", event.api_key_id()});
}

Result<void> tell_of_suspension(Context& ctx, const UserSuspended& event) {
  return warn(ctx, {event.user_id(), "user_suspended", event.user_id()});
}

Result<void> tell_of_reinstatement(Context& ctx, const UserReinstated& event) {
  return warn(ctx, {event.user_id(), "user_reinstated", event.user_id()});
}

// Other reasons are the user's own doing.
Result<void> tell_of_stolen_session(Context& ctx, const UserSessionRevoked& event) {
  if (event.reason() != "token_reused") return {};
  return warn(ctx, {event.user_id(), "session_stolen", event.session_id()});
}

// ---- inbox and preferences ----

Result<ListNotificationsResponse> list_notifications(QueryContext& ctx,
                                                     const ListNotificationsRequest& request) {
  ListQuery query{.filters = {{.field = "userId", .value = ctx.principal().user_id}},
                  .page_size = uint32_t(request.page_size()),
                  .page_token = request.page_token()};
  if (request.unread()) query.filters.push_back({.field = "read", .value = "false"});
  const auto page = TRY(ctx.table<Notification>().list(std::move(query)));
  ListNotificationsResponse response;
  for (size_t i = 0; i < page.size(); ++i) *response.add_notifications() = page[i];
  response.set_next_page_token(page.next_page_token);
  return response;
}

Result<ListOutboxResponse> list_outbox(QueryContext& ctx, const ListOutboxRequest& request) {
  ListQuery query{.page_size = uint32_t(request.page_size()), .page_token = request.page_token()};
  if (!request.to().empty()) query.filters.push_back({.field = "recipient", .value = request.to()});
  if (!request.user_id().empty()) query.filters.push_back({.field = "userId", .value = request.user_id()});
  if (!request.template_().empty())
    query.filters.push_back({.field = "template", .value = request.template_()});
  const auto page = TRY(ctx.table<OutboxMessage>().list(std::move(query)));
  ListOutboxResponse response;
  for (size_t i = 0; i < page.size(); ++i) *response.add_messages() = page[i];
  response.set_next_page_token(page.next_page_token);
  return response;
}

Result<Notification> read_notification(Context& ctx, const ReadNotificationRequest& request) {
  const std::string& me = ctx.principal().user_id;
  const Notification& found = TRY(ctx.table<Notification>().get(me, request.id()));
  if (found.read()) return found;
  Notification& row = ctx.table<Notification>().edit(me, request.id());
  row.set_read(true);
  row.set_read_at(ctx.now());
  return row;
}

Result<NotificationPreferences> get_preferences(QueryContext& ctx, const GetPreferencesRequest&) {
  if (const auto* preferences = ctx.table<NotificationPreferences>().find(ctx.principal().user_id))
    return *preferences;
  NotificationPreferences none;
  none.set_user_id(ctx.principal().user_id);
  return none;
}

Result<NotificationPreferences> set_preferences(Context& ctx, const SetPreferencesRequest& request) {
  const Principal& caller = ctx.principal();
  if (caller.user_id.empty()) return fail(Code::kPermissionDenied, "forbidden", "Preferences are a user's.");
  TRY(notification_rules::check_muted(request.muted()));
  NotificationPreferences fresh;
  fresh.set_user_id(caller.user_id);
  auto& preferences = ctx.table<NotificationPreferences>().edit_or_insert(fresh, caller.user_id);
  *preferences.mutable_muted() = request.muted();
  preferences.set_language(request.language());
  preferences.set_updated_at(ctx.now());
  return preferences;
}

}  // namespace

Service notification_service(const Parts&) {
  Service service{"notification"};
  service.follow(know_user);               // user.created
  service.follow(know_changed_user);       // user.updated
  service.follow(know_address);            // user.email_verified
  service.follow(tell_of_new_api_key);     // user.api_key_created
  service.follow(tell_of_suspension);      // user.suspended
  service.follow(tell_of_reinstatement);   // user.reinstated
  service.follow(mail_another_code);       // user.email_verification_requested
  service.follow(welcome);                 // account.created
  service.follow(tell_of_payment);         // payment.completed
  service.follow(tell_of_failed_payment);  // payment.failed
  service.follow(tell_of_refund);          // payment.refunded
  service.follow(tell_of_reversal);        // payment.reversed
  service.follow(tell_of_lost_refund);     // payment.refund_reversed
  service.follow(tell_of_lost_top_up);     // account.top_up.reversed
  service.follow(tell_of_top_up);          // account.top_up.completed
  service.follow(tell_of_failed_top_up);   // account.top_up.failed
  service.follow(tell_of_freeze);          // account.frozen
  service.follow(tell_of_frozen_holder);   // account.holder_frozen
  service.follow(tell_of_new_password);    // user.password_changed
  service.follow(tell_of_stolen_session);  // user.session_revoked
  service.query(list_notifications);
  service.query(list_outbox);
  service.on_timer(drop_outbox_message);
  service.command(read_notification);
  service.query(get_preferences);
  service.command(set_preferences);
  return service;
}

}  // namespace micropay
