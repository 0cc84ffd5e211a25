// Features over windows, rules over features, decisions over scores; every figure by hand.
#include "services/fraud/rules.h"

#include <gtest/gtest.h>

namespace micropay::fraud {
namespace {

// 10:00 UTC of some day.
constexpr Time kTen = 1'700'000'000 * kSecond / kDay * kDay + 10 * kHour;

Features pay(FraudProfile& profile, int64_t minor, Time now, const std::string& payee = "payee") {
  return observe(profile, {.payee_account_id = payee, .amount_minor = minor, .now = now});
}

TEST(Features, TheFirstPayment) {
  FraudProfile profile;
  profile.set_created_at(kTen - 90 * kSecond);
  const Features features = pay(profile, 700, kTen);
  const Features expected = {700, 1, 1, 700, 700, 0, 0, 1, 1, 1, 0};
  EXPECT_EQ(features, expected);
}

TEST(Features, AnHourSlidesOverTheHoursOfTheClock) {
  FraudProfile profile;
  for (int i = 0; i < 10; ++i) pay(profile, 6, kTen);
  EXPECT_EQ(pay(profile, 6, kTen + 59 * kMinute)[kPayments1h], 11);
  const Features at_quarter = pay(profile, 6, kTen + 75 * kMinute);
  EXPECT_EQ(at_quarter[kPayments1h], 1 + 11 * 45 / 60);
  EXPECT_EQ(at_quarter[kSpent1hMinor], 6 + 66 * 45 / 60);
  EXPECT_EQ(at_quarter[kPayments24h], 12);
  EXPECT_EQ(pay(profile, 6, kTen + 121 * kMinute)[kPayments1h],
            1);  // the share of one payment is less than one
  EXPECT_EQ(pay(profile, 6, kTen + 5 * kHour)[kPayments1h], 1);
}

TEST(Features, ADayIs24HoursOfTheClock) {
  FraudProfile profile;
  pay(profile, 100, kTen);
  EXPECT_EQ(pay(profile, 1, kTen + 23 * kHour)[kPayments24h], 2);
  const Features next = pay(profile, 1, kTen + 24 * kHour);
  EXPECT_EQ(next[kPayments24h], 2);
  EXPECT_EQ(next[kSpent24hMinor], 2);
  EXPECT_EQ(pay(profile, 1, kTen + 100 * kDay)[kPayments24h], 1);
  EXPECT_LE(profile.counts_size(), 24);
}

TEST(Features, AClockThatJumpsBackLosesNothing) {
  FraudProfile profile;
  pay(profile, 1, kTen);
  EXPECT_EQ(pay(profile, 1, kTen - 3 * kHour)[kPayments24h], 2);
}

TEST(Features, PayeesAreNewOnceUntil32OthersCame) {
  FraudProfile profile;
  EXPECT_EQ(pay(profile, 1, kTen, "a")[kNewPayee], 1);
  EXPECT_EQ(pay(profile, 1, kTen, "a")[kNewPayee], 0);
  for (int i = 0; i < 32; ++i) EXPECT_EQ(pay(profile, 1, kTen, "p" + std::to_string(i))[kNewPayee], 1);
  EXPECT_EQ(profile.payees_size(), 32);
  const Features again = pay(profile, 1, kTen, "a");
  EXPECT_EQ(again[kNewPayee], 1);
  EXPECT_EQ(again[kPayees24h], 34);
}

TEST(Features, TheAverageCountsFromTheSixthPayment) {
  FraudProfile profile;
  for (int i = 0; i < 4; ++i) EXPECT_EQ(pay(profile, 100, kTen)[kTimesAverage], 0);
  EXPECT_EQ(pay(profile, 1000, kTen)[kTimesAverage], 0);
  const Features sixth = pay(profile, 2800, kTen);
  EXPECT_EQ(sixth[kAverageMinor], 280);
  EXPECT_EQ(sixth[kTimesAverage], 1000);
}

TEST(Features, Night) {
  FraudProfile profile;
  const Time midnight = kTen - 10 * kHour;
  EXPECT_EQ(pay(profile, 1, midnight - 1)[kNight], 0);
  EXPECT_EQ(pay(profile, 1, midnight)[kNight], 1);
  EXPECT_EQ(pay(profile, 1, midnight + 5 * kHour - 1)[kNight], 1);
  EXPECT_EQ(pay(profile, 1, midnight + 5 * kHour)[kNight], 0);
}

TEST(Features, SumsStayWithinBounds) {
  FraudProfile profile;
  profile.set_spent_minor(INT64_MAX - 1);
  EXPECT_EQ(pay(profile, 10, kTen)[kPayments1h], 1);
  EXPECT_EQ(profile.spent_minor(), INT64_MAX);
}

TEST(Features, AllHaveTheNamesOfTheContract) {
  for (int i = 0; i < kFeatures; ++i) EXPECT_EQ(feature_of(feature_name(Feature(i))), i);
  EXPECT_EQ(feature_of("colour"), kFeatures);
  EXPECT_EQ(feature_name(kPayments1h), "payments_1h");
  EXPECT_EQ(feature_name(kNight), "night");
}

FraudRule rule(const std::string& id, FraudRule::Comparison comparison, int64_t threshold, int32_t points,
               Decision decision = DECISION_UNSPECIFIED) {
  FraudRule rule;
  rule.set_id(id);
  rule.set_feature("amount_minor");
  rule.set_comparison(comparison);
  rule.set_threshold(threshold);
  rule.set_points(points);
  rule.set_decision(decision);
  rule.set_enabled(true);
  return rule;
}

TEST(Score, PointsAndRulesDecide) {
  struct Case {
    std::vector<FraudRule> rules;
    int32_t points;
    Decision decision;
  };
  const auto at_least = FraudRule::AT_LEAST;
  FraudRule off = rule("off", at_least, 100, 50);
  off.set_enabled(false);
  FraudRule dollars = rule("dollars", at_least, 100, 50);
  dollars.set_currency("USD");
  FraudRule euros = rule("euros", at_least, 100, 50);
  euros.set_currency("EUR");
  FraudRule unknown = rule("unknown", at_least, 0, 50);
  unknown.set_feature("colour");
  const Case cases[] = {
      {{}, 0, APPROVE},
      {{rule("a", at_least, 101, 59)}, 0, APPROVE},
      {{rule("a", at_least, 100, 59)}, 59, APPROVE},
      {{rule("a", at_least, 100, 60)}, 60, REVIEW},
      {{rule("a", at_least, 100, 60), rule("b", at_least, 1, 29)}, 89, REVIEW},
      {{rule("a", at_least, 100, 60), rule("b", at_least, 1, 30)}, 90, DECLINE},
      {{rule("a", at_least, 100, 60), rule("b", at_least, 1, -30)}, 30, APPROVE},
      {{rule("b", at_least, 1, -30)}, 0, APPROVE},
      {{rule("a", FraudRule::BELOW, 100, 10), rule("b", FraudRule::BELOW, 101, 20)}, 20, APPROVE},
      {{rule("a", FraudRule::EQUAL, 100, 10), rule("b", FraudRule::EQUAL, 101, 20)}, 10, APPROVE},
      {{rule("a", at_least, 100, 0, REVIEW)}, 0, REVIEW},
      {{rule("a", at_least, 100, 0, DECLINE), rule("b", at_least, 100, 60)}, 60, DECLINE},
      {{rule("a", at_least, 100, 90), rule("b", at_least, 100, 0, REVIEW)}, 90, DECLINE},
      {{off, dollars, unknown}, 0, APPROVE},
      {{euros}, 50, APPROVE},
  };
  Features features{};
  features[kAmountMinor] = 100;
  for (const Case& c : cases) {
    FraudPolicy policy;
    policy.set_review_at(60);
    policy.set_decline_at(90);
    for (const FraudRule& added : c.rules) *policy.add_rules() = added;
    const Score result = score(policy, features, "EUR");
    EXPECT_EQ(result.points, c.points);
    EXPECT_EQ(result.decision, c.decision);
  }
}

TEST(Score, ReasonsExplainWithNumbers) {
  FraudPolicy policy;
  policy.set_review_at(60);
  policy.set_decline_at(90);
  *policy.add_rules() = rule("large", FraudRule::AT_LEAST, 50, 7);
  *policy.add_rules() = rule("small", FraudRule::BELOW, 200, 1);
  *policy.add_rules() = rule("other", FraudRule::AT_LEAST, 200, 1);
  Features features{};
  features[kAmountMinor] = 100;
  const Score result = score(policy, features, "EUR");
  ASSERT_EQ(result.reasons.size(), 2);
  EXPECT_EQ(result.reasons[0].rule(), "large");
  EXPECT_EQ(result.reasons[0].points(), 7);
  EXPECT_EQ(result.reasons[0].detail(), "amount_minor 100 >= 50");
  EXPECT_EQ(result.reasons[1].detail(), "amount_minor 100 < 200");
}

// What the rules that come with the platform make of a payment.
TEST(DefaultPolicy, OrdinaryUsePassesAndOdditiesDoNot) {
  const FraudPolicy policy = default_policy();
  struct Case {
    std::string name;
    int64_t minor;
    int before;  // payments of 20.00 to the same payee before
    std::string payee;
    int32_t points;
    Decision decision;
  };
  const Case cases[] = {
      {"first coffee", 350, 0, "bar", 10, APPROVE},
      {"usual payee", 2'500, 3, "usual", 0, APPROVE},
      {"large to somebody new", 500'000, 3, "new", 60, REVIEW},
      {"just below large", 499'999, 3, "new", 10, APPROVE},
      {"large to a usual payee", 500'000, 3, "usual", 50, APPROVE},
      {"large, new, unlike before", 500'000, 6, "new", 80, REVIEW},
      {"machine gun", 2'000, 19, "usual", 30, APPROVE},
      {"absurd", 5'000'000, 0, "new", 75, DECLINE},
  };
  for (const Case& c : cases) {
    FraudProfile profile;
    profile.set_created_at(kTen - kDay);
    for (int i = 0; i < c.before; ++i) pay(profile, 2'000, kTen, "usual");
    const Score result = score(policy, pay(profile, c.minor, kTen, c.payee), "EUR");
    EXPECT_EQ(result.points, c.points) << c.name;
    EXPECT_EQ(result.decision, c.decision) << c.name;
  }
}

TEST(DefaultPolicy, IsSound) {
  const FraudPolicy policy = default_policy();
  SetFraudRulesRequest request;
  request.set_review_at(policy.review_at());
  request.set_decline_at(policy.decline_at());
  *request.mutable_rules() = policy.rules();
  EXPECT_TRUE(check_policy(request));
}

TEST(CheckPolicy, RejectionsInOrder) {
  SetFraudRulesRequest request;
  request.set_review_at(60);
  request.set_decline_at(60);
  const auto expect = [&](const std::string& reason, const std::string& field) {
    const auto result = check_policy(request);
    EXPECT_EQ(result ? "" : result.error().reason, reason);
    EXPECT_EQ(result ? "" : result.error().field, field);
  };
  expect("thresholds_contradict", "declineAt");
  request.set_decline_at(61);
  expect("", "");
  *request.add_rules() = rule("a", FraudRule::AT_LEAST, 1, 1);
  *request.add_rules() = rule("a", FraudRule::AT_LEAST, 1, 1);
  expect("duplicate_rule", "rules[1].id");
  request.mutable_rules(1)->set_id("b");
  request.mutable_rules(1)->set_feature("colour");
  expect("unknown_feature", "rules[1].feature");
  request.mutable_rules(1)->set_feature("night");
  request.mutable_rules(1)->set_decision(APPROVE);
  expect("invalid_decision", "rules[1].decision");
}

TEST(CheckCaseDecision, OpenCasesAreDecidedOneWayOrTheOther) {
  struct Case {
    FraudCase::Status status;
    Decision decision;
    std::string reason;
  };
  const Case cases[] = {
      {FraudCase::OPEN, APPROVE, ""},
      {FraudCase::OPEN, DECLINE, ""},
      {FraudCase::OPEN, REVIEW, "invalid_decision"},
      {FraudCase::CLOSED, DECISION_UNSPECIFIED, "invalid_decision"},
      {FraudCase::CLOSED, APPROVE, "case_not_open"},
      {FraudCase::APPROVED, APPROVE, "case_not_open"},
      {FraudCase::DECLINED, APPROVE, "case_not_open"},
  };
  for (const Case& c : cases) {
    FraudCase subject;
    subject.set_status(c.status);
    const auto result = check_case_decision(subject, c.decision);
    EXPECT_EQ(result ? "" : result.error().reason, c.reason);
  }
}

}  // namespace
}  // namespace micropay::fraud
