// Features over windows, rules over features, decisions over scores; every figure by hand.
#include "services/fraud/rules.h"

#include <gtest/gtest.h>

namespace micropay::fraud {
namespace {

// 10:00 UTC of some day.
constexpr Time kTen = 1'700'000'000 * kSecond / kDay * kDay + 10 * kHour;

Attempt attempt(int64_t minor, Time now, const std::string& payee) {
  return {.payee = payee, .amount_minor = minor, .now = now};
}

// An attempt that goes through; whether its money moves is said by stood().
Features pay(FraudPerson& person, int64_t minor, Time now, const std::string& payee = "payee") {
  const Features features = observe(person, attempt(minor, now, payee));
  count_to_new(person, attempt(minor, now, payee));
  return features;
}
void stood(FraudPerson& person, int64_t minor, Time now, const std::string& payee = "payee") {
  remember_payee(person, attempt(minor, now, payee));
}

Money money(int64_t minor, const std::string& currency = "EUR") {
  Money money;
  money.set_currency(currency);
  money.set_minor(minor);
  return money;
}

TEST(Features, TheFirstPayment) {
  FraudPerson profile;
  profile.set_created_at(kTen - 90 * kSecond);
  const Features features = pay(profile, 700, kTen);
  const Features expected = {700, 1, 1, 700, 700, 0, 0, 1, 1, 700, 1, 0};
  EXPECT_EQ(features, expected);
}

TEST(Features, AnHourSlidesOverTheHoursOfTheClock) {
  FraudPerson profile;
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
  FraudPerson profile;
  pay(profile, 100, kTen);
  EXPECT_EQ(pay(profile, 1, kTen + 23 * kHour)[kPayments24h], 2);
  const Features next = pay(profile, 1, kTen + 24 * kHour);
  EXPECT_EQ(next[kPayments24h], 2);
  EXPECT_EQ(next[kSpent24hMinor], 2);
  EXPECT_EQ(pay(profile, 1, kTen + 100 * kDay)[kPayments24h], 1);
  EXPECT_LE(profile.counts_size(), 24);
}

TEST(Features, AClockThatJumpsBackLosesNothing) {
  FraudPerson profile;
  pay(profile, 1, kTen);
  EXPECT_EQ(pay(profile, 1, kTen - 3 * kHour)[kPayments24h], 2);
}

// 6,000.00 to somebody new was held and declined; the same again went through, because attempts made him
// known.
TEST(Acquaintance, AttemptsMakeNobodyKnown) {
  FraudPerson person;
  EXPECT_EQ(pay(person, 600'000, kTen, "a")[kNewPayee], 1);
  EXPECT_EQ(pay(person, 600'000, kTen, "a")[kNewPayee], 1);
  EXPECT_EQ(pay(person, 600'000, kTen + 3 * kDay, "a")[kNewPayee], 1);
  EXPECT_EQ(person.payees_size(), 0);
}

TEST(Acquaintance, IsOfAmountAndAge) {
  struct Case {
    Duration later;
    int64_t minor;
    int64_t new_payee;
  };
  const Case cases[] = {
      {kMinute, 100, 0},    {kMinute, 101, 1},     // as much as he received
      {23 * kHour, 101, 1}, {25 * kHour, 101, 1},  // not a whole stretch ago yet
      {2 * kDay, 300, 0},   {2 * kDay, 301, 1},    // three times what is old
      {90 * kDay, 300, 0},  {90 * kDay, 650'000, 1},
  };
  for (const Case& c : cases) {
    FraudPerson person;
    pay(person, 100, kTen);
    stood(person, 100, kTen);
    EXPECT_EQ(pay(person, c.minor, kTen + c.later)[kNewPayee], c.new_payee)
        << c.later / kHour << " " << c.minor;
  }
}

// One cent on the first day must not make old what comes a minute before its day is over.
TEST(Acquaintance, WhatIsOldHasBeenThereForAWholeStretch) {
  FraudPerson person;
  pay(person, 1, kTen);
  stood(person, 1, kTen);
  const Time late = kTen + kDay - kMinute;
  pay(person, 490'000, late);
  stood(person, 490'000, late);
  EXPECT_EQ(pay(person, 490'002, kTen + kDay + kMinute)[kNewPayee], 1);
  EXPECT_EQ(pay(person, 490'002, late + kDay - 2 * kMinute)[kNewPayee], 1);
  EXPECT_EQ(pay(person, 490'002, late + kDay + 2 * kMinute)[kNewPayee], 0);
}

TEST(Acquaintance, WhatWentBackMakesNobodyKnown) {
  FraudPerson person;
  stood(person, 100, kTen);
  take_back(person, attempt(40, kTen, "payee"));
  EXPECT_EQ(pay(person, 60, kTen)[kNewPayee], 0);
  EXPECT_EQ(pay(person, 61, kTen)[kNewPayee], 1);
  take_back(person, attempt(60, kTen, "payee"));
  EXPECT_EQ(person.payees_size(), 0);
  EXPECT_EQ(person.recent_minor_size(), 0);
  take_back(person, attempt(60, kTen, "payee"));  // of somebody who is not known
  // What is older goes last.
  stood(person, 100, kTen);
  pay(person, 1, kTen + 2 * kDay);
  stood(person, 50, kTen + 2 * kDay);
  take_back(person, attempt(60, kTen + 2 * kDay, "payee"));
  EXPECT_EQ(person.old_minor(0), 90);
}

TEST(Acquaintance, SeveralSmallAmountsAreSeenAsOneLarge) {
  FraudPerson person;
  stood(person, 1'000'000, kTen - 10 * kDay, "old");
  EXPECT_EQ(pay(person, 499'999, kTen, "a")[kToNewPayees24hMinor], 499'999);
  EXPECT_EQ(pay(person, 499'999, kTen, "b")[kToNewPayees24hMinor], 999'998);  // at once, to somebody else
  stood(person, 499'999, kTen, "a");
  EXPECT_EQ(pay(person, 1, kTen + kHour, "a")[kToNewPayees24hMinor], 999'999);  // not known of old
  EXPECT_EQ(pay(person, 1'000'000, kTen, "old")[kToNewPayees24hMinor], 0);
  EXPECT_EQ(pay(person, 1, kTen + 24 * kHour, "c")[kToNewPayees24hMinor], 2);
  // What was held does not add up: staff sees to it.
  FraudPerson other;
  observe(other, attempt(600'000, kTen, "a"));
  EXPECT_EQ(pay(other, 5, kTen, "a")[kToNewPayees24hMinor], 5);
}

TEST(Acquaintance, NobodyIsNewToHimself) {
  FraudPerson person;
  Attempt own = attempt(600'000, kTen, "self");
  own.to_self = true;
  const Features features = observe(person, own);
  EXPECT_EQ(features[kNewPayee], 0);
  EXPECT_EQ(features[kToNewPayees24hMinor], 0);
  remember_payee(person, own);
  EXPECT_EQ(person.payees_size(), 0);
}

TEST(Acquaintance, ThePolicySaysHowOften) {
  FraudPolicy policy;
  EXPECT_EQ(acquaintance_of(policy).times, 3);
  EXPECT_EQ(acquaintance_of(policy).after, kDay);
  policy.set_known_times(10);
  policy.set_known_after_minutes(60);
  FraudPerson person;
  Attempt first = attempt(100, kTen, "a");
  first.known = acquaintance_of(policy);
  remember_payee(person, first);
  Attempt later = attempt(1'000, kTen + 2 * kHour, "a");
  later.known = first.known;
  EXPECT_EQ(observe(person, later)[kNewPayee], 0);
  later.amount_minor = 1'001;
  EXPECT_EQ(observe(person, later)[kNewPayee], 1);
}

TEST(Acquaintance, TheLast32AreKept) {
  FraudPerson person;
  for (int i = 0; i < 40; ++i) stood(person, 5, kTen, "p" + std::to_string(i));
  EXPECT_EQ(person.payees_size(), 32);
  EXPECT_EQ(person.old_minor_size(), 32);
  EXPECT_EQ(pay(person, 5, kTen, "p0")[kNewPayee], 1);
  EXPECT_EQ(pay(person, 5, kTen, "p39")[kNewPayee], 0);
  EXPECT_EQ(pay(person, 5, kTen, "p1")[kPayees24h], 2);
}

TEST(Features, TheAverageCountsFromTheSixthPayment) {
  FraudPerson profile;
  for (int i = 0; i < 4; ++i) EXPECT_EQ(pay(profile, 100, kTen)[kTimesAverage], 0);
  EXPECT_EQ(pay(profile, 1000, kTen)[kTimesAverage], 0);
  const Features sixth = pay(profile, 2800, kTen);
  EXPECT_EQ(sixth[kAverageMinor], 280);
  EXPECT_EQ(sixth[kTimesAverage], 1000);
}

TEST(Features, Night) {
  FraudPerson profile;
  const Time midnight = kTen - 10 * kHour;
  EXPECT_EQ(pay(profile, 1, midnight - 1)[kNight], 0);
  EXPECT_EQ(pay(profile, 1, midnight)[kNight], 1);
  EXPECT_EQ(pay(profile, 1, midnight + 5 * kHour - 1)[kNight], 1);
  EXPECT_EQ(pay(profile, 1, midnight + 5 * kHour)[kNight], 0);
}

TEST(Features, SumsStayWithinBounds) {
  FraudPerson profile;
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
    const Score result = score(policy, features, money(100));
    EXPECT_EQ(result.points, c.points);
    EXPECT_EQ(result.decision, c.decision);
  }
}

// A rule for all currencies is about value: five thousand rupiah are not five thousand euros.
TEST(Score, AmountsOfOtherCurrenciesCountByTheirValue) {
  struct Case {
    FraudRule rule;
    Money amount;
    bool applies;
  };
  const auto at_least = FraudRule::AT_LEAST;
  FraudRule yen = rule("yen", at_least, 1'000, 60);
  yen.set_currency("JPY");
  FraudRule dollars = rule("dollars", at_least, 0, 60);
  *dollars.mutable_amount() = money(1'150, "USD");
  FraudRule spent = dollars;
  spent.set_feature("spent_24h_minor");
  const Case cases[] = {
      {rule("euros", at_least, 500'000, 60), money(500'000), true},
      {rule("euros", at_least, 500'000, 60), money(500'001, "IDR"), false},
      {rule("euros", at_least, 500'000, 60), money(9'600'000'000, "IDR"), true},
      {rule("euros", at_least, 500'000, 60), money(880'000, "JPY"), false},
      {rule("euros", at_least, 500'000, 60), money(890'000, "JPY"), true},
      {rule("euros", at_least, 500'000, 60), money(1'775'000, "KWD"), true},
      {yen, money(999, "JPY"), false},
      {yen, money(1'000, "JPY"), true},
      {yen, money(1'000'000), false},
      {dollars, money(1'150, "USD"), true},
      {dollars, money(999), false},
      {dollars, money(1'000), true},
      {spent, money(1, "JPY"), true},
  };
  Features features{};
  features[kSpent24hMinor] = 1'000;
  for (const Case& c : cases) {
    FraudPolicy policy;
    policy.set_review_at(60);
    policy.set_decline_at(90);
    *policy.add_rules() = c.rule;
    EXPECT_EQ(score(policy, features, c.amount).points == 60, c.applies)
        << c.rule.id() << " " << c.amount.minor() << c.amount.currency();
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
  const Score result = score(policy, features, money(100));
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
      {"just below large", 499'999, 0, "new", 10, APPROVE},
      {"just below large, and others new today", 499'999, 3, "new", 10, REVIEW},
      {"large to a usual payee", 500'000, 3, "usual", 60, REVIEW},  // who never received so much
      {"large, new, unlike before", 500'000, 6, "new", 80, REVIEW},
      {"machine gun", 2'000, 19, "usual", 30, APPROVE},
      {"absurd", 5'000'000, 0, "new", 75, DECLINE},
  };
  for (const Case& c : cases) {
    FraudPerson profile;
    profile.set_created_at(kTen - kDay);
    for (int i = 0; i < c.before; ++i)
      pay(profile, 2'000, kTen, "usual"), stood(profile, 2'000, kTen, "usual");
    const Score result = score(policy, pay(profile, c.minor, kTen, c.payee), money(c.minor));
    EXPECT_EQ(result.points, c.points) << c.name;
    EXPECT_EQ(result.decision, c.decision) << c.name;
  }
}

TEST(DefaultPolicy, SplittingALargeAmountIsSeen) {
  const FraudPolicy policy = default_policy();
  FraudPerson person;
  person.set_created_at(kTen - kDay);
  EXPECT_EQ(score(policy, pay(person, 499'999, kTen), money(499'999)).decision, APPROVE);
  stood(person, 499'999, kTen);
  const Score second = score(policy, pay(person, 499'999, kTen), money(499'999));
  EXPECT_EQ(second.decision, REVIEW);
  EXPECT_EQ(second.reasons[0].rule(), "much_to_new_payees");
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
  *request.mutable_rules(1)->mutable_amount() = money(5);
  expect("not_an_amount", "rules[1].amount");
  request.mutable_rules(1)->clear_amount();
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
