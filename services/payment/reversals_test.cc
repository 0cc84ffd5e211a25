// Reversals of payments and refunds: the payment decides, and nothing of it is given back twice, whatever
// comes first.
#include "services/payment/rules.h"
#include "services/payment/world_test.h"

namespace micropay {
namespace {

class ReversalTest : public PaymentTest {
 protected:
  TransactionReversalRequested request(const std::string& kind, const std::string& cause,
                                       const std::string& reversal) {
    TransactionReversalRequested event;
    event.set_kind(kind);
    event.set_cause_id(cause);
    event.set_transaction_id(cause);
    event.set_reversal_id(test_id(reversal));
    return event;
  }
  // Empty: agreed to.
  std::string asked(const std::string& kind, const std::string& cause, const std::string& reversal) {
    const size_t before = world.all<PaymentReversalDecided>().size();
    world.given(request(kind, cause, reversal));
    const auto all = world.all<PaymentReversalDecided>();
    EXPECT_EQ(all.size(), before + 1);
    if (all.size() <= before) return "nothing";
    EXPECT_EQ(all.back().detail().empty(), all.back().refused().empty());
    return all.back().refused();
  }
  void reversed(const std::string& kind, const std::string& cause, const std::string& reversal) {
    TransactionReversed event;
    event.set_kind(kind);
    event.set_cause_id(cause);
    event.set_transaction_id(cause);
    event.set_reversal_id(test_id(reversal));
    event.set_key(event.reversal_id());
    world.given(event);
  }
  void refused(const std::string& kind, const std::string& cause, const std::string& reversal) {
    TransactionReversalRefused event;
    event.set_kind(kind);
    event.set_cause_id(cause);
    event.set_transaction_id(cause);
    event.set_reversal_id(test_id(reversal));
    event.set_reason("insufficient_funds");
    world.given(event);
  }
  Answer ask_refund(const std::string& payment_id, int64_t minor = 0) {
    CreateRefundRequest refund;
    refund.set_payment_id(payment_id);
    if (minor != 0) refund.mutable_amount()->set_currency("EUR");
    if (minor != 0) refund.mutable_amount()->set_minor(minor);
    return world.call_answer(refund, bob);
  }
  std::string begin_refund(const std::string& payment_id, int64_t minor = 0) {
    ask_refund(payment_id, minor);
    return world.all<PaymentRefundRequested>().back().refund_id();
  }
  std::string refunded(const std::string& payment_id, int64_t minor = 0) {
    const std::string id = begin_refund(payment_id, minor);
    reserved(id, "refund");
    booked(id, "refund");
    return id;
  }
  const Refund& refund(const std::string& id) { return *world.find<Refund>(id); }
};

TEST_F(ReversalTest, APaymentIsTakenBackAndNeverRefunded) {
  const std::string id = completed();
  EXPECT_EQ(asked("payment", id, "e1"), "");
  EXPECT_EQ(stored(id).status(), Payment::COMPLETED);
  const auto meanwhile = ask_refund(id);
  ASSERT_FALSE(meanwhile.result);
  EXPECT_EQ(meanwhile.result.error().reason, "payment_not_refundable");
  EXPECT_FALSE(meanwhile.result.error().detail.empty());
  reversed("payment", id, "e1");
  EXPECT_EQ(stored(id).status(), Payment::REVERSED);
  EXPECT_EQ(ask_refund(id).result.error().reason, "payment_not_refundable");
  const PaymentReversed told = world.all<PaymentReversed>().at(0);
  EXPECT_EQ(told.payer_user_id(), test_id("0a"));
  EXPECT_EQ(told.payee_user_id(), test_id("0b"));
  EXPECT_EQ(told.amount().minor(), 500);
  reversed("payment", id, "e1");
  refused("payment", id, "e1");  // cannot be
  EXPECT_EQ(world.all<PaymentReversed>().size(), 1u);
  EXPECT_EQ(stored(id).status(), Payment::REVERSED);
  EXPECT_EQ(asked("payment", id, "e2"), "not_reversible");
}

TEST_F(ReversalTest, WhatWasRefundedIsNotTakenBackToo) {
  const std::string whole = completed(), part = completed(100), under_way = completed(200);
  refunded(whole);
  refunded(part, 1);
  const std::string refund_id = begin_refund(under_way, 1);
  EXPECT_EQ(asked("payment", whole, "e1"), "already_refunded");
  EXPECT_EQ(asked("payment", part, "e2"), "already_refunded");
  EXPECT_EQ(asked("payment", under_way, "e3"), "already_refunded");
  not_reserved(refund_id, "refund", "insufficient_funds");
  EXPECT_EQ(asked("payment", under_way, "e4"), "") << "nothing of it went back";
}

TEST_F(ReversalTest, AFailedReversalLeavesThePaymentAsItWas) {
  const std::string id = completed();
  EXPECT_EQ(asked("payment", id, "e1"), "");
  refused("payment", id, "e1");
  EXPECT_EQ(stored(id).status(), Payment::COMPLETED);
  EXPECT_EQ(stored(id).reversal_id(), "");
  refunded(id, 100);
  EXPECT_EQ(stored(id).refunded_minor(), 100);
}

// The end of an earlier reversal and the beginning of the next have different keys: they may overtake.
TEST_F(ReversalTest, ASecondRequestWaitsForTheEndOfTheFirst) {
  const std::string id = completed();
  EXPECT_EQ(asked("payment", id, "e1"), "");
  world.given(request("payment", id, "e2"));
  EXPECT_EQ(world.all<PaymentReversalDecided>().size(), 1u);
  refused("payment", id, "e1");
  world.advance(kMinute);
  const auto decided = world.all<PaymentReversalDecided>();
  ASSERT_EQ(decided.size(), 2u);
  EXPECT_EQ(decided[1].reversal_id(), test_id("e2"));
  EXPECT_EQ(decided[1].refused(), "");
  EXPECT_EQ(stored(id).reversal_id(), test_id("e2"));
}

TEST_F(ReversalTest, ABookedPaymentThatIsNotCompletedYetIsWaitedFor) {
  const std::string id = begin();
  decide(id, APPROVE);
  world.given(request("payment", id, "e1"));
  EXPECT_TRUE(world.all<PaymentReversalDecided>().empty());
  booked(id, "payment");
  world.advance(kMinute);
  ASSERT_EQ(world.all<PaymentReversalDecided>().size(), 1u);
  EXPECT_EQ(world.all<PaymentReversalDecided>()[0].refused(), "");
}

TEST_F(ReversalTest, ARefundThatIsTakenBackMayBeGivenAgain) {
  const std::string id = completed();
  const std::string first = refunded(id, 200), second = refunded(id);
  EXPECT_EQ(stored(id).status(), Payment::REFUNDED);
  EXPECT_EQ(asked("refund", first, "e1"), "");
  EXPECT_EQ(ask_refund(id, 1).result.error().reason, "refund_exceeds_payment") << "it has not come back yet";
  EXPECT_EQ(asked("payment", id, "e2"), "already_refunded");
  reversed("refund", first, "e1");
  EXPECT_EQ(refund(first).status(), Refund::REVERSED);
  EXPECT_EQ(stored(id).status(), Payment::PARTIALLY_REFUNDED);
  EXPECT_EQ(stored(id).refunded_minor(), 300);
  EXPECT_EQ(ask_refund(id, 201).result.error().reason, "refund_exceeds_payment");
  reversed("refund", first, "e1");
  EXPECT_EQ(world.all<PaymentRefundReversed>().size(), 1u);
  EXPECT_EQ(asked("refund", first, "e3"), "not_reversible");
  EXPECT_EQ(asked("refund", second, "e4"), "");
  reversed("refund", second, "e4");
  EXPECT_EQ(stored(id).status(), Payment::COMPLETED);
  EXPECT_EQ(asked("payment", id, "e5"), "");
  reversed("payment", id, "e5");
  EXPECT_EQ(stored(id).status(), Payment::REVERSED);
}

TEST_F(ReversalTest, ARefundWhoseReversalFailedStands) {
  const std::string id = completed();
  const std::string refund_id = refunded(id);
  EXPECT_EQ(asked("refund", refund_id, "e1"), "");
  refused("refund", refund_id, "e1");
  EXPECT_EQ(refund(refund_id).status(), Refund::COMPLETED);
  EXPECT_EQ(refund(refund_id).reversal_id(), "");
  EXPECT_EQ(stored(id).status(), Payment::REFUNDED);
}

// By a journal of the last release, which does not ask.
TEST_F(ReversalTest, WhatWasTakenBackUnaskedIsBackAllTheSame) {
  const std::string id = completed(), other = completed();
  const std::string refund_id = refunded(other, 100);
  TransactionReversed event;
  event.set_transaction_id(id);
  event.set_reversal_id(test_id("e1"));
  event.set_key(event.reversal_id());
  world.given(event);
  EXPECT_EQ(stored(id).status(), Payment::REVERSED);
  EXPECT_EQ(ask_refund(id).result.error().reason, "payment_not_refundable");
  event.set_transaction_id(refund_id);
  event.set_reversal_id(test_id("e2"));
  event.set_key(event.reversal_id());
  world.given(event);
  EXPECT_EQ(refund(refund_id).status(), Refund::REVERSED);
  EXPECT_EQ(stored(other).refunded_minor(), 0);
}

TEST_F(ReversalTest, OthersEntriesAreNotOurs) {
  world.given(request("top_up", test_id("77"), "e1"));
  world.given(request("transfer", test_id("78"), "e2"));
  EXPECT_TRUE(world.all<PaymentReversalDecided>().empty());
}

TEST_F(ReversalTest, IsInTheHistory) {
  const std::string id = completed();
  world.given(request("payment", id, "e1"));
  reversed("payment", id, "e1");
  ListPaymentEventsRequest list;
  list.set_id(id);
  const auto page = world.query<ListPaymentEventsResponse>(list, alice);
  ASSERT_TRUE(page);
  std::vector<std::string> types;
  for (const PaymentEvent& event : page->events()) types.push_back(event.type());
  const std::vector<std::string> wanted = {"transaction.reversal_requested", "payment.reversal_decided",
                                           "transaction.reversed", "payment.reversed"};
  ASSERT_GE(types.size(), wanted.size());
  EXPECT_EQ(std::vector<std::string>(types.end() - 4, types.end()), wanted);
}

// ---- refunds that fail count for nothing ----

TEST_F(ReversalTest, RefundsThatFailedDoNotCount) {
  const std::string id = completed();
  for (uint32_t i = 0; i < payment::kMaxRefunds + 20; ++i)
    not_reserved(begin_refund(id, 5), "refund", "insufficient_funds");
  EXPECT_EQ(stored(id).refunds(), 0u);
  const auto failed = world.all<PaymentRefundFailed>();
  EXPECT_EQ(failed.size(), payment::kMaxRefunds + 20);
  EXPECT_FALSE(refund(failed[0].refund_id()).failure_detail().empty());
  for (uint32_t i = 0; i < payment::kMaxRefunds; ++i) refunded(id, 1);
  EXPECT_EQ(stored(id).refunded_minor(), int64_t(payment::kMaxRefunds));
  EXPECT_EQ(ask_refund(id, 1).result.error().reason, "too_many_refunds") << "those that moved money do";
}

TEST_F(ReversalTest, RefundsThatHoldMoneyCount) {
  const std::string id = completed();
  for (uint32_t i = 0; i < payment::kMaxRefunds; ++i) ask_refund(id, 1);
  EXPECT_EQ(ask_refund(id, 1).result.error().reason, "too_many_refunds");
}

TEST_F(ReversalTest, TheHistoryOfAPaymentStaysSmall) {
  const std::string id = completed();
  const auto steps = [&] {
    EXPECT_TRUE(world.store().catch_up());
    return world.find<PaymentHistory>(id)->steps_size();
  };
  const auto fail_once = [&] { not_reserved(begin_refund(id, 5), "refund", "insufficient_funds"); };
  const int before = steps();
  for (uint32_t i = 0; i < payment::kMaxRefunds; ++i) fail_once();
  EXPECT_EQ(steps(), before + 3 * int(payment::kMaxRefunds));
  for (int i = 0; i < 30; ++i) fail_once();
  EXPECT_EQ(steps(), before + 3 * int(payment::kMaxRefunds)) << "more of them leave nothing";
  refunded(id, 1);
  EXPECT_EQ(steps(), before + 3 * int(payment::kMaxRefunds) + 5) << "one that moves money does";
  ListPaymentEventsRequest list;
  list.set_id(id);
  list.set_page_size(500);
  const auto page = world.query<ListPaymentEventsResponse>(list, alice);
  ASSERT_TRUE(page) << page.error().reason;
  EXPECT_EQ(page->events(page->events_size() - 1).type(), "payment.refunded");
}

TEST_F(ReversalTest, StaffDoesNotRefundItself) {
  const std::string id = completed();
  CreateRefundRequest ask;
  ask.set_payment_id(id);
  const auto answer = world.call_answer(ask, user_principal(test_id("0a"), {USER, SUPPORT}));
  ASSERT_FALSE(answer.result);
  EXPECT_EQ(answer.result.error().reason, "is_party");
  EXPECT_EQ(answer.result.error().code, Code::kPermissionDenied);
}

}  // namespace
}  // namespace micropay
