// The fraud service alone: money is reserved, a score comes out; staff decides what is held.
#include "services/fraud/service.h"

#include <gtest/gtest.h>

#include "contracts/account.pb.h"
#include "contracts/balance.pb.h"
#include "contracts/payment.pb.h"
#include "libs/runtime/testing.h"

namespace micropay {
namespace {

std::string id(const std::string& end) { return "018f2a54-0000-7000-8000-0000000000" + end; }

class FraudTest : public testing::Test {
 protected:
  explicit FraudTest(std::initializer_list<const char*> given = {}) : world(services(given)) {
    AccountCreated account;
    account.set_account_id(id("1a"));
    account.set_user_id(id("0a"));
    account.set_currency("EUR");
    world.given(account);
    world.advance(6 * kHour + kSecond);  // the world begins at 22:13; this is 04:13
    world.advance(6 * kHour);            // and this is the morning
    world.events();
  }
  static std::vector<Service> services(std::initializer_list<const char*> given) {
    Settings settings;
    for (const char* assignment : given) CHECK(settings.set(assignment));
    return {fraud_service({.settings = settings, .data_folder = {}})};
  }
  // Money is reserved for payment `payment`; what was assessed.
  FraudRiskAssessed pay(const std::string& payment, int64_t minor, const std::string& kind = "payment",
                        const std::string& from = "1a", const std::string& to = "1b") {
    AccountBalanceReserved reserved;
    reserved.set_reservation_id(id(payment));
    reserved.set_account_id(id(from));
    reserved.set_user_id(id("0a"));
    reserved.set_counter_account_id(id(to));
    reserved.set_counter_user_id(id(to == "2a" ? "0a" : "0b"));
    reserved.mutable_amount()->set_currency("EUR");
    reserved.mutable_amount()->set_minor(minor);
    reserved.set_kind(kind);
    world.given(reserved);
    const auto all = world.all<FraudRiskAssessed>();
    return all.empty() ? FraudRiskAssessed() : all.back();
  }
  template <typename E>
  void moved(const std::string& payment, int64_t minor) {
    E event;
    event.set_payment_id(id(payment));
    event.set_payer_user_id(id("0a"));
    event.set_payee_user_id(id("0b"));
    event.mutable_amount()->set_currency("EUR");
    event.mutable_amount()->set_minor(minor);
    world.given(event);
  }
  Result<FraudCase> decide(const std::string& payment, Decision decision) {
    return decide(payment, decision, support);
  }
  Result<FraudCase> decide(const std::string& payment, Decision decision, const Principal& staff) {
    DecideFraudCaseRequest request;
    request.set_id(id(payment));
    request.set_decision(decision);
    request.set_note("called the customer");
    return world.call<FraudCase>(request, staff);
  }
  const FraudCase* found_case(const std::string& payment) { return world.find<FraudCase>(id(payment)); }

  World world;
  const Principal support = user_principal(id("0d"), {USER, SUPPORT});
  const Principal admin = user_principal(id("0e"), {USER, ADMIN});
};

// Staff approved its own payment, and one to itself.
TEST_F(FraudTest, NobodyDecidesHisOwnCase) {
  pay("71", 600'000);
  ASSERT_NE(found_case("71"), nullptr);
  for (const char* party : {"0a", "0b"})
    for (const Role role : {SUPPORT, ADMIN})
      for (const Decision decision : {APPROVE, DECLINE}) {
        const auto decided = decide("71", decision, user_principal(id(party), {USER, role}));
        ASSERT_FALSE(decided);
        EXPECT_EQ(decided.error().reason, "is_party");
        EXPECT_EQ(decided.error().code, Code::kPermissionDenied);
      }
  EXPECT_EQ(found_case("71")->status(), FraudCase::OPEN);
  EXPECT_TRUE(decide("71", APPROVE));
  EXPECT_EQ(decide("72", APPROVE, user_principal(id("0a"), {SUPPORT})).error().reason, "not_found");
}

TEST_F(FraudTest, AnOrdinaryPaymentIsApproved) {
  const FraudRiskAssessed assessed = pay("77", 2'000);
  EXPECT_EQ(assessed.payment_id(), id("77"));
  EXPECT_EQ(assessed.account_id(), id("1a"));
  EXPECT_EQ(assessed.decision(), APPROVE);
  EXPECT_EQ(assessed.score(), 10);
  EXPECT_EQ(assessed.policy_version(), 1u);
  ASSERT_EQ(assessed.reasons_size(), 1);
  EXPECT_EQ(assessed.reasons(0).detail(), "new_payee 1 >= 1");
  EXPECT_EQ(world.events(), Types{"fraud.risk.assessed"});
  EXPECT_EQ(world.find<FraudPerson>(id("0a"))->payments(), 1);  // although the event came twice
}

TEST_F(FraudTest, OtherReservationsAreNotScored) {
  pay("77", 2'000, "refund");
  pay("78", 2'000, "transfer");
  EXPECT_EQ(world.events(), Types{});
}

TEST_F(FraudTest, AnAbsurdAmountIsDeclined) {
  EXPECT_EQ(pay("77", 5'000'000).decision(), DECLINE);
  EXPECT_EQ(world.events(), Types{"fraud.risk.assessed"});
  EXPECT_EQ(found_case("77"), nullptr);
}

TEST_F(FraudTest, StaffApprovesOrDeclinesACase) {
  for (const Decision decision : {APPROVE, DECLINE}) {
    const std::string payment = decision == APPROVE ? "77" : "78";
    SCOPED_TRACE(payment);
    if (decision == APPROVE) {
      EXPECT_EQ(pay(payment, 500'000).decision(), REVIEW);
    } else {
      // A rule alone holds it.
      SetFraudRulesRequest rules;
      rules.set_review_at(10);
      rules.set_decline_at(100);
      FraudRule& rule = *rules.add_rules();
      rule.set_id("all");
      rule.set_feature("payments_1h");
      rule.set_threshold(1);
      rule.set_decision(REVIEW);
      rule.set_enabled(true);
      ASSERT_TRUE(world.call<FraudPolicy>(rules, admin));
      EXPECT_EQ(pay(payment, 1).decision(), REVIEW);
    }
    EXPECT_EQ(found_case(payment)->status(), FraudCase::OPEN);
    world.events();
    EXPECT_EQ(decide(payment, REVIEW).error().reason, "invalid_decision");
    const auto decided = decide(payment, decision);
    ASSERT_TRUE(decided);
    EXPECT_EQ(decided->status(), decision == APPROVE ? FraudCase::APPROVED : FraudCase::DECLINED);
    EXPECT_EQ(decided->decided_by(), id("0d"));
    EXPECT_EQ(world.events(), (Types{"fraud.case.decided", "fraud.risk.assessed"}));
    const FraudRiskAssessed assessed = world.all<FraudRiskAssessed>().back();
    EXPECT_EQ(assessed.payment_id(), id(payment));
    EXPECT_EQ(assessed.decision(), decision);
    EXPECT_EQ(assessed.decided_by(), id("0d"));
    EXPECT_EQ(decide(payment, APPROVE).error().reason, "case_not_open");
    const FraudAssessment* kept = world.find<FraudAssessment>(id(payment));
    EXPECT_EQ(kept->decision(), decision);
    EXPECT_FALSE(kept->shadow());
  }
}

// 6,000.00 were held and declined, then the same went through; 0.01, then 6,500.00 went through.
TEST_F(FraudTest, OnlyMoneyThatStoodMakesAPayeeKnown) {
  EXPECT_EQ(pay("77", 600'000).decision(), REVIEW);
  ASSERT_TRUE(decide("77", DECLINE));
  EXPECT_EQ(pay("78", 600'000).decision(), REVIEW);
  EXPECT_EQ(pay("79", 1).decision(), APPROVE);
  moved<PaymentCompleted>("79", 1);
  EXPECT_EQ(pay("80", 650'000).decision(), REVIEW);
  moved<PaymentCompleted>("80", 650'000);  // staff approved
  world.advance(3 * kDay);
  EXPECT_EQ(pay("81", 650'000).decision(), APPROVE);
  moved<PaymentRefunded>("80", 650'000);
  EXPECT_EQ(pay("82", 650'000).decision(), REVIEW);
  moved<PaymentCompleted>("82", 650'000);
  EXPECT_EQ(pay("83", 600'000).decision(), REVIEW);  // not of old
  world.advance(3 * kDay);
  moved<PaymentReversed>("82", 650'000);
  EXPECT_EQ(pay("84", 600'000).decision(), REVIEW);
}

TEST_F(FraudTest, APayerIsAPersonWithAllWallets) {
  EXPECT_EQ(pay("77", 499'999).decision(), APPROVE);
  EXPECT_EQ(pay("78", 499'999, "payment", "2a", "2b").decision(),
            REVIEW);  // from and to another wallet of each
  EXPECT_EQ(world.find<FraudPerson>(id("0a"))->payments(), 2);
  moved<PaymentCompleted>("77", 499'999);
  world.advance(3 * kDay);
  EXPECT_EQ(pay("79", 499'999, "payment", "2a", "3b").decision(), APPROVE);  // known in all his wallets
  EXPECT_EQ(pay("80", 600'000, "payment", "1a", "2a").decision(), APPROVE);  // to himself
}

TEST_F(FraudTest, ACaseIsClosedWhenItsPaymentEnds) {
  pay("77", 500'000);
  world.events();
  PaymentFailed failed;
  failed.set_payment_id(id("77"));
  world.given(failed);
  EXPECT_EQ(found_case("77")->status(), FraudCase::CLOSED);
  EXPECT_EQ(world.events(), Types{"fraud.case.decided"});
  EXPECT_EQ(decide("77", APPROVE).error().reason, "case_not_open");
  PaymentCancelled cancelled;
  cancelled.set_payment_id(id("77"));
  world.given(cancelled);
  EXPECT_EQ(world.events(), Types{});
}

TEST_F(FraudTest, ADecidedCaseStaysDecided) {
  pay("77", 500'000);
  ASSERT_TRUE(decide("77", DECLINE));
  PaymentFailed failed;
  failed.set_payment_id(id("77"));
  world.given(failed);
  EXPECT_EQ(found_case("77")->status(), FraudCase::DECLINED);
}

TEST_F(FraudTest, NewRulesHoldFromTheNextPayment) {
  SetFraudRulesRequest request;
  request.set_review_at(5);
  request.set_decline_at(10);
  const auto policy = world.call<FraudPolicy>(request, admin);
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->version(), 2u);
  EXPECT_EQ(policy->rules_size(), 0);
  const FraudRiskAssessed assessed = pay("77", 5'000'000);
  EXPECT_EQ(assessed.decision(), APPROVE);
  EXPECT_EQ(assessed.policy_version(), 2u);
  EXPECT_EQ(world.query<FraudPolicy>(GetFraudRulesRequest(), admin)->version(), 2u);
  EXPECT_EQ(world.events(), (Types{"fraud.rules_changed", "fraud.risk.assessed"}));
  request.set_decline_at(5);
  EXPECT_EQ(world.call<FraudPolicy>(request, admin).error().reason, "thresholds_contradict");
}

TEST_F(FraudTest, ListsForStaff) {
  pay("77", 500'000);
  pay("78", 5'000'000);
  pay("79", 1);
  ListFraudAssessmentsRequest assessments;
  EXPECT_EQ(world.query<ListFraudAssessmentsResponse>(assessments, support)->assessments_size(), 3);
  assessments.set_decision("DECLINE");
  const auto declined = world.query<ListFraudAssessmentsResponse>(assessments, support);
  ASSERT_EQ(declined->assessments_size(), 1);
  EXPECT_EQ(declined->assessments(0).payment_id(), id("78"));
  EXPECT_EQ(declined->assessments(0).amount().minor(), 5'000'000);
  ListFraudCasesRequest cases;
  cases.set_status("OPEN");
  EXPECT_EQ(world.query<ListFraudCasesResponse>(cases, support)->cases_size(), 1);
  cases.set_payment_id(id("78"));
  EXPECT_EQ(world.query<ListFraudCasesResponse>(cases, support)->cases_size(), 0);
  GetFraudCaseRequest get;
  get.set_id(id("77"));
  EXPECT_TRUE(world.query<FraudCase>(get, support));
}

class ShadowTest : public FraudTest {
 protected:
  ShadowTest() : FraudTest({"fraud.mode=shadow"}) {}
};

TEST_F(ShadowTest, ScoresButHoldsAndDeclinesNothing) {
  const FraudRiskAssessed declined = pay("77", 5'000'000);
  EXPECT_EQ(declined.decision(), APPROVE);
  EXPECT_EQ(declined.scored_decision(), DECLINE);
  EXPECT_EQ(pay("78", 1'000'000).scored_decision(), REVIEW);
  EXPECT_EQ(found_case("78"), nullptr);
  EXPECT_TRUE(world.find<FraudAssessment>(id("77"))->shadow());
  EXPECT_EQ(world.find<FraudAssessment>(id("77"))->decision(), DECLINE);
}

class OffTest : public FraudTest {
 protected:
  OffTest() : FraudTest({"fraud.mode=off"}) {}
};

TEST_F(OffTest, ApprovesWithoutALook) {
  const FraudRiskAssessed assessed = pay("77", 5'000'000);
  EXPECT_EQ(assessed.decision(), APPROVE);
  EXPECT_EQ(assessed.scored_decision(), APPROVE);
  EXPECT_EQ(world.find<FraudPerson>(id("0a"))->payments(), 0);
}

}  // namespace
}  // namespace micropay
