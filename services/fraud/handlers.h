// Handlers of the fraud service that live outside service.cc: what staff asks and decides (cases.cc).
#pragma once

#include "contracts/balance.pb.h"
#include "contracts/payment.pb.h"
#include "services/fraud/service.h"

namespace micropay::fraud {

constexpr std::string_view kPolicy = "default";

// A case for a payment that was held, between the users of its reservation.
void open_case(Context& ctx, const FraudRiskAssessed& assessed, const AccountBalanceReserved& reserved);

Result<FraudCase> decide_case(Context& ctx, const DecideFraudCaseRequest& request);
Result<void> close_case_of_failed(Context& ctx, const PaymentFailed& event);
Result<void> close_case_of_cancelled(Context& ctx, const PaymentCancelled& event);
Result<void> keep_assessment(Context& ctx, const FraudRiskAssessed& event);

Result<FraudCase> get_case(QueryContext& ctx, const GetFraudCaseRequest& request);
Result<ListFraudCasesResponse> list_cases(QueryContext& ctx, const ListFraudCasesRequest& request);
Result<ListFraudAssessmentsResponse> list_assessments(QueryContext& ctx,
                                                      const ListFraudAssessmentsRequest& request);

}  // namespace micropay::fraud
