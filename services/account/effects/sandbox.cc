#include "services/account/effects/sandbox.h"

namespace micropay::account {
namespace {

using Answer = Outcome<ProviderOutcome>;
constexpr std::string_view kChallengeCode = "123456";
constexpr int kUnknownPolls = 2;

Answer done(const ProviderCall& call, ProviderOutcome::Status status, std::string_view decline_reason = {}) {
  Answer answer;
  answer.response.set_status(status);
  answer.response.set_provider_reference("sandbox_" + call.reference_id());
  answer.response.set_decline_reason(std::string(decline_reason));
  return answer;
}

Answer challenge(const ProviderCall& call) {
  Answer answer = done(call, ProviderOutcome::ACTION_REQUIRED);
  answer.response.set_next_action_url("https://sandbox.example/challenges/" + call.reference_id());
  return answer;
}

Answer unknown() { return {.kind = Answer::Kind::kUnknown, .response = {}, .error = "no answer in time"}; }

bool pays_in(const ProviderCall& call) {
  return call.operation() == ProviderCall::AUTHORISE_AND_CAPTURE ||
         call.operation() == ProviderCall::AUTHORISE;
}

}  // namespace

Answer SandboxProvider::perform(const ProviderCall& call, std::string_view) {
  if (call.operation() == ProviderCall::CONFIRM)
    return call.challenge_code() == kChallengeCode
               ? done(call, ProviderOutcome::SUCCEEDED)
               : done(call, ProviderOutcome::DECLINED, "challenge_failed");
  if (!pays_in(call)) return done(call, ProviderOutcome::SUCCEEDED);
  const std::string& method = call.payment_method();
  if (method == "card_ok" || method == "bank_ok") return done(call, ProviderOutcome::SUCCEEDED);
  if (method == "card_declined") return done(call, ProviderOutcome::DECLINED, "do_not_honour");
  if (method == "card_challenge") return challenge(call);
  if (method == "card_timeout") return unknown();
  return done(call, ProviderOutcome::DECLINED, "unsupported_payment_method");
}

Answer SandboxProvider::poll(const ProviderCall& call, std::string_view key) {
  if (!pays_in(call) || call.payment_method() != "card_timeout") return perform(call, key);
  const std::scoped_lock lock(mutex_);
  int& polls = polls_[std::string(key)];
  if (++polls <= kUnknownPolls) return unknown();
  polls_.erase(polls_.find(key));
  return done(call, ProviderOutcome::SUCCEEDED);
}

}  // namespace micropay::account
