// Refunds: in parts, at the same time, refused, failed.
#include "services/payment/world_test.h"

namespace micropay {
namespace {

class RefundTest : public PaymentTest {
 protected:
  Answer ask(const std::string& payment_id, int64_t minor, const Principal& caller) {
    CreateRefundRequest request;
    request.set_payment_id(payment_id);
    if (minor != 0) {
      request.mutable_amount()->set_currency("EUR");
      request.mutable_amount()->set_minor(minor);
    }
    return world.call_answer(request, caller);
  }
  std::string begin_refund(const std::string& payment_id, int64_t minor) {
    ask(payment_id, minor, bob);
    return world.all<PaymentRefundRequested>().back().refund_id();
  }
  void finish(const std::string& refund_id) {
    reserved(refund_id, "refund");
    booked(refund_id, "refund");
  }
  const Refund& refund(const std::string& id) { return *world.find<Refund>(id); }
};

TEST_F(RefundTest, AWholeRefund) {
  const std::string id = completed();
  world.events();
  const std::string refund_id = begin_refund(id, 0);
  EXPECT_EQ(stored(id).refunding_minor(), 500);
  finish(refund_id);
  EXPECT_EQ(refund(refund_id).status(), Refund::COMPLETED);
  EXPECT_EQ(refund(refund_id).transaction_id(), refund_id);
  EXPECT_EQ(stored(id).status(), Payment::REFUNDED);
  EXPECT_EQ(stored(id).refunding_minor(), 0);
  EXPECT_EQ(world.events(),
            (Types{"payment.refund_requested", "payment.refund_processing", "payment.refunded"}));
  const PaymentRefundProcessing processing = world.all<PaymentRefundProcessing>().at(0);
  EXPECT_EQ(processing.from_account_id(), test_id("1b"));
  EXPECT_EQ(processing.to_account_id(), test_id("1a"));
  EXPECT_TRUE(world.all<PaymentRefunded>().at(0).whole());
  not_reserved(refund_id, "refund", "insufficient_funds");  // cannot be
  EXPECT_EQ(refund(refund_id).status(), Refund::COMPLETED);
  EXPECT_EQ(world.events(), Types{});
}

TEST_F(RefundTest, InPartsAndAtTheSameTime) {
  const std::string id = completed();
  const std::string first = begin_refund(id, 200), second = begin_refund(id, 250);
  EXPECT_EQ(ask(id, 51, bob).result.error().reason, "refund_exceeds_payment");
  finish(first);
  EXPECT_EQ(stored(id).status(), Payment::PARTIALLY_REFUNDED);
  EXPECT_FALSE(world.all<PaymentRefunded>().at(0).whole());
  finish(second);
  EXPECT_EQ(stored(id).refunded_minor(), 450);
  finish(begin_refund(id, 0));
  EXPECT_EQ(stored(id).status(), Payment::REFUNDED);
  EXPECT_EQ(ask(id, 1, bob).result.error().reason, "refund_exceeds_payment");
}

TEST_F(RefundTest, WithoutFundsItFailsAndMayBeAskedAgain) {
  const std::string id = completed();
  const std::string failed = begin_refund(id, 0);
  not_reserved(failed, "refund", "insufficient_funds");
  EXPECT_EQ(refund(failed).status(), Refund::FAILED);
  EXPECT_EQ(refund(failed).failure_reason(), "insufficient_funds");
  EXPECT_EQ(stored(id).status(), Payment::COMPLETED);
  EXPECT_EQ(stored(id).refunding_minor(), 0);
  EXPECT_EQ(world.all<PaymentRefundFailed>().size(), 1u);
  booked(failed, "refund");  // cannot be
  EXPECT_EQ(refund(failed).status(), Refund::FAILED);
  finish(begin_refund(id, 0));
  EXPECT_EQ(stored(id).status(), Payment::REFUNDED);
}

TEST_F(RefundTest, AFrozenWalletGivesNothing) {
  const std::string id = completed();
  wallet_event<AccountFrozen>("1b");
  world.events();
  const auto answer = ask(id, 0, bob);
  EXPECT_EQ(answer.result.error().reason, "account_frozen");
  EXPECT_EQ(answer.result.error().code, Code::kPaymentRequired);
  EXPECT_EQ(world.events(), Types{"payment.refund_failed"});
  EXPECT_EQ(stored(id).refunding_minor(), 0);
}

TEST_F(RefundTest, ByPayeeOrStaff) {
  const std::string id = completed();
  EXPECT_EQ(ask(id, 1, alice).result.error().reason, "forbidden");
  EXPECT_EQ(ask(id, 1, auditor).result.error().reason, "forbidden");
  EXPECT_EQ(ask(id, 1, carol).result.error().reason, "not_found");
  EXPECT_EQ(ask(test_id("77"), 1, bob).result.error().reason, "not_found");
  world.events();
  ask(id, 1, support);
  EXPECT_EQ(world.events(), Types{"payment.refund_requested"});
}

TEST_F(RefundTest, OnlyWhatIsCompleted) {
  const std::string id = begin();
  EXPECT_EQ(ask(id, 1, support).result.error().reason, "payment_not_refundable");
  EXPECT_EQ(ask(id, 1, bob).result.error().reason, "not_found");  // it is not his yet
}

TEST_F(RefundTest, ListedForThoseWhoSeeThePayment) {
  const std::string id = completed();
  finish(begin_refund(id, 100));
  finish(begin_refund(id, 150));
  ListRefundsRequest list;
  list.set_payment_id(id);
  for (const Principal& caller : {alice, bob, support, auditor}) {
    const auto found = world.query<ListRefundsResponse>(list, caller);
    ASSERT_EQ(found->refunds_size(), 2);
    EXPECT_EQ(found->refunds(0).amount().minor(), 150);  // newest first
  }
  EXPECT_EQ(world.query<ListRefundsResponse>(list, carol).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace micropay
