// Lists of payments merged over wallets, and the history of a payment.
#include "services/payment/world_test.h"

namespace micropay {
namespace {

class ListTest : public PaymentTest {
 protected:
  // a -> b, then b -> a, then a -> c, a second apart, and so on.
  ListTest() {
    for (int i = 0; i < 9; ++i) {
      CreatePaymentRequest payment = request(i + 1, i % 3 == 2 ? "1c" : "1b");
      if (i % 3 == 1) {
        payment.set_payer_account_id(test_id("1b"));
        payment.set_payee_account_id(test_id("1a"));
      }
      world.call_answer(payment, i % 3 == 1 ? bob : alice);
      times.push_back(world.clock().now());
      world.advance(kSecond);
    }
    const auto made = world.all<PaymentInitiated>();
    for (size_t i = 0; i < made.size(); ++i) decide(made[i].payment_id(), i == 3 ? DECLINE : APPROVE);
  }
  // The amounts on each page, pages separated by 0.
  std::vector<int64_t> amounts(ListPaymentsRequest list, const Principal& caller) {
    std::vector<int64_t> found;
    for (;;) {
      const auto page = world.query<ListPaymentsResponse>(list, caller);
      if (!page) return {-1};
      for (const Payment& payment : page->payments()) found.push_back(payment.amount().minor());
      if (page->next_page_token().empty()) return found;
      found.push_back(0);
      list.set_page_token(page->next_page_token());
    }
  }
  std::string error(const ListPaymentsRequest& list, const Principal& caller) {
    const auto page = world.query<ListPaymentsResponse>(list, caller);
    return page ? "" : page.error().reason;
  }
  using Amounts = std::vector<int64_t>;
  std::vector<Time> times;
};

TEST_F(ListTest, OwnPaymentsNewestFirst) {
  EXPECT_EQ(amounts({}, alice), (Amounts{9, 8, 7, 6, 5, 4, 3, 2, 1}));
  EXPECT_EQ(amounts({}, carol), (Amounts{9, 6, 3}));
  EXPECT_EQ(amounts({}, bob), (Amounts{8, 7, 5, 2, 1}));  // the fourth never was for him
  EXPECT_EQ(amounts({}, support), (Amounts{9, 8, 7, 6, 5, 4, 3, 2, 1}));
  EXPECT_EQ(amounts({}, user_principal(test_id("0f"))), Amounts{});
}

TEST_F(ListTest, PagesGoOnWhereTheLastOneEnded) {
  ListPaymentsRequest list;
  list.set_page_size(4);
  EXPECT_EQ(amounts(list, alice), (Amounts{9, 8, 7, 6, 0, 5, 4, 3, 2, 0, 1}));
  list.set_order_by("createdAt asc");
  EXPECT_EQ(amounts(list, alice), (Amounts{1, 2, 3, 4, 0, 5, 6, 7, 8, 0, 9}));
  list.set_page_size(9);
  EXPECT_EQ(amounts(list, alice), (Amounts{1, 2, 3, 4, 5, 6, 7, 8, 9}));
  list.set_page_size(2);
  list.set_page_token("offset:6");
  EXPECT_EQ(amounts(list, alice), (Amounts{7, 8, 0, 9}));
}

TEST_F(ListTest, FiltersOfWalletStatusAndTime) {
  ListPaymentsRequest list;
  list.set_account_id(test_id("1c"));
  EXPECT_EQ(amounts(list, carol), (Amounts{9, 6, 3}));
  EXPECT_EQ(amounts(list, support), (Amounts{9, 6, 3}));
  EXPECT_EQ(error(list, alice), "not_found");
  list.set_account_id(test_id("77"));
  EXPECT_EQ(error(list, support), "not_found");
  list.clear_account_id();
  list.set_status("FAILED");
  EXPECT_EQ(amounts(list, alice), Amounts{4});
  EXPECT_EQ(amounts(list, bob), Amounts{});
  list.clear_status();
  list.set_from(times[2]);
  list.set_to(times[5]);
  EXPECT_EQ(amounts(list, alice), (Amounts{5, 4, 3}));
  list.set_from(times[2] + 1);
  list.set_to(times[5] + 1);
  EXPECT_EQ(amounts(list, alice), (Amounts{6, 5, 4}));
}

TEST_F(ListTest, BadListsAreRefused) {
  ListPaymentsRequest list;
  list.set_order_by("amount desc");
  EXPECT_EQ(error(list, alice), "invalid_order");
  list.clear_order_by();
  list.set_status("LOST");
  EXPECT_EQ(error(list, alice), "invalid_filter");
  list.clear_status();
  for (const char* token : {"x", "offset:", "offset:-1", "offset:501", "offset:1x"}) {
    list.set_page_token(token);
    EXPECT_EQ(error(list, alice), "invalid_page_token") << token;
  }
}

TEST_F(PaymentTest, APaymentBetweenOwnWalletsIsListedOnce) {
  open("2a", "0a", "EUR");
  begin(request(5, "2a"));
  const auto list = world.query<ListPaymentsResponse>(ListPaymentsRequest(), alice);
  EXPECT_EQ(list->payments_size(), 1);
}

TEST_F(PaymentTest, APaymentIsSeenByItsPartiesAndStaff) {
  GetPaymentRequest get;
  get.set_id(completed());
  for (const Principal& caller : {alice, bob, support, auditor})
    EXPECT_TRUE(world.query<Payment>(get, caller));
  EXPECT_EQ(world.query<Payment>(get, carol).error().code, Code::kNotFound);
}

// The payer's text and his lack of funds stood in the list of whom he said he would pay.
TEST_F(PaymentTest, APayeeSeesNothingOfWhatNeverWas) {
  const auto seen = [&](const std::string& id, const Principal& caller) {
    GetPaymentRequest get;
    get.set_id(id);
    ListPaymentEventsRequest events;
    events.set_id(id);
    ListRefundsRequest refunds;
    refunds.set_payment_id(id);
    ListPaymentsRequest list, of_wallet;
    of_wallet.set_account_id(caller.user_id == bob.user_id ? test_id("1b") : test_id("1a"));
    const bool found = world.query<Payment>(get, caller).has_value();
    EXPECT_EQ(world.query<ListPaymentEventsResponse>(events, caller).has_value(), found);
    EXPECT_EQ(world.query<ListRefundsResponse>(refunds, caller).has_value(), found);
    for (const auto& asked : {list, of_wallet})
      EXPECT_EQ(world.query<ListPaymentsResponse>(asked, caller)->payments_size(), found ? 1 : 0);
    return found;
  };
  const auto act = [&](const auto& request, const auto& answer) {
    const auto result = world.call<std::decay_t<decltype(answer)>>(request, bob);
    return result ? "" : result.error().reason;
  };
  const std::string id = begin();
  EXPECT_TRUE(seen(id, alice));
  EXPECT_FALSE(seen(id, bob));
  decide(id, REVIEW);
  EXPECT_FALSE(seen(id, bob));
  CancelPaymentRequest cancel;
  cancel.set_id(id);
  CreateRefundRequest refund;
  refund.set_payment_id(id);
  EXPECT_EQ(act(cancel, Payment()), "not_found");
  EXPECT_EQ(act(refund, Refund()), "not_found");
  decide(id, APPROVE);
  EXPECT_TRUE(seen(id, bob));
  booked(id, "payment");
  EXPECT_TRUE(seen(id, bob));
  const std::string refused = begin();
  not_reserved(refused, "payment", "insufficient_funds");
  EXPECT_EQ(world.query<ListPaymentsResponse>(ListPaymentsRequest(), bob)->payments_size(), 1);
  EXPECT_EQ(world.query<ListPaymentsResponse>(ListPaymentsRequest(), alice)->payments_size(), 2);
  EXPECT_EQ(world.query<ListPaymentsResponse>(ListPaymentsRequest(), support)->payments_size(), 2);
}

// The same the other way round: that the payee lacked the money to give a payment back is not the payer's
// business.
TEST_F(PaymentTest, APayerSeesNothingOfARefundThatNeverWas) {
  const std::string id = completed();
  CreateRefundRequest refund;
  refund.set_payment_id(id);
  world.call_answer(refund, bob);
  not_reserved(world.all<PaymentRefundRequested>().at(0).refund_id(), "refund", "insufficient_funds");
  ListRefundsRequest refunds;
  refunds.set_payment_id(id);
  ListPaymentEventsRequest events;
  events.set_id(id);
  const auto steps = [&](const Principal& caller) {
    return world.query<ListPaymentEventsResponse>(events, caller)->events_size();
  };
  EXPECT_EQ(world.query<ListRefundsResponse>(refunds, alice)->refunds_size(), 0);
  EXPECT_EQ(world.query<ListRefundsResponse>(refunds, bob)->refunds_size(), 1);
  EXPECT_EQ(world.query<ListRefundsResponse>(refunds, support)->refunds_size(), 1);
  EXPECT_EQ(steps(support) - steps(alice), 3);  // requested, not reserved, failed
  EXPECT_EQ(steps(support) - steps(bob), 1);    // that it was scored
}

class HistoryTest : public PaymentTest {
 protected:
  ListPaymentEventsResponse history(const std::string& id, const Principal& caller, int32_t size = 0,
                                    const std::string& token = {}) {
    ListPaymentEventsRequest list;
    list.set_id(id);
    list.set_page_size(size);
    list.set_page_token(token);
    auto found = world.query<ListPaymentEventsResponse>(list, caller);
    return found ? *std::move(found) : ListPaymentEventsResponse();
  }
  Types story(const std::string& id, const Principal& caller) {
    Types types;
    const auto found = history(id, caller);
    for (const PaymentEvent& event : found.events()) types.push_back(event.type());
    return types;
  }
  template <typename E>
  void booking(const std::string& key, const std::string& kind) {
    E event;
    event.set_key(key);
    event.set_kind(kind);
    world.given(event);
  }
};

TEST_F(HistoryTest, AllEventsOfAPaymentInOrder) {
  const std::string id = begin(), other = begin();
  reserved(id, "payment");
  decide(id, APPROVE);
  decide(other, DECLINE);
  booking<TransactionCreated>(id, "payment");
  booking<TransactionSettled>(id, "payment");
  booking<TransactionSettled>(id, "transfer");  // somebody else's key
  booked(id, "payment");
  // Given as neighbours would, but by hand: payment.processing follows the decision at once.
  EXPECT_EQ(story(id, alice), (Types{"payment.initiated", "account.balance.reserved", "fraud.risk.assessed",
                                     "payment.processing", "transaction.created", "transaction.settled",
                                     "account.balance.updated", "payment.completed"}));
  EXPECT_EQ(story(other, alice), (Types{"payment.initiated", "fraud.risk.assessed", "payment.failed"}));
  EXPECT_EQ(story(id, carol), Types{});
  const auto found = history(id, alice);
  uint64_t position = 0;
  for (const PaymentEvent& event : found.events()) {
    EXPECT_GT(event.position(), position);
    position = event.position();
    EXPECT_FALSE(event.id().empty());
    EXPECT_EQ(event.payment_id(), id);
    EXPECT_FALSE(event.correlation_id().empty());
    EXPECT_FALSE(event.actor().empty());
  }
}

TEST_F(HistoryTest, EachEventIsAsItsEnvelopeSays) {
  const std::string id = begin();
  decide(id, REVIEW);
  CancelPaymentRequest cancel;
  cancel.set_id(id);
  ASSERT_TRUE(world.call<Payment>(cancel, support));
  const auto found = history(id, support);
  ASSERT_EQ(found.events_size(), 4);  // initiated, assessed, held, cancelled
  for (const PaymentEvent& event : found.events()) {
    const Envelope& envelope = world.history().at(event.position() - 1)->envelope;
    EXPECT_EQ(event.id(), envelope.id());
    EXPECT_EQ(event.type(), envelope.type());
    EXPECT_EQ(event.correlation_id(), envelope.correlation_id());
    EXPECT_EQ(event.causation_id(), envelope.causation_id());
    EXPECT_EQ(event.actor(), envelope.actor());
    EXPECT_EQ(event.time(), envelope.time());
  }
  EXPECT_EQ(found.events(2).causation_id(), found.events(1).id());
  EXPECT_EQ(found.events(3).actor(), test_id("0d"));
}

TEST_F(HistoryTest, RefundsBelongToTheirPayment) {
  const std::string id = completed();
  CreateRefundRequest refund;
  refund.set_payment_id(id);
  world.call_answer(refund, bob);
  const std::string refund_id = world.all<PaymentRefundRequested>().at(0).refund_id();
  reserved(refund_id, "refund");
  booked(refund_id, "refund");
  EXPECT_EQ(
      story(id, alice),
      (Types{"payment.initiated", "fraud.risk.assessed", "payment.processing", "account.balance.updated",
             "payment.completed", "payment.refund_requested", "account.balance.reserved",
             "payment.refund_processing", "account.balance.updated", "payment.refunded"}));
}

TEST_F(HistoryTest, FiguresOfOthersAreForStaff) {
  const std::string id = completed();
  AccountBalanceReserved event;
  event.set_reservation_id(id);
  event.set_kind("payment");
  event.mutable_available_after()->set_currency("EUR");
  event.mutable_available_after()->set_minor(123456);
  world.given(event);
  const auto summary = [&](const Principal& caller, const std::string& type) {
    const auto events = history(id, caller);
    for (const PaymentEvent& found : events.events())
      if (found.type() == type) return found.summary();
    return std::string("none");
  };
  EXPECT_EQ(summary(bob, "account.balance.reserved"), "");
  EXPECT_NE(summary(support, "account.balance.reserved").find("1234.56"), std::string::npos);
  EXPECT_NE(summary(bob, "payment.initiated").find("5.00"), std::string::npos);
}

// A key for payments read the journal's events here, which it may not read anywhere else.
TEST_F(HistoryTest, AKeySeesWhatItsScopesRead) {
  const std::string id = begin();
  TransactionCreated booked;
  booked.set_transaction_id(id);
  booked.set_key(id);
  booked.set_kind("payment");
  world.given(booked);
  Principal key = alice;
  key.kind = Principal::Kind::kApiKey;
  key.role_bits = 0;
  key.scopes = {"payments:read"};
  const auto summaries = [&](const Principal& caller) {
    std::map<std::string, bool> shown;
    const auto events = history(id, caller);
    for (const PaymentEvent& event : events.events()) shown[event.type()] = !event.summary().empty();
    return shown;
  };
  EXPECT_TRUE(summaries(key)["payment.initiated"]);
  EXPECT_FALSE(summaries(key)["transaction.created"]);
  EXPECT_TRUE(summaries(alice)["transaction.created"]);
  EXPECT_TRUE(summaries(support)["transaction.created"]);
}

TEST_F(HistoryTest, Pages) {
  const std::string id = completed();
  const int all = history(id, alice).events_size();
  int seen = 0;
  std::string token;
  do {
    const auto page = history(id, alice, 2, token);
    EXPECT_LE(page.events_size(), 2);
    seen += page.events_size();
    token = page.next_page_token();
  } while (!token.empty());
  EXPECT_EQ(seen, all);
  EXPECT_EQ(history(id, alice, 2, "x").events_size(), 0);
}

}  // namespace
}  // namespace micropay
