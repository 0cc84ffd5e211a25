#include "services/fraud/rules.h"

#include <algorithm>
#include <set>

#include "libs/base/fnv.h"
#include "libs/base/money.h"

namespace micropay::fraud {
namespace {

constexpr int kBuckets = 24;
constexpr int kPayees = 32;
constexpr int64_t kPaymentsForAverage = 5;
constexpr int kNightEnds = 5;  // o'clock UTC; it begins at midnight

constexpr std::array<std::string_view, kFeatures> kNames = {
    "amount_minor",    "payments_1h",         "payments_24h",  "spent_1h_minor",
    "spent_24h_minor", "average_minor",       "times_average", "new_payee",
    "payees_24h",      "account_age_minutes", "night"};

int64_t add(int64_t a, int64_t b) { return add_minor(a, b).value_or(INT64_MAX); }

// Shifts a list of buckets, newest first, by so many hours.
template <typename T>
void shift(google::protobuf::RepeatedField<T>& buckets, int64_t hours) {
  const int kept = int(std::max<int64_t>(0, std::min<int64_t>(buckets.size(), kBuckets - hours)));
  const int gap = int(std::min<int64_t>(hours, kBuckets));
  google::protobuf::RepeatedField<T> shifted;
  shifted.Resize(gap + kept, 0);
  std::copy_n(buckets.begin(), kept, shifted.begin() + gap);
  buckets.Swap(&shifted);
}

void open_bucket(FraudProfile& profile, int64_t hour) {
  const bool first = profile.counts().empty();
  // A clock that jumps back counts into the newest bucket.
  const int64_t hours = first ? 1 : std::max<int64_t>(0, hour - profile.last_hour());
  if (hours == 0) return;
  shift(*profile.mutable_counts(), hours);
  shift(*profile.mutable_sums_minor(), hours);
  shift(*profile.mutable_new_payees(), hours);
  profile.set_last_hour(hour);
}

// True when the payee is not among the last ones; it is the newest of them then.
bool remember_payee(FraudProfile& profile, uint64_t payee) {
  auto& payees = *profile.mutable_payees();
  if (std::find(payees.begin(), payees.end(), payee) != payees.end()) return false;
  if (payees.size() >= kPayees) payees.erase(payees.begin());
  payees.Add(payee);
  return true;
}

template <typename T>
int64_t sum(const google::protobuf::RepeatedField<T>& buckets) {
  int64_t total = 0;
  for (const T value : buckets) total = add(total, int64_t(value));
  return total;
}

// This hour, and the share of the last one that lies within 60 minutes.
template <typename T>
int64_t last_hour(const google::protobuf::RepeatedField<T>& buckets, Time now) {
  const int64_t minutes_left = 60 - now / kMinute % 60;
  const int64_t before = buckets.size() > 1 ? int64_t(buckets[1]) : 0;
  return add(int64_t(buckets[0]), before / 60 * minutes_left + before % 60 * minutes_left / 60);
}

bool applies(const FraudRule& rule, int64_t value) {
  switch (rule.comparison()) {
    case FraudRule::AT_LEAST: return value >= rule.threshold();
    case FraudRule::BELOW: return value < rule.threshold();
    case FraudRule::EQUAL: return value == rule.threshold();
    default: return false;
  }
}

std::string explain(const FraudRule& rule, int64_t value) {
  const std::string_view sign = rule.comparison() == FraudRule::AT_LEAST ? ">="
                                : rule.comparison() == FraudRule::BELOW  ? "<"
                                                                         : "=";
  return fmt::format("{} {} {} {}", rule.feature(), value, sign, rule.threshold());
}

Decision of_points(const FraudPolicy& policy, int32_t points) {
  if (points >= policy.decline_at()) return DECLINE;
  return points >= policy.review_at() ? REVIEW : APPROVE;
}

}  // namespace

std::string_view feature_name(Feature feature) { return kNames[feature]; }

Feature feature_of(std::string_view name) {
  return Feature(std::find(kNames.begin(), kNames.end(), name) - kNames.begin());
}

Features observe(FraudProfile& profile, const Attempt& attempt) {
  Features features{};
  const int64_t average = profile.payments() > 0 ? profile.spent_minor() / profile.payments() : 0;
  const bool has_average = profile.payments() >= kPaymentsForAverage && average > 0;
  features[kAmountMinor] = attempt.amount_minor;
  features[kAverageMinor] = average;
  features[kTimesAverage] = has_average ? attempt.amount_minor * 100 / average : 0;

  open_bucket(profile, attempt.now / kHour);
  // Payees are compared, never shown.
  const bool new_payee = remember_payee(profile, fnv1a(attempt.payee_account_id));
  profile.set_counts(0, profile.counts(0) + 1);
  profile.set_sums_minor(0, add(profile.sums_minor(0), attempt.amount_minor));
  profile.set_new_payees(0, profile.new_payees(0) + (new_payee ? 1 : 0));
  profile.set_payments(profile.payments() + 1);
  profile.set_spent_minor(add(profile.spent_minor(), attempt.amount_minor));

  features[kPayments1h] = last_hour(profile.counts(), attempt.now);
  features[kPayments24h] = sum(profile.counts());
  features[kSpent1hMinor] = last_hour(profile.sums_minor(), attempt.now);
  features[kSpent24hMinor] = sum(profile.sums_minor());
  features[kNewPayee] = new_payee ? 1 : 0;
  features[kPayees24h] = sum(profile.new_payees());
  features[kAccountAgeMinutes] = std::max<int64_t>(0, attempt.now - profile.created_at()) / kMinute;
  features[kNight] = attempt.now / kHour % 24 < kNightEnds ? 1 : 0;
  return features;
}

Score score(const FraudPolicy& policy, const Features& features, std::string_view currency) {
  Score result;
  for (const FraudRule& rule : policy.rules()) {
    if (!rule.enabled() || (!rule.currency().empty() && rule.currency() != currency)) continue;
    const Feature feature = feature_of(rule.feature());
    if (feature == kFeatures || !applies(rule, features[feature])) continue;
    result.points += rule.points();
    result.decision = std::max(result.decision, rule.decision());
    FraudReason& reason = *result.reasons.Add();
    reason.set_rule(rule.id());
    reason.set_points(rule.points());
    reason.set_detail(explain(rule, features[feature]));
  }
  result.points = std::max(0, result.points);
  result.decision = std::max(result.decision, of_points(policy, result.points));
  return result;
}

Result<void> check_policy(const SetFraudRulesRequest& request) {
  if (request.decline_at() <= request.review_at())
    return fail(Code::kInvalidArgument, "thresholds_contradict", "declineAt must be above reviewAt.",
                "declineAt");
  std::set<std::string_view> ids;
  for (int i = 0; i < request.rules_size(); ++i) {
    const FraudRule& rule = request.rules(i);
    const auto field = [i](std::string_view name) { return fmt::format("rules[{}].{}", i, name); };
    if (!ids.insert(rule.id()).second)
      return fail(Code::kInvalidArgument, "duplicate_rule", "Two rules have this id.", field("id"));
    if (feature_of(rule.feature()) == kFeatures)
      return fail(Code::kInvalidArgument, "unknown_feature",
                  fmt::format("Known features: {}.", fmt::join(kNames, ", ")), field("feature"));
    if (rule.decision() == APPROVE)
      return fail(Code::kInvalidArgument, "invalid_decision",
                  "A rule alone decides REVIEW or DECLINE, or nothing.", field("decision"));
  }
  return {};
}

Result<void> check_case_decision(const FraudCase& subject, Decision decision) {
  if (decision != APPROVE && decision != DECLINE)
    return fail(Code::kInvalidArgument, "invalid_decision", "A case is decided APPROVE or DECLINE.",
                "decision");
  if (subject.status() != FraudCase::OPEN)
    return fail(Code::kFailedPrecondition, "case_not_open", "The case is decided already.");
  return {};
}

// Ordinary use stays far below a review: a first payment to somebody is 10 points. A review takes a large
// amount to somebody new, or several oddities together.
FraudPolicy default_policy() {
  FraudPolicy policy;
  policy.set_id("default");
  policy.set_review_at(60);
  policy.set_decline_at(90);
  policy.set_version(1);
  const auto rule = [&policy](std::string id, std::string summary, Feature feature, int64_t at_least,
                              int32_t points) {
    FraudRule& added = *policy.add_rules();
    added.set_id(std::move(id));
    added.set_summary(std::move(summary));
    added.set_feature(std::string(feature_name(feature)));
    added.set_threshold(at_least);
    added.set_points(points);
    added.set_enabled(true);
    return &added;
  };
  rule("absurd_amount", "50,000.00 and more is declined", kAmountMinor, 5'000'000, 0)->set_decision(DECLINE);
  rule("large_amount", "5,000.00 and more", kAmountMinor, 500'000, 50);
  rule("new_payee", "The first payment to this wallet", kNewPayee, 1, 10);
  rule("unlike_average", "Ten times the payer's average", kTimesAverage, 1000, 20);
  rule("many_payments", "20 payments within an hour", kPayments1h, 20, 30);
  rule("many_new_payees", "Ten new payees within a day", kPayees24h, 10, 15);
  rule("high_turnover", "20,000.00 within a day", kSpent24hMinor, 2'000'000, 15);
  rule("night", "Between midnight and five o'clock UTC", kNight, 1, 3);
  return policy;
}

}  // namespace micropay::fraud
