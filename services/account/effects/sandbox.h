// A payment provider that moves no money and behaves as its payment methods say, for demos and tests:
//   card_ok, bank_ok   succeed
//   card_declined      is declined
//   card_timeout       the call gets no answer; asked for its status, it does not know twice, then it
//   succeeded card_challenge     wants a second step; code 123456 confirms it, any other is declined
//   (challenge_failed)
// Any other method is declined (unsupported_payment_method). Everything follows from the call itself, so a
// repeated key gets the same answer, also after a restart; only the number of status questions is remembered.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "services/account/effects/provider.h"

namespace micropay::account {

class SandboxProvider final : public Provider {
 public:
  Outcome<ProviderOutcome> perform(const ProviderCall& call, std::string_view key) override;
  Outcome<ProviderOutcome> poll(const ProviderCall& call, std::string_view key) override;

 private:
  std::mutex mutex_;
  std::map<std::string, int, std::less<>> polls_;  // by key, of calls that are still unknown
};

}  // namespace micropay::account
