#include "services/fraud/service.h"

#include "contracts/account.pb.h"
#include "contracts/balance.pb.h"
#include "libs/base/money.h"
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

FraudPerson& person_of(Context& ctx, const std::string& user_id, const std::string& account_id) {
  FraudPerson* present = ctx.table<FraudPerson>().edit_present(user_id);
  if (present != nullptr) return *present;
  FraudPerson person;
  person.set_user_id(user_id);
  const FraudProfile* before = ctx.table<FraudProfile>().find(account_id);
  person.set_created_at(before == nullptr ? ctx.now() : before->created_at());
  return ctx.table<FraudPerson>().insert(person);
}

Result<void> begin_person(Context& ctx, const AccountCreated& event) {
  if (!event.user_id().empty()) person_of(ctx, event.user_id(), event.account_id());
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

Attempt attempt_of(const FraudPerson& person, std::string_view payee, const Money& amount,
                   const FraudPolicy& policy, Time now) {
  return {.payee = payee,
          .amount_minor = convert_minor(amount.minor(), amount.currency(), kReferenceCurrency),
          .now = now,
          .to_self = payee == person.user_id(),
          .known = acquaintance_of(policy)};
}

// Money that stood makes a payee known; what went back does not.
template <typename E, void (*kChange)(FraudPerson&, const Attempt&)>
Result<void> know_payee(Context& ctx, const E& event) {
  const FraudPolicy* policy = ctx.table<FraudPolicy>().find(kPolicy);
  FraudPerson* person = ctx.table<FraudPerson>().edit_present(event.payer_user_id());
  if (policy == nullptr || person == nullptr) return {};
  kChange(*person, attempt_of(*person, event.payee_user_id(), event.amount(), *policy, ctx.now()));
  return {};
}

Result<void> assess_when_reserved(Context& ctx, const AccountBalanceReserved& event, Mode mode) {
  if (event.kind() != "payment") return {};
  FraudRiskAssessed assessed = unscored(event);
  const FraudPolicy* policy = mode == Mode::kOff ? nullptr : ctx.table<FraudPolicy>().find(kPolicy);
  if (policy != nullptr) {
    FraudPerson& person = person_of(ctx, event.user_id(), event.account_id());
    // Without a user (a system account, a balance service that does not say it yet) it is somebody new.
    const std::string& payee =
        event.counter_user_id().empty() ? event.counter_account_id() : event.counter_user_id();
    const Attempt attempt = attempt_of(person, payee, event.amount(), *policy, ctx.now());
    Score result = score(*policy, observe(person, attempt), event.amount());
    assessed.set_score(result.points);
    assessed.set_scored_decision(result.decision);
    if (mode == Mode::kEnforce) assessed.set_decision(result.decision);
    if (assessed.decision() == APPROVE) count_to_new(person, attempt);
    assessed.mutable_reasons()->Swap(&result.reasons);
    assessed.set_policy_version(policy->version());
  }
  ctx.emit(assessed);
  if (assessed.decision() == REVIEW) open_case(ctx, assessed, event);
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
  policy.set_known_times(request.known_times());
  policy.set_known_after_minutes(request.known_after_minutes());
  *policy.mutable_rules() = request.rules();
  policy.set_version(policy.version() + 1);
  policy.set_updated_at(ctx.now());
  FraudRulesChanged changed;
  changed.set_policy_id(policy.id());
  changed.set_version(policy.version());
  *changed.mutable_rules() = policy.rules();
  changed.set_review_at(policy.review_at());
  changed.set_decline_at(policy.decline_at());
  changed.set_known_times(policy.known_times());
  changed.set_known_after_minutes(policy.known_after_minutes());
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
  service.on(begin_person);  // account.created
  service.on(know_payee<PaymentCompleted, remember_payee>);
  service.on(know_payee<PaymentRefunded, take_back>);
  service.on(know_payee<PaymentReversed, take_back>);
  service.on(close_case_of_failed);     // payment.failed
  service.on(close_case_of_cancelled);  // payment.cancelled
  service.project(keep_assessment);     // fraud.risk.assessed
  service.seed(create_policy);
  return service;
}

}  // namespace micropay
