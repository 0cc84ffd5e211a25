#include "services/fraud/service.h"

#include "contracts/account.pb.h"
#include "contracts/balance.pb.h"
#include "services/fraud/handlers.h"
#include "services/fraud/rules.h"

namespace micropay {
namespace fraud {
namespace {

using Mode = FraudSettings::Mode;

Result<void> create_policy(Context& ctx) {
  FraudPolicy policy = default_policy();
  policy.set_updated_at(ctx.now());
  ctx.table<FraudPolicy>().insert(policy);
  return {};
}

Result<void> begin_profile(Context& ctx, const AccountCreated& event) {
  if (ctx.table<FraudProfile>().find(event.account_id()) != nullptr) return {};
  FraudProfile profile;
  profile.set_account_id(event.account_id());
  profile.set_created_at(ctx.now());
  ctx.table<FraudProfile>().insert(profile);
  return {};
}

FraudRiskAssessed unscored(const AccountBalanceReserved& event) {
  FraudRiskAssessed assessed;
  assessed.set_payment_id(event.reservation_id());
  assessed.set_account_id(event.account_id());
  *assessed.mutable_amount() = event.amount();
  assessed.set_decision(APPROVE);
  assessed.set_scored_decision(APPROVE);
  return assessed;
}

Result<void> assess_when_reserved(Context& ctx, const AccountBalanceReserved& event, Mode mode) {
  if (event.kind() != "payment") return {};
  FraudRiskAssessed assessed = unscored(event);
  const FraudPolicy* policy = mode == Mode::kOff ? nullptr : ctx.table<FraudPolicy>().find(kPolicy);
  if (policy != nullptr) {
    FraudProfile initial;
    initial.set_account_id(event.account_id());
    initial.set_created_at(ctx.now());
    FraudProfile& profile = ctx.table<FraudProfile>().edit_or_insert(initial, event.account_id());
    const Features features = observe(profile, {.payee_account_id = event.counter_account_id(),
                                                .amount_minor = event.amount().minor(),
                                                .now = ctx.now()});
    Score result = score(*policy, features, event.amount().currency());
    assessed.set_score(result.points);
    assessed.set_scored_decision(result.decision);
    if (mode == Mode::kEnforce) assessed.set_decision(result.decision);
    assessed.mutable_reasons()->Swap(&result.reasons);
    assessed.set_policy_version(policy->version());
  }
  ctx.emit(assessed);
  if (assessed.decision() == REVIEW) open_case(ctx, assessed);
  return {};
}

Result<FraudPolicy> get_rules(QueryContext& ctx, const GetFraudRulesRequest&) {
  return TRY(ctx.table<FraudPolicy>().get(kPolicy));
}

Result<FraudPolicy> set_rules(Context& ctx, const SetFraudRulesRequest& request) {
  TRY(check_policy(request));
  TRY(ctx.table<FraudPolicy>().get(kPolicy));
  FraudPolicy& policy = ctx.table<FraudPolicy>().edit(kPolicy);
  policy.set_review_at(request.review_at());
  policy.set_decline_at(request.decline_at());
  *policy.mutable_rules() = request.rules();
  policy.set_version(policy.version() + 1);
  policy.set_updated_at(ctx.now());
  FraudRulesChanged changed;
  changed.set_policy_id(policy.id());
  changed.set_version(policy.version());
  *changed.mutable_rules() = policy.rules();
  changed.set_review_at(policy.review_at());
  changed.set_decline_at(policy.decline_at());
  ctx.emit(changed);
  return policy;
}

Mode mode_of(const std::string& text) {
  return text == "off" ? Mode::kOff : text == "shadow" ? Mode::kShadow : Mode::kEnforce;
}

}  // namespace
}  // namespace fraud

FraudSettings::FraudSettings(Settings& settings)
    : mode(fraud::mode_of(settings.choice("fraud.mode", "enforce", {"enforce", "shadow", "off"},
                                          "enforce; shadow scores, but never holds or declines; off"))) {
  settings.live("fraud.mode", [mode = mode](const std::string& text) {
    mode.set(fraud::mode_of(text));
    return true;
  });
}

Service fraud_service(const Parts& parts) {
  using namespace fraud;
  const FraudSettings settings(parts.settings);
  Service service{"fraud"};
  service.command(decide_case);
  service.command(set_rules);
  service.query(get_rules);
  service.query(get_case);
  service.query(list_cases);
  service.query(list_assessments);
  service.on([mode = settings.mode](Context& ctx, const AccountBalanceReserved& event) {
    return assess_when_reserved(ctx, event, mode.get());
  });
  service.on(begin_profile);            // account.created
  service.on(close_case_of_failed);     // payment.failed
  service.on(close_case_of_cancelled);  // payment.cancelled
  service.project(keep_assessment);     // fraud.risk.assessed
  service.seed(create_policy);
  return service;
}

}  // namespace micropay
