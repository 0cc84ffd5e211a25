// How a payment is scored: features of the payer, with all of his wallets, over windows of time, rules over
// features, a decision over rules. Amounts of all currencies are summed and compared in minor units of the
// euro, by their approximate value. Pure functions over values, in integers only, so that the same history
// gives the same score anywhere.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "contracts/fraud.pb.h"
#include "libs/base/error.h"
#include "libs/base/time.h"

namespace micropay::fraud {

enum Feature : uint8_t {
  kAmountMinor,
  kPayments1h,
  kPayments24h,
  kSpent1hMinor,
  kSpent24hMinor,
  kAverageMinor,
  kTimesAverage,
  kNewPayee,
  kPayees24h,
  kToNewPayees24hMinor,
  kAccountAgeMinutes,
  kNight,
  kFeatures
};
using Features = std::array<int64_t, kFeatures>;

std::string_view feature_name(Feature feature);  // "payments_1h", as the contract lists them
Feature feature_of(std::string_view name);       // kFeatures when there is none

// When a payee is known: for so many times what he received so long ago, or for as much as he received since.
struct Acquaintance {
  int64_t times = 3;
  Duration after = kDay;
};
Acquaintance acquaintance_of(const FraudPolicy& policy);

struct Attempt {
  std::string_view payee;  // the person, not the wallet
  int64_t amount_minor = 0;
  Time now = 0;
  bool to_self = false;  // between wallets of one person
  Acquaintance known = {};
};

// Counts the attempt into the profile and returns the features with it. Windows are hours of the clock: 24h
// is the current hour and the 23 before; 1h is the current hour and of the one before the share that is not
// an hour ago yet. Whether the payee is known depends on money that he received and has, not on attempts.
Features observe(FraudPerson& person, const Attempt& attempt);
// The attempt goes through: payments to people who are not known of old add up, so that several small ones,
// even at once, are seen as one large.
void count_to_new(FraudPerson& person, const Attempt& attempt);
// A payment to the payee has moved, or went back.
void remember_payee(FraudPerson& person, const Attempt& stood);
void take_back(FraudPerson& person, const Attempt& gone);

struct Score {
  int32_t points = 0;  // never negative
  Decision decision = APPROVE;
  google::protobuf::RepeatedPtrField<FraudReason> reasons;  // a rule that applied each
};

// The strictest of what single rules decide alone and what the sum of points says. `amount` is the payment's.
Score score(const FraudPolicy& policy, const Features& features, const Money& amount);

// unknown_feature, not_an_amount, invalid_decision, duplicate_rule, thresholds_contradict, with the field
Result<void> check_policy(const SetFraudRulesRequest& request);
Result<void> check_case_decision(const FraudCase& subject,
                                 Decision decision);  // invalid_decision, case_not_open

FraudPolicy default_policy();

}  // namespace micropay::fraud
