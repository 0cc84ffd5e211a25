// The service in a world of its own: given events of neighbours (each delivered twice), then events and
// balances.
#include "services/balance/service.h"

#include <gtest/gtest.h>

#include "contracts/account.pb.h"
#include "contracts/payment.pb.h"
#include "libs/base/ids.h"
#include "libs/runtime/testing.h"
#include "services/balance/rules.h"

namespace micropay::balance {
namespace {

std::string id(std::string_view name) { return derived_uuid(name); }

Money money(int64_t minor, std::string currency = "EUR") {
  Money amount;
  amount.set_currency(std::move(currency));
  amount.set_minor(minor);
  return amount;
}

class BalanceService : public testing::Test {
 protected:
  BalanceService() : world({balance_service({settings, ""})}) {
    for (const char* name : {"anna", "ben"}) open(name);
  }

  void open(const char* name, std::string currency = "EUR") {
    AccountCreated event;
    event.set_account_id(id(name));
    event.set_user_id(id(std::string("user ") + name));
    event.set_currency(std::move(currency));
    world.given(event);
  }
  void settle_entry(std::string_view entry, const std::vector<std::pair<std::string, int64_t>>& postings,
                    const std::string& reservation = {}, const char* kind = "payment") {
    TransactionSettled event;
    event.set_transaction_id(id(entry));
    event.set_key(reservation.empty() ? id(entry) : reservation);
    event.set_kind(kind);
    for (const auto& [name, minor] : postings) {
      Posting& posting = *event.add_postings();
      *posting.mutable_amount() = money(minor);
      const bool system = name.find(':') != std::string::npos;
      posting.set_account_id(system ? system_account_id(name, "EUR") : id(name));
      if (system) posting.set_system_account(name);
    }
    event.set_reservation_id(reservation);
    event.set_release_rest(true);
    world.given(event);
  }
  void fund(const char* name, int64_t minor) {
    settle_entry(fmt::format("fund {} {}", name, minor),
                 {{"provider_settlement:sandbox", -minor}, {name, minor}}, {}, "top_up");
    world.events();
  }
  void initiate(std::string_view payment, const char* from, const char* to, int64_t minor) {
    PaymentInitiated event;
    event.set_payment_id(id(payment));
    event.set_payer_account_id(id(from));
    event.set_payee_account_id(id(to));
    *event.mutable_amount() = money(minor);
    world.given(event);
  }
  // posted, reserved, pending in.
  std::vector<int64_t> figures(const char* name) {
    const Balance* balance = world.find<Balance>(id(name));
    if (balance == nullptr) return {};
    return {balance->posted_minor(), balance->reserved_minor(), balance->pending_in_minor()};
  }

  Settings settings;
  World world;
};

using Figures = std::vector<int64_t>;

TEST_F(BalanceService, APaymentIsHeldThenPosted) {
  fund("anna", 1000);
  initiate("p", "anna", "ben", 300);
  EXPECT_EQ(world.events(), (Types{"account.balance.reserved"}));
  EXPECT_EQ(figures("anna"), (Figures{1000, 300, 0}));
  EXPECT_EQ(figures("ben"), (Figures{0, 0, 300}));
  const AccountBalanceReserved reserved = world.all<AccountBalanceReserved>().at(0);
  EXPECT_EQ(reserved.available_after().minor(), 700);
  EXPECT_EQ(reserved.kind(), "payment");

  settle_entry("t", {{"anna", -300}, {"ben", 300}}, id("p"));
  EXPECT_EQ(world.events(), (Types{"account.balance.updated"}));
  EXPECT_EQ(figures("anna"), (Figures{700, 0, 0}));
  EXPECT_EQ(figures("ben"), (Figures{300, 0, 0}));
  EXPECT_EQ(world.find<Reservation>(id("p")), nullptr);
  const AccountBalanceUpdated updated = world.all<AccountBalanceUpdated>().back();
  EXPECT_EQ(updated.key(), id("p"));
  ASSERT_EQ(updated.changes_size(), 2);
  EXPECT_EQ(updated.changes(0).posted().minor(), 700);
}

TEST_F(BalanceService, APaymentIsHeldOnceHoweverOftenItBegins) {
  fund("anna", 1000);
  initiate("p", "anna", "ben", 300);
  initiate("p", "anna", "ben", 300);
  EXPECT_EQ(world.events(), (Types{"account.balance.reserved"}));
  EXPECT_EQ(figures("anna"), (Figures{1000, 300, 0}));
}

TEST_F(BalanceService, RefusesWithTheReason) {
  fund("anna", 1000);
  open("dora", "USD");
  open("carl");
  AccountCloseRequested close;
  close.set_account_id(id("carl"));
  world.given(close);
  EXPECT_EQ(world.events(), (Types{"account.balance.closed"}));
  struct Case {
    const char *from, *to;
    int64_t minor;
    const char* reason;
  };
  const Case cases[] = {
      {"anna", "ben", 1001, "insufficient_funds"}, {"anna", "nobody", 1, "account_not_found"},
      {"nobody", "ben", 1, "account_not_found"},   {"anna", "carl", 1, "account_closed"},
      {"anna", "dora", 1, "currency_mismatch"},    {"anna", "anna", 1, "accounts_must_differ"},
      {"anna", "ben", 0, "invalid_amount"}};
  for (const Case& c : cases) {
    initiate(fmt::format("{}{}{}", c.from, c.to, c.minor), c.from, c.to, c.minor);
    EXPECT_EQ(world.events(), (Types{"account.balance.reservation_failed"})) << c.reason;
    EXPECT_EQ(world.all<AccountBalanceReservationFailed>().back().reason(), c.reason);
  }
  EXPECT_EQ(figures("anna"), (Figures{1000, 0, 0}));
}

// Who has not the money does not find out whether there is a payee.
TEST_F(BalanceService, LooksAtTheMoneyFirst) {
  fund("anna", 1000);
  initiate("poor", "anna", "nobody", 1001);
  EXPECT_EQ(world.all<AccountBalanceReservationFailed>().back().reason(), "insufficient_funds");
  initiate("rich", "anna", "nobody", 1000);
  EXPECT_EQ(world.all<AccountBalanceReservationFailed>().back().reason(), "account_not_found");
}

TEST_F(BalanceService, SaysWhoseTheMoneyIsFor) {
  fund("anna", 1000);
  initiate("p", "anna", "ben", 300);
  const AccountBalanceReserved reserved = world.all<AccountBalanceReserved>().back();
  EXPECT_EQ(reserved.user_id(), id("user anna"));
  EXPECT_EQ(reserved.counter_user_id(), id("user ben"));
}

TEST_F(BalanceService, KnowsWhatWasPostedAtATime) {
  const auto posted_at = [&](Time at) {
    GetBalanceRequest get;
    get.set_account_id(id("anna"));
    get.set_as_of(at);
    const auto view = world.query<BalanceView>(get);
    return view ? view->posted().minor() : -1;
  };
  const Time begin = world.clock().now();
  world.advance(kMinute);
  fund("anna", 1000);
  const Time funded = world.clock().now();
  world.advance(kMinute);
  initiate("p", "anna", "ben", 300);
  settle_entry("t", {{"anna", -300}, {"ben", 300}}, id("p"));
  const Time paid = world.clock().now();
  world.advance(kMinute);
  EXPECT_EQ(posted_at(begin), 0);
  EXPECT_EQ(posted_at(0), 0);
  EXPECT_EQ(posted_at(-kDay), 0);
  EXPECT_EQ(posted_at(funded - 1), 0);
  EXPECT_EQ(posted_at(funded), 1000);
  EXPECT_EQ(posted_at(paid - 1), 1000);
  EXPECT_EQ(posted_at(paid), 700);
  EXPECT_EQ(posted_at(world.clock().now() + kDay), 700);
  GetBalanceRequest then;
  then.set_account_id(id("anna"));
  then.set_as_of(funded);
  const auto view = world.query<BalanceView>(then);
  EXPECT_FALSE(view->has_available()) << "what was held then is not known any more";
  EXPECT_EQ(view->as_of(), funded);
  EXPECT_EQ(view->posted().currency(), "EUR");
}

TEST_F(BalanceService, HoldsNothingForARefusedPayment) {
  fund("anna", 1000);
  PaymentInitiated event;
  event.set_payment_id(id("p"));
  event.set_payer_account_id(id("anna"));
  event.set_payee_account_id(id("ben"));
  *event.mutable_amount() = money(10);
  event.set_refused(true);
  world.given(event);
  EXPECT_EQ(world.events(), Types{});
  EXPECT_EQ(figures("anna"), (Figures{1000, 0, 0}));
}

TEST_F(BalanceService, FailureAndCancellationGiveBackOnce) {
  fund("anna", 1000);
  initiate("p", "anna", "ben", 400);
  initiate("q", "anna", "ben", 500);
  world.events();
  PaymentFailed failed;
  failed.set_payment_id(id("p"));
  world.given(failed);
  EXPECT_EQ(world.events(), (Types{"account.balance.released"}));
  PaymentCancelled cancelled;
  cancelled.set_payment_id(id("q"));
  world.given(cancelled);
  EXPECT_EQ(world.events(), (Types{"account.balance.released"}));
  EXPECT_EQ(figures("anna"), (Figures{1000, 0, 0}));
  EXPECT_EQ(figures("ben"), (Figures{0, 0, 0}));
  cancelled.set_payment_id(id("p"));  // already released
  world.given(cancelled);
  PaymentRefundFailed refund;  // a payment's hold is not a refund's
  initiate("r", "anna", "ben", 5);
  refund.set_refund_id(id("r"));
  world.given(refund);
  EXPECT_EQ(world.events(), (Types{"account.balance.reserved"}));
}

TEST_F(BalanceService, RefundsAreHeldAndReleased) {
  fund("ben", 100);
  PaymentRefundRequested requested;
  requested.set_refund_id(id("r"));
  requested.set_from_account_id(id("ben"));
  requested.set_to_account_id(id("anna"));
  *requested.mutable_amount() = money(60);
  world.given(requested);
  EXPECT_EQ(world.all<AccountBalanceReserved>().back().kind(), "refund");
  PaymentRefundFailed failed;
  failed.set_refund_id(id("r"));
  world.given(failed);
  EXPECT_EQ(world.events(), (Types{"account.balance.reserved", "account.balance.released"}));
  EXPECT_EQ(figures("ben"), (Figures{100, 0, 0}));
}

TEST_F(BalanceService, AnEntryThatUsesLessReleasesTheRest) {
  fund("anna", 100);
  initiate("p", "anna", "ben", 80);
  world.events();
  settle_entry("t", {{"anna", -50}, {"ben", 50}}, id("p"));
  EXPECT_EQ(world.events(), (Types{"account.balance.released", "account.balance.updated"}));
  EXPECT_EQ(world.all<AccountBalanceReleased>().back().reason(), "rest");
  EXPECT_EQ(figures("anna"), (Figures{50, 0, 0}));
  EXPECT_EQ(figures("ben"), (Figures{50, 0, 0}));
}

TEST_F(BalanceService, MoneyNeverMovesWithoutCover) {
  fund("anna", 100);
  fund("ben", 50);
  settle_entry("gone", {{"anna", -10}, {"ben", 10}}, id("no such reservation"));
  settle_entry("odd", {{"anna", -10}, {"ben", 9}});
  settle_entry("more", {{"anna", -101}, {"ben", 101}});
  initiate("p", "anna", "ben", 10);
  settle_entry("other", {{"ben", -10}, {"anna", 10}}, id("p"));
  EXPECT_EQ(figures("anna"), (Figures{100, 10, 0}));
  EXPECT_EQ(figures("ben"), (Figures{50, 0, 10}));
  EXPECT_EQ(world.all<AccountBalanceUpdated>().size(), 2u) << "only the fundings";
  world.advance(kDay);
  EXPECT_EQ(world.engine().stats().dead_letters, 4u) << "staff see each of them";
}

TEST_F(BalanceService, ClosesOnlyWhatIsEmpty) {
  fund("anna", 100);
  AccountCloseRequested close;
  for (const char* name : {"anna", "nobody"}) {
    close.set_account_id(id(name));
    world.given(close);
    EXPECT_EQ(world.events(), (Types{"account.balance.close_refused"}));
  }
  EXPECT_EQ(world.all<AccountBalanceCloseRefused>().at(0).reason(), "balance_not_zero");
  EXPECT_EQ(world.all<AccountBalanceCloseRefused>().at(1).reason(), "account_not_found");
  initiate("p", "anna", "ben", 10);
  world.events();
  close.set_account_id(id("ben"));  // money is on its way
  world.given(close);
  EXPECT_EQ(world.events(), (Types{"account.balance.close_refused"}));
}

TEST_F(BalanceService, SnapshotsTheFirstEntryOfADay) {
  fund("anna", 10);
  fund("anna", 20);
  world.advance(25 * kHour);
  fund("anna", 30);
  ASSERT_TRUE(world.store().catch_up());
  EXPECT_NE(world.find<BalanceSnapshot>(id("anna"), "1"), nullptr);
  EXPECT_EQ(world.find<BalanceSnapshot>(id("anna"), "2"), nullptr);
  ASSERT_NE(world.find<BalanceSnapshot>(id("anna"), "3"), nullptr);
  EXPECT_EQ(world.find<BalanceSnapshot>(id("anna"), "3")->posted().minor(), 60);
}

TEST_F(BalanceService, AnswersBalanceReservationsAndTrialBalance) {
  fund("anna", 100);
  initiate("p", "anna", "ben", 30);
  GetBalanceRequest get;
  get.set_account_id(id("anna"));
  const auto view = world.query<BalanceView>(get);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->available().minor(), 70);
  EXPECT_EQ(view->posted().minor(), 100);
  get.set_account_id(id("nobody"));
  EXPECT_EQ(world.query<BalanceView>(get).error().code, Code::kNotFound);
  ListReservationsRequest list;
  list.set_account_id(id("anna"));
  const auto held = world.query<ListReservationsResponse>(list);
  ASSERT_TRUE(held && held->reservations_size() == 1);
  EXPECT_EQ(held->reservations(0).id(), id("p"));
  const auto trial = world.query<TrialBalance>(GetTrialBalanceRequest());
  ASSERT_TRUE(trial && trial->currencies_size() == 1);
  EXPECT_TRUE(trial->balanced());
  EXPECT_EQ(trial->currencies(0).lines(0).name(), "provider_settlement:sandbox");
  EXPECT_EQ(trial->currencies(0).lines(0).balance().minor(), -100);
}

// ---- transfers ----

class Transfers : public BalanceService {
 protected:
  TransferStep step(std::string_view name, const char* from, const char* to, int64_t minor,
                    TransferStep::Action action) {
    TransferStep one;
    one.set_transfer_id(id(name));
    one.set_debit_account_id(id(from));
    one.set_credit_account_id(id(to));
    *one.mutable_amount() = money(minor);
    one.set_action(action);
    return one;
  }
  AccountBalanceTransfersDecided decide(std::string_view batch, std::vector<TransferStep> steps) {
    TransactionTransfersRequested event;
    event.set_batch_id(id(batch));
    event.mutable_steps()->Add(steps.begin(), steps.end());
    world.given(event);
    return world.all<AccountBalanceTransfersDecided>().back();
  }
};

TEST_F(Transfers, AreHeldUntilTheJournalSettlesThem) {
  fund("anna", 100);
  TransferStep to_fees = step("2", "anna", "ben", 20, TransferStep::POST_NOW);
  to_fees.set_credit_account_id(system_account_id("fees", "EUR"));
  to_fees.set_credit_system_account("fees");
  const auto decided = decide("batch", {step("1", "anna", "ben", 80, TransferStep::POST_NOW), to_fees,
                                        step("3", "anna", "ben", 1, TransferStep::POST_NOW)});
  EXPECT_EQ(decided.steps(0).rejected(), "");
  EXPECT_EQ(decided.steps(1).rejected(), "");
  EXPECT_EQ(decided.steps(2).rejected(), "insufficient_funds");
  EXPECT_EQ(world.events(), (Types{"account.balance.transfers_decided"}));
  EXPECT_EQ(figures("anna"), (Figures{100, 100, 0}));
  PaymentFailed failed;  // nothing but its settlement ends what is taken
  failed.set_payment_id(id("1"));
  world.given(failed);
  settle_entry("t1", {{"anna", -80}, {"ben", 80}}, id("1"), "transfer");
  EXPECT_EQ(figures("anna"), (Figures{20, 20, 0}));
  EXPECT_EQ(figures("ben"), (Figures{80, 0, 0}));
  EXPECT_EQ(world.find<Balance>(system_account_id("fees", "EUR"))->pending_in_minor(), 20);
}

TEST_F(Transfers, ExpireByTheClock) {
  fund("anna", 100);
  TransferStep reserve = step("1", "anna", "ben", 80, TransferStep::RESERVE);
  reserve.set_expires_at(world.clock().now() + kMinute);
  TransferStep lasting = step("2", "anna", "ben", 5, TransferStep::RESERVE);
  decide("batch", {reserve, lasting});
  EXPECT_EQ(world.events(), (Types{"account.balance.reserved", "account.balance.reserved",
                                   "account.balance.transfers_decided"}));
  world.advance(59 * kSecond);
  EXPECT_EQ(figures("anna"), (Figures{100, 85, 0}));
  world.advance(2 * kSecond);
  EXPECT_EQ(world.events(), (Types{"account.balance.released"}));
  EXPECT_EQ(world.all<AccountBalanceReleased>().back().reason(), "expired");
  EXPECT_EQ(figures("anna"), (Figures{100, 5, 0}));
  EXPECT_EQ(figures("ben"), (Figures{0, 0, 5}));
}

TEST_F(Transfers, AHoldPostedInTheSameBatchIsToldAsItWasHeld) {
  fund("anna", 100);
  TransferStep post = step("2", "anna", "ben", 50, TransferStep::POST_PENDING);
  post.set_pending_id(id("1"));
  decide("batch", {step("1", "anna", "ben", 80, TransferStep::RESERVE), post});
  EXPECT_EQ(world.events(), (Types{"account.balance.reserved", "account.balance.released",
                                   "account.balance.transfers_decided"}));
  EXPECT_EQ(world.all<AccountBalanceReserved>().back().amount().minor(), 80);
  EXPECT_EQ(world.all<AccountBalanceReleased>().back().amount().minor(), 30);
  EXPECT_EQ(figures("anna"), (Figures{100, 50, 0}));
}

TEST_F(Transfers, PostingAPartStopsTheClockAndFreesTheRest) {
  fund("anna", 100);
  TransferStep reserve = step("1", "anna", "ben", 80, TransferStep::RESERVE);
  reserve.set_expires_at(world.clock().now() + kMinute);
  decide("batch", {reserve});
  world.events();
  TransferStep post = step("2", "anna", "ben", 50, TransferStep::POST_PENDING);
  post.set_pending_id(id("1"));
  EXPECT_EQ(decide("batch 2", {post}).steps(0).rejected(), "");
  EXPECT_EQ(world.events(), (Types{"account.balance.released", "account.balance.transfers_decided"}));
  EXPECT_EQ(figures("anna"), (Figures{100, 50, 0}));
  EXPECT_EQ(world.engine().stats().timers_pending, 0u);
  world.advance(kHour);
  EXPECT_EQ(world.events(), Types{}) << "it does not expire any more";
  settle_entry("t", {{"anna", -50}, {"ben", 50}}, id("1"), "transfer");
  EXPECT_EQ(figures("anna"), (Figures{50, 0, 0}));
}

}  // namespace
}  // namespace micropay::balance
