// What staff restricts holds for a person: tried as somebody would who opens another wallet to get round it.
#include <gtest/gtest.h>

#include "contracts/balance.pb.h"
#include "contracts/user.pb.h"
#include "libs/runtime/testing.h"
#include "services/account/service.h"

namespace micropay {
namespace {

const std::string kAlice = "018f2a54-0000-7000-8000-00000000000a";
const std::string kBob = "018f2a54-0000-7000-8000-00000000000b";

class RestrictionsTest : public testing::Test {
 protected:
  explicit RestrictionsTest(std::initializer_list<const char*> given = {}) : world(services(given)) {
    euros = register_user(kAlice, "EUR");
    dollars = open("USD");
    world.events();
  }
  static std::vector<Service> services(std::initializer_list<const char*> given) {
    Settings settings;
    for (const char* assignment : given) CHECK(settings.set(assignment));
    return {account_service({.settings = settings, .data_folder = {}})};
  }
  std::string register_user(const std::string& user_id, const std::string& currency) {
    UserCreated created;
    created.set_user_id(user_id);
    created.set_default_currency(currency);
    world.given(created);
    return world.all<AccountCreated>().back().account_id();
  }
  Result<Account> try_open(const std::string& currency) {
    CreateAccountRequest request;
    request.set_currency(currency);
    return world.call<Account>(request, alice);
  }
  std::string open(const std::string& currency) {
    const auto opened = try_open(currency);
    return opened ? opened->id() : opened.error().reason;
  }
  template <typename Request>
  std::string act(const std::string& wallet, FreezeScope scope = FREEZE_SCOPE_UNSPECIFIED) {
    Request request;
    request.set_id(wallet);
    request.set_reason("fraud");
    request.set_scope(scope);
    const auto done = world.call<Account>(request, staff);
    return done ? "" : done.error().reason;
  }
  template <typename Request>
  std::string act_on_holder() {
    Request request;
    request.set_user_id(kAlice);
    request.set_reason("fraud");
    const auto done = world.call<AccountHolder>(request, staff);
    return done ? "" : done.error().reason;
  }
  Account::Status status(const std::string& wallet) { return world.find<Account>(wallet)->status(); }

  World world;
  const Principal alice = user_principal(kAlice);
  const Principal staff = user_principal(kBob, {USER, SUPPORT});
  const Principal admin = user_principal(kBob, {USER, ADMIN});
  std::string euros, dollars;
};

TEST_F(RestrictionsTest, AFreezeIsOfTheHolderWithAllWallets) {
  EXPECT_EQ(act<FreezeAccountRequest>(euros), "");
  EXPECT_EQ(status(euros), Account::FROZEN);
  EXPECT_EQ(status(dollars), Account::FROZEN);
  EXPECT_EQ(open("EUR"), "user_frozen");
  EXPECT_EQ(world.events(), (Types{"account.holder_frozen", "account.frozen", "account.frozen"}));
  for (const AccountFrozen& frozen : world.all<AccountFrozen>())
    EXPECT_EQ(frozen.with_holder(), frozen.account_id() == dollars);
  EXPECT_EQ(act<UnfreezeAccountRequest>(dollars, WALLET), "user_frozen");
  EXPECT_EQ(act<UnfreezeAccountRequest>(dollars), "");
  EXPECT_EQ(status(euros), Account::ACTIVE);
  EXPECT_EQ(status(dollars), Account::ACTIVE);
  EXPECT_TRUE(try_open("EUR"));
}

TEST_F(RestrictionsTest, AWalletAloneIsFrozenWhenThatIsSaid) {
  EXPECT_EQ(act<FreezeAccountRequest>(euros, WALLET), "");
  EXPECT_EQ(status(dollars), Account::ACTIVE);
  EXPECT_FALSE(world.all<AccountFrozen>().at(0).with_holder());
  EXPECT_TRUE(try_open("EUR"));
  EXPECT_EQ(act_on_holder<FreezeHolderRequest>(), "");
  EXPECT_EQ(act_on_holder<FreezeHolderRequest>(), "user_frozen");
  EXPECT_EQ(status(dollars), Account::FROZEN);
  EXPECT_EQ(act_on_holder<UnfreezeHolderRequest>(), "");
  EXPECT_EQ(act_on_holder<UnfreezeHolderRequest>(), "user_not_frozen");
  EXPECT_EQ(status(dollars), Account::ACTIVE);
  EXPECT_EQ(status(euros), Account::FROZEN);  // by itself
  EXPECT_EQ(act<UnfreezeAccountRequest>(euros, WALLET), "");
  EXPECT_EQ(status(euros), Account::ACTIVE);
}

TEST_F(RestrictionsTest, AFrozenWalletMayBecomeAFrozenHolder) {
  EXPECT_EQ(act<FreezeAccountRequest>(euros, WALLET), "");
  EXPECT_EQ(act<FreezeAccountRequest>(euros), "account_frozen");
  EXPECT_EQ(act<FreezeAccountRequest>(euros, HOLDER), "");
  EXPECT_EQ(status(dollars), Account::FROZEN);
  EXPECT_EQ(act<UnfreezeAccountRequest>(euros, WALLET), "");
  EXPECT_EQ(status(euros), Account::FROZEN);  // now with its holder
  EXPECT_EQ(act<UnfreezeAccountRequest>(euros), "");
  EXPECT_EQ(status(euros), Account::ACTIVE);
  EXPECT_EQ(status(dollars), Account::ACTIVE);
}

TEST_F(RestrictionsTest, AWalletThatWasBeingClosedIsFrozenWhenItStaysOpen) {
  CloseAccountRequest close;
  close.set_id(dollars);
  world.call_answer(close, alice);
  EXPECT_EQ(act<FreezeAccountRequest>(euros), "");
  EXPECT_EQ(status(dollars), Account::CLOSING);
  AccountBalanceCloseRefused refused;
  refused.set_account_id(dollars);
  refused.set_reason("balance_not_zero");
  world.given(refused);
  EXPECT_EQ(status(dollars), Account::FROZEN);
  EXPECT_EQ(act_on_holder<UnfreezeHolderRequest>(), "");
  EXPECT_EQ(status(dollars), Account::ACTIVE);
}

TEST_F(RestrictionsTest, LimitsOfAUserAreReplacedAndSeen) {
  SetHolderLimitsRequest request;
  request.set_user_id(kAlice);
  Money& day = *request.add_limits()->mutable_per_day();
  day.set_currency("EUR");
  day.set_minor(500);
  const auto holder = world.call<AccountHolder>(request, admin);
  ASSERT_TRUE(holder);
  EXPECT_EQ(holder->limits(0).per_day_minor(), 500);
  EXPECT_EQ(world.all<AccountHolderLimitsChanged>().back().limits(0).per_day().minor(), 500);
  GetHolderRequest get;
  get.set_user_id(kAlice);
  EXPECT_EQ(world.query<AccountHolder>(get, alice)->limits_size(), 1);
  Money& payment = *request.mutable_limits(0)->mutable_per_payment();
  payment.set_currency("USD");
  payment.set_minor(400);
  EXPECT_EQ(world.call<AccountHolder>(request, admin).error().reason, "currency_mismatch");
  payment.set_currency("EUR");
  payment.set_minor(501);
  EXPECT_EQ(world.call<AccountHolder>(request, admin).error().reason, "limits_contradict");
  request.set_user_id(kBob);
  EXPECT_EQ(world.call<AccountHolder>(request, admin).error().code, Code::kNotFound);
}

TEST_F(RestrictionsTest, NoWalletBeginsInAWithdrawnCurrency) {
  EXPECT_EQ(open("BGN"), "currency_withdrawn");
  EXPECT_EQ(world.find<Account>(register_user(kBob, "BGN"))->currency(), "EUR");
}

TEST_F(RestrictionsTest, NewWalletsHaveLimitsOfTheirCurrency) {
  EXPECT_EQ(world.find<Account>(open("IDR"))->limits().per_payment_minor(), 19'200'000'000);
  EXPECT_EQ(world.find<Account>(open("JPY"))->limits().per_day().minor(), 4'450'000);
  CreateTopUpRequest top_up;
  top_up.set_account_id(open("IDR"));
  top_up.mutable_amount()->set_currency("IDR");
  top_up.mutable_amount()->set_minor(20'000'000);  // about ten euros
  top_up.set_payment_method("card_ok");
  world.call_answer(top_up, alice);
  EXPECT_EQ(world.all<AccountTopUpCaptured>().size(), 1u);
  top_up.mutable_amount()->set_minor(200'000'000'000);
  EXPECT_EQ(world.call<TopUp>(top_up, alice).error().reason, "top_up_too_large");
}

class OwnLimitsTest : public RestrictionsTest {
 protected:
  OwnLimitsTest() : RestrictionsTest({"account.limits_by_currency=JPY=100/200/300"}) {}
};

TEST_F(OwnLimitsTest, ACurrencyMayHaveLimitsOfItsOwn) {
  EXPECT_EQ(world.find<Account>(open("JPY"))->limits().per_day().minor(), 200);
  EXPECT_EQ(world.find<Account>(open("EUR"))->limits().per_day().minor(), 2'500'000);
}

}  // namespace
}  // namespace micropay
