// The account service alone: its neighbours' events are given, its provider is the sandbox.
#include "services/account/service.h"

#include <gtest/gtest.h>

#include "contracts/balance.pb.h"
#include "contracts/runtime.pb.h"
#include "contracts/transaction.pb.h"
#include "contracts/user.pb.h"
#include "libs/base/ids.h"
#include "libs/runtime/testing.h"
#include "services/account/handlers.h"

namespace micropay {
namespace {

const std::string kAlice = "018f2a54-0000-7000-8000-00000000000a";
const std::string kBob = "018f2a54-0000-7000-8000-00000000000b";

class AccountTest : public testing::Test {
 protected:
  using Provider = std::shared_ptr<account::Provider>;
  static std::vector<Service> services(std::initializer_list<const char*> given, const Provider& provider) {
    Settings settings;
    for (const char* assignment : given) CHECK(settings.set(assignment));
    std::vector<Service> services = {account_service({.settings = settings, .data_folder = {}})};
    if (provider == nullptr) return services;
    services[0].effects.clear();
    services[0].effect<ProviderCall, ProviderOutcome>(provider, account::take_outcome);
    return services;
  }
  // `provider`: in place of the sandbox.
  explicit AccountTest(std::initializer_list<const char*> given = {}, const Provider& provider = nullptr)
      : world(services(given, provider)) {
    UserCreated created;
    created.set_user_id(kAlice);
    created.set_email("alice@example.com");
    world.given(created);
    account = world.all<AccountCreated>().at(0).account_id();
    world.events();
  }
  Result<TopUp> top_up(const std::string& method, int64_t minor = 5000, const std::string& currency = "EUR") {
    CreateTopUpRequest request;
    request.set_account_id(account);
    request.mutable_amount()->set_currency(currency);
    request.mutable_amount()->set_minor(minor);
    request.set_payment_method(method);
    return world.call<TopUp>(request, user_principal(kAlice));
  }
  // What the journal and the balance answer to account.top_up.captured.
  void credit(const std::string& top_up_id) {
    AccountBalanceUpdated updated;
    updated.set_key(top_up_id);
    updated.set_kind("top_up");
    updated.set_transaction_id("018f2a54-0000-7000-8000-0000000000ff");
    world.given(updated);
  }
  // The one top-up there is; a command that waits for its end has answered by then, or gave up waiting.
  const TopUp* only_top_up() {
    return world.find<TopUp>(world.all<AccountTopUpRequested>().at(0).top_up_id());
  }
  template <typename Request>
  Result<Account> act(const std::string& reason, const Principal& principal) {
    Request request;
    request.set_id(account);
    request.set_reason(reason);
    return world.call<Account>(request, principal);
  }
  const Account& stored() { return *world.find<Account>(account); }

  World world;
  std::string account;
  const Principal staff = user_principal(kBob, {USER, SUPPORT});
  const Principal admin = user_principal(kBob, {USER, ADMIN});
  const Principal alice = user_principal(kAlice);
};

TEST_F(AccountTest, RegistrationOpensAWalletInTheDefaultCurrencyOnce) {
  const auto created = world.all<AccountCreated>();
  ASSERT_EQ(created.size(), 1u);  // although the event came twice
  EXPECT_TRUE(created[0].first());
  EXPECT_EQ(created[0].currency(), "EUR");
  EXPECT_EQ(created[0].limits().per_payment_minor(), 1'000'000);
  EXPECT_EQ(stored().user_id(), kAlice);
  EXPECT_EQ(stored().status(), Account::ACTIVE);
}

TEST_F(AccountTest, TheUsersOwnDefaultCurrencyComesFirst) {
  UserCreated bob;
  bob.set_user_id(kBob);
  bob.set_default_currency("JPY");
  world.given(bob);
  EXPECT_EQ(world.all<AccountCreated>().at(1).currency(), "JPY");
}

class TwoAccountsTest : public AccountTest {
 protected:
  TwoAccountsTest() : AccountTest({"account.max_per_user=2"}) {}
};

TEST_F(TwoAccountsTest, MoreWalletsUpToTheMostAllowed) {
  CreateAccountRequest request;
  request.set_currency("USD");
  const auto second = world.call<Account>(request, alice);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->currency(), "USD");
  EXPECT_FALSE(world.all<AccountCreated>().at(1).first());
  EXPECT_EQ(world.call<Account>(request, alice).error().reason, "too_many_accounts");
  EXPECT_EQ(world.all<AccountCreated>().size(), 2u);
  // Closing one makes room.
  world.call_answer(
      [&] {
        CloseAccountRequest close;
        close.set_id(account);
        return close;
      }(),
      alice);
  AccountBalanceClosed closed;
  closed.set_account_id(account);
  world.given(closed);
  EXPECT_TRUE(world.call<Account>(request, alice));
}

TEST_F(AccountTest, FreezeAndUnfreeze) {
  const Principal herself = user_principal(kAlice, {USER, ADMIN, SUPPORT});
  EXPECT_EQ(act<FreezeAccountRequest>("my own", herself).error().reason, "is_party");
  ASSERT_TRUE(act<FreezeAccountRequest>("stolen phone", staff));
  EXPECT_EQ(act<UnfreezeAccountRequest>("my own", herself).error().reason, "is_party");
  EXPECT_EQ(stored().status(), Account::FROZEN);
  EXPECT_EQ(stored().status_reason(), "stolen phone");
  EXPECT_EQ(act<FreezeAccountRequest>("again", staff).error().reason, "account_frozen");
  EXPECT_EQ(top_up("card_ok").error().reason, "account_frozen");
  EXPECT_EQ(act<CloseAccountRequest>("", alice).error().reason, "account_frozen");
  ASSERT_TRUE(act<UnfreezeAccountRequest>("phone is back", staff));
  EXPECT_EQ(stored().status(), Account::ACTIVE);
  EXPECT_EQ(act<UnfreezeAccountRequest>("again", staff).error().reason, "account_not_frozen");
  EXPECT_EQ(world.events(), (Types{"account.holder_frozen", "account.frozen", "account.holder_unfrozen",
                                   "account.unfrozen"}));
}

TEST_F(AccountTest, ClosingAsksTheBalance) {
  CloseAccountRequest request;
  request.set_id(account);
  world.call_answer(request, alice);
  EXPECT_EQ(stored().status(), Account::CLOSING);
  AccountBalanceClosed closed;
  closed.set_account_id(account);
  world.given(closed);
  EXPECT_EQ(stored().status(), Account::CLOSED);
  EXPECT_EQ(world.events(), (Types{"account.close_requested", "account.closed"}));
  EXPECT_EQ(act<CloseAccountRequest>("", alice).error().reason, "account_closed");
}

TEST_F(AccountTest, ClosingIsRefusedWhileThereIsMoney) {
  CloseAccountRequest request;
  request.set_id(account);
  world.call_answer(request, alice);
  AccountBalanceCloseRefused refused;
  refused.set_account_id(account);
  refused.set_reason("balance_not_zero");
  world.given(refused);
  EXPECT_EQ(stored().status(), Account::ACTIVE);
  EXPECT_EQ(stored().close_refusal(), "balance_not_zero");
  EXPECT_EQ(world.events(), (Types{"account.close_requested", "account.close_refused"}));
}

TEST_F(AccountTest, StrayAnswersOfTheBalanceChangeNothing) {
  AccountBalanceClosed closed;
  closed.set_account_id(account);
  world.given(closed);
  EXPECT_EQ(stored().status(), Account::ACTIVE);
  EXPECT_EQ(world.events(), Types{});
}

TEST_F(AccountTest, LimitsAreReplaced) {
  SetLimitsRequest request;
  request.set_id(account);
  request.mutable_limits()->set_per_payment_minor(7);
  EXPECT_EQ(world.call<Account>(request, user_principal(kAlice, {USER, ADMIN})).error().reason, "is_party");
  const auto changed = world.call<Account>(request, admin);
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->limits().per_payment_minor(), 7);
  EXPECT_EQ(changed->limits().per_day_minor(), 0);
  EXPECT_EQ(changed->limits().per_payment().minor(), 7);
  EXPECT_EQ(world.all<AccountLimitsChanged>().at(0).limits().per_payment_minor(), 7);
  request.mutable_limits()->set_per_day_minor(6);
  EXPECT_EQ(world.call<Account>(request, admin).error().reason, "limits_contradict");
}

TEST_F(AccountTest, ATopUpIsCapturedThenBookedThenComplete) {
  top_up("card_ok");
  const TopUp* captured = only_top_up();
  EXPECT_EQ(captured->status(), TopUp::CAPTURED);
  EXPECT_EQ(stored().pending_top_ups(), 1u);
  EXPECT_EQ(act<CloseAccountRequest>("", alice).error().reason, "top_up_pending");
  credit(captured->id());
  const TopUp* completed = only_top_up();
  EXPECT_EQ(completed->status(), TopUp::COMPLETED);
  EXPECT_EQ(completed->transaction_id(), "018f2a54-0000-7000-8000-0000000000ff");
  EXPECT_EQ(stored().pending_top_ups(), 0u);
  EXPECT_EQ(world.events(),
            (Types{"account.top_up.requested", "account.top_up.captured", "account.top_up.completed"}));
  const AccountTopUpCaptured event = world.all<AccountTopUpCaptured>().at(0);
  EXPECT_EQ(event.amount().minor(), 5000);
  EXPECT_EQ(event.provider(), "sandbox");
  credit(captured->id());  // another event that says the same
  EXPECT_EQ(world.events(), Types{});
  EXPECT_EQ(stored().pending_top_ups(), 0u);
}

TEST_F(AccountTest, DeclinesFailWithTheirReason) {
  const auto declined = top_up("card_declined");
  ASSERT_FALSE(declined);
  EXPECT_EQ(declined.error().code, Code::kPaymentRequired);
  EXPECT_EQ(declined.error().reason, "declined");
  EXPECT_EQ(top_up("cowries").error().reason, "unsupported_payment_method");
  EXPECT_EQ(stored().pending_top_ups(), 0u);
  EXPECT_EQ(world.all<AccountTopUpFailed>().size(), 2u);
}

TEST_F(AccountTest, AnUnknownOutcomeIsPolledUntilItIsKnown) {
  top_up("card_timeout");
  world.advance(kHour);
  const TopUp* known = only_top_up();
  EXPECT_EQ(known->status(), TopUp::CAPTURED);
  EXPECT_FALSE(known->outcome_unknown());
  credit(known->id());
  EXPECT_EQ(world.events(), (Types{"account.top_up.requested", "account.top_up.unknown",
                                   "account.top_up.captured", "account.top_up.completed"}));
}

TEST_F(AccountTest, AnUnknownOutcomeIsSaidAtOnce) {
  const auto unknown = top_up("card_timeout");
  ASSERT_TRUE(unknown);
  EXPECT_TRUE(unknown->outcome_unknown());
  EXPECT_EQ(unknown->status(), TopUp::PENDING);
}

// Cannot be reached until somebody repairs it.
class BrokenProvider final : public account::Provider {
 public:
  Outcome<ProviderOutcome> perform(const ProviderCall& call, std::string_view) override {
    Outcome<ProviderOutcome> outcome;
    last = call.operation();
    outcome.kind = repaired ? Outcome<ProviderOutcome>::Kind::kDone : Outcome<ProviderOutcome>::Kind::kFailed;
    return outcome;
  }
  std::atomic<bool> repaired = false;
  ProviderCall::Operation last = ProviderCall::CONFIRM;
};

class BrokenProviderTest : public AccountTest {
 protected:
  BrokenProviderTest() : AccountTest({}, provider) {}
  static inline std::shared_ptr<BrokenProvider> provider = std::make_shared<BrokenProvider>();
};

TEST_F(BrokenProviderTest, ATopUpThatWasGivenUpMaySucceedWhenStaffAsksAgain) {
  EXPECT_EQ(top_up("card_ok").error().reason, "provider_unavailable");
  EXPECT_EQ(stored().pending_top_ups(), 0u);
  provider->repaired = true;
  const auto letters = world.query<ListDeadLettersResponse>(ListDeadLettersRequest(), admin);
  ASSERT_EQ(letters->dead_letters_size(), 1);
  RedriveDeadLetterRequest redrive;
  redrive.set_id(letters->dead_letters(0).id());
  ASSERT_TRUE(world.call<DeadLetter>(redrive, admin));
  world.advance(kMinute);
  EXPECT_EQ(only_top_up()->status(), TopUp::CAPTURED);
  EXPECT_EQ(only_top_up()->failure_reason(), "");
  EXPECT_EQ(stored().pending_top_ups(), 1u);
}

// Found by the simulator (seed 113): a top-up was given up, its wallet was closed, and then its dead letter
// was driven again. The provider took the money, and the closed wallet showed it.
TEST_F(BrokenProviderTest, ATopUpOfAClosedWalletGoesBack) {
  provider->repaired = false;
  EXPECT_EQ(top_up("card_ok").error().reason, "provider_unavailable");
  CloseAccountRequest close;
  close.set_id(account);
  world.call_answer(close, alice);
  AccountBalanceClosed closed;
  closed.set_account_id(account);
  world.given(closed);
  ASSERT_EQ(stored().status(), Account::CLOSED);
  provider->repaired = true;
  const auto letters = world.query<ListDeadLettersResponse>(ListDeadLettersRequest(), admin);
  RedriveDeadLetterRequest redrive;
  redrive.set_id(letters->dead_letters(0).id());
  ASSERT_TRUE(world.call<DeadLetter>(redrive, admin));
  world.advance(kMinute);
  EXPECT_EQ(only_top_up()->status(), TopUp::FAILED);
  EXPECT_EQ(only_top_up()->failure_reason(), "account_closed");
  EXPECT_EQ(provider->last, ProviderCall::VOID);
  EXPECT_EQ(stored().pending_top_ups(), 0u);
}

TEST_F(AccountTest, TheSecondStepConfirms) {
  const auto challenged = top_up("card_challenge");
  ASSERT_TRUE(challenged);
  EXPECT_EQ(challenged->status(), TopUp::ACTION_REQUIRED);
  EXPECT_FALSE(challenged->next_action_url().empty());
  ConfirmTopUpRequest confirm;
  confirm.set_account_id(account);
  confirm.set_top_up_id(challenged->id());
  confirm.set_challenge_code("123456");
  world.call_answer(confirm, alice);
  EXPECT_EQ(only_top_up()->status(), TopUp::CAPTURED);
  EXPECT_EQ(world.call<TopUp>(confirm, alice).error().reason, "no_action_required");
  world.advance(kHour);  // the timer is gone
  EXPECT_EQ(only_top_up()->status(), TopUp::CAPTURED);
}

// The wallet of the path was not compared with the top-up's: its owner's other wallet would have done, and a
// stranger's own.
TEST_F(AccountTest, ATopUpIsConfirmedThroughItsOwnWalletOnly) {
  ConfirmTopUpRequest confirm;
  confirm.set_top_up_id(top_up("card_challenge")->id());
  confirm.set_challenge_code("123456");
  const Principal stranger = user_principal(derived_uuid("a stranger"));
  for (const Principal& caller : {alice, stranger}) {
    confirm.set_account_id(derived_uuid("another wallet"));
    EXPECT_EQ(world.call<TopUp>(confirm, caller).error().reason, "not_found");
    EXPECT_EQ(only_top_up()->status(), TopUp::ACTION_REQUIRED);
  }
  confirm.set_account_id(account);
  world.call_answer(confirm, alice);
  EXPECT_EQ(only_top_up()->status(), TopUp::CAPTURED);
}

TEST_F(AccountTest, AWrongCodeFails) {
  ConfirmTopUpRequest confirm;
  confirm.set_account_id(account);
  confirm.set_top_up_id(top_up("card_challenge")->id());
  confirm.set_challenge_code("999999");
  EXPECT_EQ(world.call<TopUp>(confirm, alice).error().reason, "challenge_failed");
  EXPECT_EQ(only_top_up()->status(), TopUp::FAILED);
}

TEST_F(AccountTest, AForgottenSecondStepFails) {
  top_up("card_challenge");
  world.advance(29 * kMinute);
  EXPECT_EQ(only_top_up()->status(), TopUp::ACTION_REQUIRED);
  world.advance(2 * kMinute);
  EXPECT_EQ(only_top_up()->failure_reason(), "challenge_expired");
  EXPECT_EQ(stored().pending_top_ups(), 0u);
}

TEST_F(AccountTest, BadTopUpsLeaveNothing) {
  EXPECT_EQ(top_up("card_ok", 5000, "USD").error().reason, "currency_mismatch");
  EXPECT_EQ(top_up("card_ok", 10'000'001).error().reason, "top_up_too_large");
  CreateTopUpRequest request;
  request.set_account_id(account);
  request.mutable_amount()->set_currency("EUR");
  request.mutable_amount()->set_minor(1);
  request.set_payment_method("card_ok");
  request.set_provider("nobody");
  EXPECT_EQ(world.call<TopUp>(request, alice).error().reason, "unknown_provider");
  EXPECT_EQ(world.events(), Types{});
  EXPECT_EQ(stored().pending_top_ups(), 0u);
}

TEST_F(AccountTest, AnotherUsersWalletsAreNotThere) {
  ListAccountsRequest own;
  EXPECT_EQ(world.query<ListAccountsResponse>(own, alice)->accounts_size(), 1);
  EXPECT_EQ(world.query<ListAccountsResponse>(own, user_principal(kBob))->accounts_size(), 0);
  EXPECT_EQ(world.query<ListAccountsResponse>(own, staff)->accounts_size(), 1);
  ListAccountsRequest of_alice;
  of_alice.set_user_id(kAlice);
  EXPECT_EQ(world.query<ListAccountsResponse>(of_alice, user_principal(kBob)).error().code, Code::kNotFound);
  EXPECT_EQ(world.query<ListAccountsResponse>(of_alice, alice)->accounts_size(), 1);
}

TEST_F(AccountTest, TopUpsAreListedByWallet) {
  top_up("card_ok");
  ListTopUpsRequest list;
  list.set_account_id(account);
  const auto found = world.query<ListTopUpsResponse>(list, alice);
  ASSERT_EQ(found->top_ups_size(), 1);
  GetTopUpRequest get;
  get.set_account_id(account);
  get.set_top_up_id(found->top_ups(0).id());
  EXPECT_TRUE(world.query<TopUp>(get, alice));
  get.set_account_id(kBob);
  EXPECT_EQ(world.query<TopUp>(get, alice).error().code, Code::kNotFound);
}

TEST_F(AccountTest, ATopUpIsTakenBackOnce) {
  top_up("card_ok");
  const std::string id = only_top_up()->id();
  TransactionReversalRequested request;
  request.set_kind("top_up");
  request.set_cause_id(id);
  request.set_reversal_id("018f2a54-0000-7000-8000-0000000000e1");
  world.given(request);
  EXPECT_TRUE(world.all<AccountTopUpReversalDecided>().empty()) << "it is not credited yet";
  credit(id);
  world.advance(kMinute);
  ASSERT_EQ(world.all<AccountTopUpReversalDecided>().size(), 1u);
  EXPECT_EQ(world.all<AccountTopUpReversalDecided>()[0].refused(), "");
  EXPECT_EQ(only_top_up()->status(), TopUp::COMPLETED);
  TransactionReversalRefused refused;
  refused.set_kind("top_up");
  refused.set_cause_id(id);
  refused.set_transaction_id(id);
  refused.set_reversal_id(request.reversal_id());
  world.given(refused);
  EXPECT_EQ(only_top_up()->reversal_id(), "");
  request.set_reversal_id("018f2a54-0000-7000-8000-0000000000e2");
  world.given(request);
  TransactionReversed reversed;
  reversed.set_kind("top_up");
  reversed.set_cause_id(id);
  reversed.set_transaction_id(id);
  reversed.set_reversal_id(request.reversal_id());
  reversed.set_key(request.reversal_id());
  world.given(reversed);
  EXPECT_EQ(only_top_up()->status(), TopUp::REVERSED);
  const auto told = world.all<AccountTopUpReversed>();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].user_id(), kAlice);
  EXPECT_EQ(told[0].amount().minor(), 5000);
  request.set_reversal_id("018f2a54-0000-7000-8000-0000000000e3");
  world.given(request);
  EXPECT_EQ(world.all<AccountTopUpReversalDecided>().back().refused(), "not_reversible");
}

TEST_F(AccountTest, RefusalsSayASentence) {
  const auto declined = top_up("card_declined");
  ASSERT_FALSE(declined);
  EXPECT_FALSE(declined.error().detail.empty());
  for (const char* reason : {"balance_not_zero", "incoming_pending"}) {
    act<CloseAccountRequest>("", alice);
    AccountBalanceCloseRefused refused;
    refused.set_account_id(account);
    refused.set_reason(reason);
    world.given(refused);
    EXPECT_EQ(stored().close_refusal(), reason);
    EXPECT_FALSE(stored().close_refusal_detail().empty());
  }
}

}  // namespace
}  // namespace micropay
