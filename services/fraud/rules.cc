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
    "amount_minor",    "payments_1h",          "payments_24h",        "spent_1h_minor",
    "spent_24h_minor", "average_minor",        "times_average",       "new_payee",
    "payees_24h",      "new_payees_24h_minor", "account_age_minutes", "night"};

bool is_amount(Feature feature) { return kNames[feature].ends_with("_minor"); }

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

void open_bucket(FraudPerson& person, int64_t hour) {
  const bool first = person.counts().empty();
  // A clock that jumps back counts into the newest bucket.
  const int64_t hours = first ? 1 : std::max<int64_t>(0, hour - person.last_hour());
  if (hours == 0) return;
  shift(*person.mutable_counts(), hours);
  shift(*person.mutable_sums_minor(), hours);
  shift(*person.mutable_new_payees(), hours);
  shift(*person.mutable_to_new_minor(), hours);
  person.set_last_hour(hour);
}

// Payees are compared, never shown.
uint64_t digest(const Attempt& attempt) { return fnv1a(attempt.payee); }

// Place of the payee among the last ones, or -1.
int place_of(const FraudPerson& person, uint64_t payee) {
  const auto& payees = person.payees();
  const auto at = std::find(payees.begin(), payees.end(), payee);
  return at == payees.end() ? -1 : int(at - payees.begin());
}

// Money is recent, then earlier, then old: each time a stretch is over all of it moves on by one, so that
// what is old has been there for a stretch at least.
void begin_stretch(FraudPerson& person, const Attempt& attempt) {
  const Duration passed = attempt.now - person.stretch_began_at();
  if (passed < attempt.known.after) return;
  const int moves = passed < 2 * attempt.known.after ? 1 : 2;
  for (int move = 0; move < moves; ++move)
    for (int i = 0; i < person.payees_size(); ++i) {
      person.set_old_minor(i, add(person.old_minor(i), person.earlier_minor(i)));
      person.set_earlier_minor(i, person.recent_minor(i));
      person.set_recent_minor(i, 0);
    }
  person.set_stretch_began_at(moves == 1 ? person.stretch_began_at() + attempt.known.after : attempt.now);
}

void forget(FraudPerson& person, int place) {
  const auto erase = [place](auto& list) { list.erase(list.begin() + place); };
  erase(*person.mutable_payees());
  erase(*person.mutable_old_minor());
  erase(*person.mutable_earlier_minor());
  erase(*person.mutable_recent_minor());
}

int64_t times(int64_t minor, int64_t factor) {
  int64_t product;
  return __builtin_mul_overflow(minor, factor, &product) ? INT64_MAX : product;
}

bool is_known_of_old(const FraudPerson& person, const Attempt& attempt) {
  const int place = place_of(person, digest(attempt));
  if (attempt.to_self) return true;
  return place >= 0 && attempt.amount_minor <= times(person.old_minor(place), attempt.known.times);
}

bool is_known(const FraudPerson& person, const Attempt& attempt) {
  if (is_known_of_old(person, attempt)) return true;
  const int place = place_of(person, digest(attempt));
  if (place < 0) return false;
  const int64_t stood =
      add(person.old_minor(place), add(person.earlier_minor(place), person.recent_minor(place)));
  return attempt.amount_minor <= stood;
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

struct Compared {
  int64_t value, threshold;
};

// Of an amount both in one currency: the threshold's, or that which the rule is for, or the euro.
Compared compared(const FraudRule& rule, Feature feature, const Features& features, const Money& amount) {
  if (!is_amount(feature)) return {features[feature], rule.threshold()};
  const std::string_view currency = rule.has_amount()          ? std::string_view(rule.amount().currency())
                                    : !rule.currency().empty() ? std::string_view(rule.currency())
                                                               : kReferenceCurrency;
  const int64_t value = feature == kAmountMinor
                            ? convert_minor(amount.minor(), amount.currency(), currency)
                            : convert_minor(features[feature], kReferenceCurrency, currency);
  return {value, rule.has_amount() ? rule.amount().minor() : rule.threshold()};
}

bool applies(const FraudRule& rule, int64_t value, int64_t threshold) {
  switch (rule.comparison()) {
    case FraudRule::AT_LEAST: return value >= threshold;
    case FraudRule::BELOW: return value < threshold;
    case FraudRule::EQUAL: return value == threshold;
    default: return false;
  }
}

std::string explain(const FraudRule& rule, int64_t value, int64_t threshold) {
  const std::string_view sign = rule.comparison() == FraudRule::AT_LEAST ? ">="
                                : rule.comparison() == FraudRule::BELOW  ? "<"
                                                                         : "=";
  return fmt::format("{} {} {} {}", rule.feature(), value, sign, threshold);
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

Acquaintance acquaintance_of(const FraudPolicy& policy) {
  Acquaintance known;
  if (policy.known_times() != 0) known.times = policy.known_times();
  if (policy.known_after_minutes() != 0) known.after = policy.known_after_minutes() * kMinute;
  return known;
}

Features observe(FraudPerson& person, const Attempt& attempt) {
  Features features{};
  const int64_t average = person.payments() > 0 ? person.spent_minor() / person.payments() : 0;
  const bool has_average = person.payments() >= kPaymentsForAverage && average > 0;
  features[kAmountMinor] = attempt.amount_minor;
  features[kAverageMinor] = average;
  features[kTimesAverage] = has_average ? times(attempt.amount_minor, 100) / average : 0;

  open_bucket(person, attempt.now / kHour);
  begin_stretch(person, attempt);
  const bool new_payee = !is_known(person, attempt);
  person.set_counts(0, person.counts(0) + 1);
  person.set_sums_minor(0, add(person.sums_minor(0), attempt.amount_minor));
  person.set_new_payees(0, person.new_payees(0) + (new_payee ? 1 : 0));
  person.set_payments(person.payments() + 1);
  person.set_spent_minor(add(person.spent_minor(), attempt.amount_minor));

  features[kPayments1h] = last_hour(person.counts(), attempt.now);
  features[kPayments24h] = sum(person.counts());
  features[kSpent1hMinor] = last_hour(person.sums_minor(), attempt.now);
  features[kSpent24hMinor] = sum(person.sums_minor());
  features[kNewPayee] = new_payee ? 1 : 0;
  features[kPayees24h] = sum(person.new_payees());
  features[kToNewPayees24hMinor] =
      is_known_of_old(person, attempt) ? 0 : add(sum(person.to_new_minor()), attempt.amount_minor);
  features[kAccountAgeMinutes] = std::max<int64_t>(0, attempt.now - person.created_at()) / kMinute;
  features[kNight] = attempt.now / kHour % 24 < kNightEnds ? 1 : 0;
  return features;
}

void count_to_new(FraudPerson& person, const Attempt& attempt) {
  if (is_known_of_old(person, attempt)) return;
  person.set_to_new_minor(0, add(person.to_new_minor(0), attempt.amount_minor));
}

void remember_payee(FraudPerson& person, const Attempt& stood) {
  if (stood.to_self) return;
  begin_stretch(person, stood);
  int place = place_of(person, digest(stood));
  if (place < 0) {
    if (person.payees_size() >= kPayees) forget(person, 0);
    place = person.payees_size();
    person.add_payees(digest(stood));
    person.add_old_minor(0);
    person.add_earlier_minor(0);
    person.add_recent_minor(0);
  }
  person.set_recent_minor(place, add(person.recent_minor(place), stood.amount_minor));
}

void take_back(FraudPerson& person, const Attempt& gone) {
  const int place = place_of(person, digest(gone));
  if (place < 0) return;
  int64_t left = gone.amount_minor, rest = 0;
  for (auto* list :
       {person.mutable_recent_minor(), person.mutable_earlier_minor(), person.mutable_old_minor()}) {
    const int64_t taken = std::min(left, list->Get(place));
    list->Set(place, list->Get(place) - taken);
    left -= taken;
    rest = add(rest, list->Get(place));
  }
  if (rest == 0) forget(person, place);
}

Score score(const FraudPolicy& policy, const Features& features, const Money& amount) {
  Score result;
  for (const FraudRule& rule : policy.rules()) {
    if (!rule.enabled() || (!rule.currency().empty() && rule.currency() != amount.currency())) continue;
    const Feature feature = feature_of(rule.feature());
    if (feature == kFeatures) continue;
    const auto [value, threshold] = compared(rule, feature, features, amount);
    if (!applies(rule, value, threshold)) continue;
    result.points += rule.points();
    result.decision = std::max(result.decision, rule.decision());
    FraudReason& reason = *result.reasons.Add();
    reason.set_rule(rule.id());
    reason.set_points(rule.points());
    reason.set_detail(explain(rule, value, threshold));
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
    if (rule.has_amount() && !is_amount(feature_of(rule.feature())))
      return fail(Code::kInvalidArgument, "not_an_amount", "The feature is a number: give threshold.",
                  field("amount"));
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
    if (is_amount(feature)) {
      added.mutable_amount()->set_currency(std::string(kReferenceCurrency));
      added.mutable_amount()->set_minor(at_least);
    }
    added.set_points(points);
    added.set_enabled(true);
    return &added;
  };
  rule("absurd_amount", "50,000.00 and more is declined", kAmountMinor, 5'000'000, 0)->set_decision(DECLINE);
  rule("large_amount", "5,000.00 and more", kAmountMinor, 500'000, 50);
  rule("new_payee", "To somebody who never received so much", kNewPayee, 1, 10);
  rule("much_to_new_payees", "5,000.00 within a day to people not known of old", kToNewPayees24hMinor,
       500'000, 0)
      ->set_decision(REVIEW);
  rule("unlike_average", "Ten times the payer's average", kTimesAverage, 1000, 20);
  rule("many_payments", "20 payments within an hour", kPayments1h, 20, 30);
  rule("many_new_payees", "Ten new payees within a day", kPayees24h, 10, 15);
  rule("high_turnover", "20,000.00 within a day", kSpent24hMinor, 2'000'000, 15);
  rule("night", "Between midnight and five o'clock UTC", kNight, 1, 3);
  return policy;
}

}  // namespace micropay::fraud
