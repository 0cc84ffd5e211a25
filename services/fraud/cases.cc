// Cases, and the lists that staff reads. A case has the id of its payment, so it is found by it at once.
#include "services/fraud/handlers.h"
#include "services/fraud/rules.h"

namespace micropay::fraud {
namespace {

void emit_decided(Context& ctx, const FraudCase& subject) {
  FraudCaseDecided decided;
  decided.set_case_id(subject.id());
  decided.set_payment_id(subject.payment_id());
  decided.set_status(subject.status());
  decided.set_decided_by(subject.decided_by());
  ctx.emit(decided);
}

// The payment ended without us: there is nothing left to decide.
void close_case(Context& ctx, const std::string& payment_id) {
  const FraudCase* found = ctx.table<FraudCase>().find(payment_id);
  if (found == nullptr || found->status() != FraudCase::OPEN) return;
  FraudCase& subject = ctx.table<FraudCase>().edit(payment_id);
  subject.set_status(FraudCase::CLOSED);
  subject.set_decided_at(ctx.now());
  emit_decided(ctx, subject);
}

void filter(ListQuery& query, std::string_view field, const std::string& value) {
  if (!value.empty()) query.filters.push_back({.field = std::string(field), .value = value, .any_of = {}});
}

template <typename Request>
ListQuery page_of(const Request& request) {
  return {.page_size = uint32_t(request.page_size()), .page_token = request.page_token()};
}

}  // namespace

void open_case(Context& ctx, const FraudRiskAssessed& assessed, const AccountBalanceReserved& reserved) {
  FraudCase row;
  row.set_id(assessed.payment_id());
  row.set_payment_id(assessed.payment_id());
  row.set_account_id(assessed.account_id());
  *row.mutable_amount() = assessed.amount();
  row.set_score(assessed.score());
  *row.mutable_reasons() = assessed.reasons();
  row.set_opened_at(ctx.now());
  row.set_payer_user_id(reserved.user_id());
  row.set_payee_user_id(reserved.counter_user_id());
  if (ctx.table<FraudCase>().find(row.id()) != nullptr) return;
  const FraudCase& subject = ctx.table<FraudCase>().insert(row);
  FraudCaseOpened opened;
  opened.set_case_id(subject.id());
  opened.set_payment_id(subject.payment_id());
  opened.set_account_id(subject.account_id());
  opened.set_score(subject.score());
  ctx.emit(opened);
}

// The decision goes to the payment as an assessment, the way the first one went.
Result<FraudCase> decide_case(Context& ctx, const DecideFraudCaseRequest& request) {
  TRY(check_case_decision(TRY(ctx.table<FraudCase>().get(request.id())), request.decision()));
  FraudCase& subject = ctx.table<FraudCase>().edit(request.id());
  subject.set_status(request.decision() == APPROVE ? FraudCase::APPROVED : FraudCase::DECLINED);
  subject.set_decided_by(ctx.principal().user_id);
  subject.set_note(request.note());
  subject.set_decided_at(ctx.now());
  emit_decided(ctx, subject);
  const FraudPolicy* policy = ctx.table<FraudPolicy>().find(kPolicy);
  FraudRiskAssessed assessed;
  assessed.set_payment_id(subject.payment_id());
  assessed.set_account_id(subject.account_id());
  *assessed.mutable_amount() = subject.amount();
  assessed.set_score(subject.score());
  assessed.set_decision(request.decision());
  assessed.set_scored_decision(REVIEW);
  *assessed.mutable_reasons() = subject.reasons();
  assessed.set_policy_version(policy != nullptr ? policy->version() : 0);
  assessed.set_decided_by(ctx.principal().actor());
  ctx.emit(assessed);
  return subject;
}

Result<void> close_case_of_failed(Context& ctx, const PaymentFailed& event) {
  close_case(ctx, event.payment_id());
  return {};
}

Result<void> close_case_of_cancelled(Context& ctx, const PaymentCancelled& event) {
  close_case(ctx, event.payment_id());
  return {};
}

Result<void> keep_assessment(Context& ctx, const FraudRiskAssessed& event) {
  FraudAssessment initial;
  initial.set_payment_id(event.payment_id());
  FraudAssessment& kept = ctx.table<FraudAssessment>().edit_or_insert(initial, event.payment_id());
  kept.set_account_id(event.account_id());
  kept.set_score(event.score());
  kept.set_decision(event.scored_decision());
  if (!event.decided_by().empty()) kept.set_decision(event.decision());
  *kept.mutable_reasons() = event.reasons();
  kept.set_shadow(event.decided_by().empty() && event.decision() != event.scored_decision());
  kept.set_policy_version(event.policy_version());
  kept.set_assessed_at(ctx.now());
  *kept.mutable_amount() = event.amount();
  return {};
}

Result<FraudCase> get_case(QueryContext& ctx, const GetFraudCaseRequest& request) {
  return TRY(ctx.table<FraudCase>().get(request.id()));
}

Result<ListFraudCasesResponse> list_cases(QueryContext& ctx, const ListFraudCasesRequest& request) {
  ListQuery query = page_of(request);
  filter(query, "status", request.status());
  filter(query, "id", request.payment_id());
  const List<FraudCase> page = TRY(ctx.table<FraudCase>().list(std::move(query)));
  ListFraudCasesResponse response;
  for (size_t i = 0; i < page.size(); ++i) *response.add_cases() = page[i];
  response.set_next_page_token(page.next_page_token);
  return response;
}

Result<ListFraudAssessmentsResponse> list_assessments(QueryContext& ctx,
                                                      const ListFraudAssessmentsRequest& request) {
  ListQuery query = page_of(request);
  filter(query, "decision", request.decision());
  filter(query, "payment_id", request.payment_id());
  const List<FraudAssessment> page = TRY(ctx.table<FraudAssessment>().list(std::move(query)));
  ListFraudAssessmentsResponse response;
  for (size_t i = 0; i < page.size(); ++i) *response.add_assessments() = page[i];
  response.set_next_page_token(page.next_page_token);
  return response;
}

}  // namespace micropay::fraud
