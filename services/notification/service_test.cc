// Given events of the neighbours (each delivered twice), then what is in whose inbox.
#include "services/notification/service.h"

#include <gtest/gtest.h>

#include "contracts/account.pb.h"
#include "contracts/notification.pb.h"
#include "contracts/payment.pb.h"
#include "contracts/user.pb.h"
#include "libs/base/ids.h"
#include "libs/runtime/testing.h"

namespace micropay {
namespace {

struct Notifications : testing::Test {
  Settings settings;
  World world{{notification_service({.settings = settings, .data_folder = ""})}};
  const std::string ada = derived_uuid("ada"), bob = derived_uuid("bob");

  void register_user(const std::string& id, const std::string& name, const std::string& language) {
    UserCreated event;
    event.set_user_id(id);
    event.set_display_name(name);
    event.set_language(language);
    world.given(event);
  }
  void open_wallet(const std::string& user_id, const std::string& account, bool first) {
    AccountCreated event;
    event.set_account_id(derived_uuid(account));
    event.set_user_id(user_id);
    event.set_currency("EUR");
    event.set_first(first);
    world.given(event);
  }
  void pay(const std::string& payer, const std::string& payee, const std::string& payment = "p1") {
    PaymentCompleted event;
    event.set_payment_id(derived_uuid(payment));
    event.set_payer_user_id(payer);
    event.set_payee_user_id(payee);
    event.mutable_amount()->set_currency("EUR");
    event.mutable_amount()->set_minor(1234);
    world.given(event);
  }
  ListNotificationsResponse inbox(const std::string& user_id, bool unread = false, int page_size = 0,
                                  const std::string& token = {}) {
    ListNotificationsRequest request;
    request.set_unread(unread);
    request.set_page_size(page_size);
    request.set_page_token(token);
    return world.query<ListNotificationsResponse>(request, user_principal(user_id)).value();
  }
  // "template: text" of each message, oldest first.
  std::vector<std::string> told(const std::string& user_id) {
    std::vector<std::string> out;
    const ListNotificationsResponse page = inbox(user_id);
    for (const Notification& each : page.notifications())
      out.push_back(each.template_() + ": " + each.text());
    std::reverse(out.begin(), out.end());
    return out;
  }
  Result<Notification> read(const std::string& id, const std::string& user_id) {
    ReadNotificationRequest request;
    request.set_id(id);
    return world.call<Notification>(request, user_principal(user_id));
  }
  Result<NotificationPreferences> mute(const std::string& user_id,
                                       std::initializer_list<const char*> templates,
                                       const std::string& language = {}) {
    SetPreferencesRequest request;
    for (const char* each : templates) request.add_muted(each);
    request.set_language(language);
    return world.call<NotificationPreferences>(request, user_principal(user_id));
  }
};

using Told = std::vector<std::string>;

// What proves an address goes to the address, in the user's language, and to nobody's inbox.
TEST_F(Notifications, ACodeGoesToTheOutbox) {
  UserCreated created;
  created.set_user_id(ada);
  created.set_email("ada@example.org");
  created.set_display_name("Ada");
  created.set_language("de");
  created.set_verification_code("012345");
  world.given(created);
  UserEmailVerificationRequested again;
  again.set_user_id(ada);
  again.set_email("ada@example.org");
  again.set_verification_code("678901");
  world.given(again);
  created.set_user_id(bob);
  created.set_email("bob@example.org");
  created.clear_verification_code();  // counts as proven
  world.given(created);
  EXPECT_EQ(world.events(), Types{});
  EXPECT_EQ(told(ada), Told{});
  const auto admin = user_principal(derived_uuid("root"), {ADMIN});
  const auto all = world.query<ListOutboxResponse>(ListOutboxRequest(), admin).value();
  ASSERT_EQ(all.messages_size(), 2);
  EXPECT_NE(all.messages(0).body().find("678901"), std::string::npos);  // newest first
  EXPECT_NE(all.messages(1).body().find("Gib 012345 bei"), std::string::npos);
  EXPECT_EQ(all.messages(1).recipient(), "ada@example.org");
  EXPECT_EQ(all.messages(1).template_(), "verify_email");
  for (const char* to : {"ada@example.org", "bob@example.org"}) {
    ListOutboxRequest request;
    request.set_to(to);
    EXPECT_EQ(world.query<ListOutboxResponse>(request, admin)->messages_size(), to[0] == 'a' ? 2 : 0);
  }
  world.advance(7 * kDay);
  EXPECT_EQ(world.query<ListOutboxResponse>(ListOutboxRequest(), admin)->messages_size(), 0);
}

TEST_F(Notifications, ARegistrationIsWelcomedOnce) {
  register_user(ada, "Ada", "en");
  EXPECT_EQ(world.events(), Types{});
  open_wallet(ada, "a1", true);
  EXPECT_EQ(world.events(), (Types{"notification.sent"}));
  open_wallet(ada, "a2", false);
  open_wallet(ada, "a3", true);
  EXPECT_EQ(world.events(), Types{});
  EXPECT_EQ(told(ada),
            (Told{"welcome: Hello Ada, your wallet is open. Top it up and make your first payment."}));
  const NotificationSent sent = world.all<NotificationSent>().at(0);
  EXPECT_EQ(sent.user_id(), ada);
  EXPECT_EQ(sent.channel(), "in_app");
  EXPECT_EQ(sent.subject(), derived_uuid("a1"));
  EXPECT_EQ(sent.notification_id(), inbox(ada).notifications(0).id());
}

// On a cluster the two topics are read independently.
TEST_F(Notifications, AWalletThatIsKnownBeforeItsUserIsWelcomedOnceToo) {
  open_wallet(ada, "a1", true);
  EXPECT_TRUE(told(ada).empty()) << "neither the name nor the language is known";
  register_user(ada, "Ada", "de");
  open_wallet(ada, "a1", true);
  world.advance(kSecond);
  ASSERT_EQ(told(ada).size(), 1u);
  EXPECT_NE(told(ada)[0].find("Hallo Ada"), std::string::npos);
}

TEST_F(Notifications, APaymentIsToldToBothInTheirLanguages) {
  register_user(ada, "Ada", "en");
  register_user(bob, "Bob", "de");
  pay(ada, bob);
  EXPECT_EQ(world.events(), (Types{"notification.sent", "notification.sent"}));
  EXPECT_EQ(told(ada), (Told{"payment_sent: You paid 12.34 EUR to Bob."}));
  EXPECT_EQ(told(bob), (Told{"payment_received: Du hast 12,34 EUR von Ada erhalten."}));
  const ListNotificationsResponse page = inbox(bob);
  const Notification& row = page.notifications(0);
  EXPECT_EQ(row.title(), "Zahlung erhalten");
  EXPECT_EQ(row.event_type(), "payment.completed");
  EXPECT_EQ(row.subject(), derived_uuid("p1"));
  EXPECT_FALSE(row.read());
}

TEST_F(Notifications, APaymentBetweenOwnWalletsIsToldOnce) {
  pay(ada, ada);
  EXPECT_EQ(told(ada), (Told{"payment_sent: You paid 12.34 EUR to someone."}));
}

TEST_F(Notifications, WhatStaffTookBackIsToldToBoth) {
  register_user(ada, "Ada", "en");
  register_user(bob, "Bob", "en");
  PaymentReversed reversed;
  reversed.set_payment_id(derived_uuid("p1"));
  reversed.mutable_amount()->set_currency("EUR");
  reversed.mutable_amount()->set_minor(2000);
  reversed.set_payer_user_id(ada);
  reversed.set_payee_user_id(bob);
  world.given(reversed);
  PaymentRefundReversed refund;
  refund.set_refund_id(derived_uuid("r1"));
  refund.set_payment_id(derived_uuid("p2"));
  *refund.mutable_amount() = reversed.amount();
  refund.set_payer_user_id(ada);
  refund.set_payee_user_id(bob);
  world.given(refund);
  AccountTopUpReversed top_up;
  top_up.set_top_up_id(derived_uuid("t1"));
  top_up.set_user_id(ada);
  *top_up.mutable_amount() = reversed.amount();
  world.given(top_up);
  EXPECT_EQ(
      told(ada),
      (Told{"payment_came_back: Your payment to Bob was taken back: 20.00 EUR are in your wallet again.",
            "refund_taken_back: A refund from Bob was taken back: 20.00 EUR have left your wallet.",
            "top_up_taken_back: A top-up was taken back: 20.00 EUR have left your wallet."}));
  EXPECT_EQ(
      told(bob),
      (Told{"payment_taken_back: A payment from Ada was taken back: 20.00 EUR have left your wallet.",
            "refund_came_back: Your refund to Ada was taken back: 20.00 EUR are in your wallet again."}));
  const ListNotificationsResponse page = inbox(bob);
  EXPECT_EQ(page.notifications(1).event_type(), "payment.reversed");
  EXPECT_EQ(page.notifications(1).subject(), derived_uuid("p1"));
}

TEST_F(Notifications, FailuresAndRefundsAreTold) {
  register_user(ada, "Ada", "en");
  register_user(bob, "Bob", "en");
  PaymentFailed failed;
  failed.set_payment_id(derived_uuid("p1"));
  failed.set_payer_user_id(ada);
  failed.mutable_amount()->set_currency("JPY");
  failed.mutable_amount()->set_minor(500);
  failed.set_reason("insufficient_funds");
  world.given(failed);
  PaymentRefunded refunded;
  refunded.set_refund_id(derived_uuid("r1"));
  refunded.set_payment_id(derived_uuid("p2"));
  refunded.mutable_amount()->set_currency("EUR");
  refunded.mutable_amount()->set_minor(100);
  refunded.set_payer_user_id(ada);
  refunded.set_payee_user_id(bob);
  world.given(refunded);
  EXPECT_EQ(told(ada),
            (Told{"payment_failed: Your payment of 500 JPY did not happen: there was not enough money in the "
                  "wallet. No money has moved.",
                  "refund_received: 1.00 EUR of a payment to Bob came back to you."}));
  EXPECT_EQ(told(bob), (Told{"refund_sent: You gave 1.00 EUR of a payment back to Ada."}));
}

TEST_F(Notifications, TopUpsAreTold) {
  AccountTopUpCompleted completed;
  completed.set_top_up_id(derived_uuid("t1"));
  completed.set_user_id(ada);
  completed.mutable_amount()->set_currency("EUR");
  completed.mutable_amount()->set_minor(5000);
  world.given(completed);
  AccountTopUpFailed failed;
  failed.set_top_up_id(derived_uuid("t2"));
  failed.set_user_id(ada);
  failed.set_reason("declined");
  world.given(failed);
  EXPECT_EQ(told(ada), (Told{"top_up_completed: 50.00 EUR are in your wallet.",
                             "top_up_failed: Your top-up did not happen: it was declined."}));
}

TEST_F(Notifications, SecurityIsToldWhateverIsMuted) {
  EXPECT_EQ(mute(ada, {"welcome"}).error().reason, "cannot_be_muted");
  EXPECT_EQ(mute(ada, {"account_frozen"}).error().reason, "cannot_be_muted");
  AccountFrozen frozen;
  frozen.set_account_id(derived_uuid("a1"));
  frozen.set_user_id(ada);
  world.given(frozen);
  UserPasswordChanged changed;
  changed.set_user_id(ada);
  world.given(changed);
  UserSessionRevoked revoked;
  revoked.set_user_id(ada);
  revoked.set_session_id(derived_uuid("s1"));
  revoked.set_reason("token_reused");
  world.given(revoked);
  revoked.set_reason("requested");  // one's own doing
  world.given(revoked);
  std::vector<std::string> templates;
  const ListNotificationsResponse page = inbox(ada);
  for (const Notification& each : page.notifications()) templates.push_back(each.template_());
  EXPECT_EQ(templates, (std::vector<std::string>{"session_stolen", "password_changed", "account_frozen"}));
}

// To the inbox, which a thief with a session reads, and to the address, once it is proven to be the user's.
TEST_F(Notifications, SecurityIsMailedToProvenAddresses) {
  register_user(ada, "Ada", "en");
  const auto mailed = [&] {
    ListOutboxRequest request;
    request.set_user_id(ada);
    std::vector<std::string> templates;
    const auto page = world.query<ListOutboxResponse>(request).value();
    for (const OutboxMessage& each : page.messages()) templates.push_back(each.template_());
    return templates;
  };
  UserApiKeyCreated made;
  made.set_user_id(ada);
  made.set_api_key_id(derived_uuid("k1"));
  world.given(made);
  EXPECT_EQ(mailed(), std::vector<std::string>{});
  UserEmailVerified verified;
  verified.set_user_id(ada);
  verified.set_email("ada@example.org");
  world.given(verified);
  world.given(made);
  UserPasswordChanged changed;
  changed.set_user_id(ada);
  world.given(changed);
  UserSuspended suspended;
  suspended.set_user_id(ada);
  world.given(suspended);
  UserReinstated reinstated;
  reinstated.set_user_id(ada);
  world.given(reinstated);
  EXPECT_EQ(mailed(), (std::vector<std::string>{"user_reinstated", "user_suspended", "password_changed",
                                                "api_key_created"}));
  EXPECT_EQ(told(ada).size(), 5u);
}

TEST_F(Notifications, AMutedTemplateSendsNothing) {
  ASSERT_TRUE(mute(bob, {"payment_received"}, "de"));
  pay(ada, bob);
  EXPECT_EQ(world.events(), (Types{"notification.sent"}));
  EXPECT_EQ(told(bob), Told{});
  ASSERT_TRUE(mute(bob, {}, "de"));  // replaces
  pay(ada, bob, "p2");
  EXPECT_EQ(told(bob), (Told{"payment_received: Du hast 12,34 EUR von jemand erhalten."}));
  EXPECT_EQ(mute(bob, {"nonsense"}).error().reason, "unknown_template");
  const auto kept =
      world.query<NotificationPreferences>(GetPreferencesRequest(), user_principal(bob)).value();
  EXPECT_EQ(kept.language(), "de");
  EXPECT_EQ(kept.user_id(), bob);
  EXPECT_EQ(world.query<NotificationPreferences>(GetPreferencesRequest(), user_principal(ada))->user_id(),
            ada);
}

TEST_F(Notifications, AChangedProfileIsUsed) {
  register_user(ada, "Ada", "en");
  UserUpdated updated;
  updated.set_user_id(ada);
  updated.set_display_name("Ada Lovelace");
  updated.set_language("de");
  world.given(updated);
  pay(bob, ada);
  EXPECT_EQ(told(bob), (Told{"payment_sent: You paid 12.34 EUR to Ada Lovelace."}));
  EXPECT_EQ(told(ada), (Told{"payment_received: Du hast 12,34 EUR von jemand erhalten."}));
}

TEST_F(Notifications, AreReadByTheirOwnerOnly) {
  pay(ada, bob, "p1");
  pay(ada, bob, "p2");
  const std::string id = inbox(bob).notifications(1).id();
  EXPECT_EQ(read(id, ada).error().code, Code::kNotFound);
  EXPECT_EQ(read(derived_uuid("nothing"), bob).error().code, Code::kNotFound);
  const Time at = world.clock().now();
  const Notification once = read(id, bob).value();
  EXPECT_TRUE(once.read());
  EXPECT_EQ(once.read_at(), at);
  world.advance(kMinute);
  EXPECT_EQ(read(id, bob)->read_at(), at);
  ASSERT_EQ(inbox(bob, true).notifications_size(), 1);
  EXPECT_EQ(inbox(bob, true).notifications(0).subject(), derived_uuid("p2"));
  EXPECT_EQ(inbox(bob).notifications_size(), 2);
  EXPECT_EQ(inbox(ada).notifications_size(), 2);
}

TEST_F(Notifications, ComeInPagesNewestFirst) {
  for (int i = 0; i < 5; ++i) {
    pay(ada, bob, "p" + std::to_string(i));
    world.advance(kSecond);
  }
  std::vector<std::string> subjects;
  std::string token;
  do {
    const auto page = inbox(bob, false, 2, token);
    for (const Notification& each : page.notifications()) subjects.push_back(each.subject());
    token = page.next_page_token();
  } while (!token.empty());
  ASSERT_EQ(subjects.size(), 5u);
  EXPECT_EQ(subjects.front(), derived_uuid("p4"));
  EXPECT_EQ(subjects.back(), derived_uuid("p0"));
}

}  // namespace
}  // namespace micropay
