// How a payment is scored: features of the payer's wallet over windows of time, rules over features, a
// decision over rules. Pure functions over values, in integers only, so that the same history gives the same
// score anywhere.
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
  kAccountAgeMinutes,
  kNight,
  kFeatures
};
using Features = std::array<int64_t, kFeatures>;

std::string_view feature_name(Feature feature);  // "payments_1h", as the contract lists them
Feature feature_of(std::string_view name);       // kFeatures when there is none

struct Attempt {
  std::string_view payee_account_id;
  int64_t amount_minor = 0;
  Time now = 0;
};

// Counts the attempt into the profile and returns the features with it. Windows are hours of the clock: 24h
// is the current hour and the 23 before; 1h is the current hour and of the one before the share that is not
// an hour ago yet.
Features observe(FraudProfile& profile, const Attempt& attempt);

struct Score {
  int32_t points = 0;  // never negative
  Decision decision = APPROVE;
  google::protobuf::RepeatedPtrField<FraudReason> reasons;  // a rule that applied each
};

// The strictest of what single rules decide alone and what the sum of points says.
Score score(const FraudPolicy& policy, const Features& features, std::string_view currency);

// unknown_feature, invalid_decision, duplicate_rule, thresholds_contradict, with the field
Result<void> check_policy(const SetFraudRulesRequest& request);
Result<void> check_case_decision(const FraudCase& subject,
                                 Decision decision);  // invalid_decision, case_not_open

FraudPolicy default_policy();

}  // namespace micropay::fraud
