// What an authenticator has to know of the user service, for a process that holds the service's data. A
// gateway elsewhere asks by its own ApiKeyLookup and reads the same events from the topic.
//
//   auto authenticator = std::make_shared<TokenAuthenticator>(key_ring(folder), api_keys_in(store), clock);
//   TRY(load_revocations(store, *authenticator));                       // before the first request
//   engine.on_committed([=](const auto& events) { tell_revocations(events, *authenticator); });
#pragma once

#include <memory>
#include <vector>

#include "libs/security/token_authenticator.h"
#include "libs/store/store.h"

namespace micropay {

class ApiKeyGrant;  // contracts/user.proto

ApiKeyFacts facts_of(const ApiKeyGrant& grant);
// The store must outlive the lookup.
ApiKeyLookup api_keys_in(const Store& store);
// After a restart: what was revoked while tokens of then may still live.
Result<void> load_revocations(const Store& store, RevocationSink& into);
// From then on. A few comparisons an event; anything but the user service's events is passed over.
void tell_revocations(const std::vector<std::shared_ptr<const EventRecord>>& events, RevocationSink& into);

}  // namespace micropay
