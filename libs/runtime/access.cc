#include "libs/runtime/access.h"

#include "libs/contract/json.h"
#include "libs/contract/validate.h"
#include "libs/runtime/tables.h"

namespace micropay {

Result<void> check_access(const contract::Method& method, const Principal& principal) {
  const Access& access = method.options.access();
  if (access.public_() || principal.kind == Principal::Kind::kSystem) return {};
  if (principal.kind == Principal::Kind::kApiKey) {
    bool in_scope = !access.scope().empty() && std::ranges::count(principal.scopes, access.scope()) > 0;
    if (in_scope) return {};
    return fail(Code::kPermissionDenied, "forbidden", "The scopes of this API key do not open this method.");
  }
  if (contract::allowed_by_role(method, principal.role_bits)) return {};
  if (method.owner.by != nullptr) return {};
  return fail(Code::kPermissionDenied, "forbidden", "Your roles do not open this method.");
}

std::optional<OwnedRecord> OwnedRecord::of(const contract::Method& method, const Principal& principal,
                                           const google::protobuf::Message& request) {
  if (principal.kind == Principal::Kind::kSystem || contract::allowed_by_role(method, principal.role_bits))
    return {};
  if (method.owner.table == nullptr || method.owner.by == nullptr) return {};
  std::string name = contract::field_text(request, *method.owner.by);
  if (name.empty()) return {};  // validation says what is required
  const contract::Table& table = *method.owner.table;
  std::string key = detail::encode_key(table, {name});
  return OwnedRecord{.table = &table, .name = std::move(name), .key = std::move(key)};
}

Result<void> OwnedRecord::judge(const google::protobuf::Message* record, const Principal& principal) const {
  if (record != nullptr && contract::field_text(*record, *table->owner) == principal.user_id) return {};
  return detail::not_found(*table, {name});
}

}  // namespace micropay
