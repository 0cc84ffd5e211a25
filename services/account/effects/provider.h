// Payment providers: cards and banks outside. Each speaks ProviderCall and ProviderOutcome of the contract:
// authorise, capture, refund, payout, confirm, void are operations of perform(); a status question is poll().
// Both run on worker threads with the effect's id as the idempotency key, so a provider must do one key once.
//
// A webhook of a provider is a command of this service: its preparation verifies the signature, its handler
// hands the outcome to the same function that takes the outcome of perform().
#pragma once

#include <map>
#include <memory>
#include <string>

#include "contracts/account.pb.h"
#include "libs/runtime/service.h"

namespace micropay::account {

using Provider = Effect<ProviderCall, ProviderOutcome>;

// One effect for the runtime, which hands each call to the provider it names.
class ProviderRouter final : public Provider {
 public:
  explicit ProviderRouter(std::map<std::string, std::unique_ptr<Provider>, std::less<>> providers)
      : providers_(std::move(providers)) {}
  bool knows(std::string_view name) const { return providers_.contains(name); }
  Outcome<ProviderOutcome> perform(const ProviderCall& call, std::string_view key) override;
  Outcome<ProviderOutcome> poll(const ProviderCall& call, std::string_view key) override;

 private:
  Provider* find(const ProviderCall& call) const;
  std::map<std::string, std::unique_ptr<Provider>, std::less<>> providers_;
};

// The providers of this process; today the sandbox alone.
std::shared_ptr<ProviderRouter> make_providers();

}  // namespace micropay::account
