#include "services/account/effects/provider.h"

#include "services/account/effects/sandbox.h"

namespace micropay::account {
namespace {

// A provider that was taken out of the configuration: certainly nothing happened there.
Outcome<ProviderOutcome> unknown_provider() {
  return {.kind = Outcome<ProviderOutcome>::Kind::kFailed, .response = {}, .error = "no such provider"};
}

}  // namespace

Provider* ProviderRouter::find(const ProviderCall& call) const {
  const auto found = providers_.find(call.provider());
  return found == providers_.end() ? nullptr : found->second.get();
}

Outcome<ProviderOutcome> ProviderRouter::perform(const ProviderCall& call, std::string_view key) {
  Provider* provider = find(call);
  return provider != nullptr ? provider->perform(call, key) : unknown_provider();
}

Outcome<ProviderOutcome> ProviderRouter::poll(const ProviderCall& call, std::string_view key) {
  Provider* provider = find(call);
  return provider != nullptr ? provider->poll(call, key) : unknown_provider();
}

std::shared_ptr<ProviderRouter> make_providers() {
  std::map<std::string, std::unique_ptr<Provider>, std::less<>> providers;
  providers.emplace("sandbox", std::make_unique<SandboxProvider>());
  return std::make_shared<ProviderRouter>(std::move(providers));
}

}  // namespace micropay::account
