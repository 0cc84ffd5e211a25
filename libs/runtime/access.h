// The rules of the contract about who may call that need no record: roles and scopes. Asked at the edge, and
// again by the process that serves. Whose record it is, the engine asks: in a tick, or in
// Engine::authorize().
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/error.h"
#include "libs/contract/model.h"
#include "libs/runtime/principal.h"

namespace micropay {

// kPermissionDenied forbidden when neither role nor scope nor a possible ownership opens the method.
Result<void> check_access(const contract::Method& method, const Principal& principal);

// The record that a call is about, where only its owner may make it.
struct OwnedRecord {
  const contract::Table* table = nullptr;
  std::string name, key;  // as the request says it, and of the table; no key: it cannot be one

  // None: whose record it is does not matter.
  static std::optional<OwnedRecord> of(const contract::Method& method, const Principal& principal,
                                       const google::protobuf::Message& request);
  // kNotFound also when it is another's.
  Result<void> judge(const google::protobuf::Message* record, const Principal& principal) const;
};

// A record whose users may not be let in by a role or a scope alone (Access.not_party): four eyes see what
// one is a party of.
struct PartyRecord {
  const contract::PartyCheck* check = nullptr;
  const contract::Method* method = nullptr;
  std::string key;  // of the table; empty: it cannot be one

  // Those of a call; none for the system.
  static std::vector<PartyRecord> of(const contract::Method& method, const Principal& principal,
                                     const google::protobuf::Message& request);
  // kPermissionDenied is_party. Who owns the record acts by his own right, where owners may.
  Result<void> judge(const google::protobuf::Message* record, const Principal& principal) const;
};

// For handlers that decide themselves whom a role lets in: is_party when the caller is one of the users.
Result<void> check_not_party(const Principal& principal, std::initializer_list<std::string_view> users);

}  // namespace micropay
