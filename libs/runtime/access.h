// The rules of the contract about who may call that need no record: roles and scopes. Asked at the edge, and
// again by the process that serves. Whose record it is, the engine asks: in a tick, or in
// Engine::authorize().
#pragma once

#include <optional>
#include <string>

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

}  // namespace micropay
