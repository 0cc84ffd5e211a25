#include "services/user/authentication.h"

#include "contracts/user.pb.h"
#include "services/user/rules.h"

namespace micropay {
namespace {

template <typename T>
const contract::Table& table_of() {
  static const contract::Table& table = *contract::model().table_of<T>();
  return table;
}

template <typename T>
std::shared_ptr<const T> get(const Store& store, const std::string& id) {
  const std::optional<std::string> key = table_of<T>().encode_key({id});
  return key ? std::static_pointer_cast<const T>(store.get(table_of<T>(), *key)) : nullptr;
}

template <typename E>
const E* as(const EventRecord& event) {
  return event.message->GetDescriptor() == E::descriptor() ? static_cast<const E*>(event.message.get())
                                                           : nullptr;
}

}  // namespace

ApiKeyFacts facts_of(const ApiKeyGrant& grant) {
  return {grant.user_id(), {grant.scopes().begin(), grant.scopes().end()}, grant.secret_hash()};
}

ApiKeyLookup api_keys_in(const Store& store) {
  return [&store](const std::string& id) -> std::optional<ApiKeyFacts> {
    const auto key = get<ApiKey>(store, id);
    const auto user = key ? get<User>(store, key->user_id()) : nullptr;
    const auto grant = user ? user_rules::grant_of(*key, *user) : std::nullopt;
    return grant ? std::optional(facts_of(*grant)) : std::nullopt;
  };
}

Result<void> load_revocations(const Store& store, RevocationSink& into) {
  TRY(store.catch_up());
  return store.scan(table_of<Revocation>(), [&](const Row& row) {
    const auto& revocation = static_cast<const Revocation&>(*row);
    if (revocation.issued_until() == 0) into.revoke_session(revocation.id());
    else into.revoke_user_before(revocation.id(), revocation.issued_until());
    return true;
  });
}

void tell_revocations(const std::vector<std::shared_ptr<const EventRecord>>& events, RevocationSink& into) {
  static const contract::Service* user_service = contract::model().service("user");
  for (const auto& event : events) {
    if (event->type == nullptr || event->type->service != user_service) continue;  // none: of a newer version
    if (const auto* ended = as<UserSessionRevoked>(*event)) into.revoke_session(ended->session_id());
    else if (const auto* left = as<UserSignedOut>(*event)) into.revoke_session(left->session_id());
    else if (const auto* key = as<UserApiKeyRevoked>(*event)) into.revoke_api_key(key->api_key_id());
    else if (const auto* changed = as<UserRoleChanged>(*event))
      into.revoke_user_before(changed->user_id(), event->envelope.time());
    else if (const auto* suspended = as<UserSuspended>(*event))
      into.revoke_user_before(suspended->user_id(), event->envelope.time());
  }
}

}  // namespace micropay
