#include "libs/runtime/access.h"

#include "libs/contract/json.h"
#include "libs/contract/validate.h"
#include "libs/runtime/tables.h"

namespace micropay {

using google::protobuf::FieldDescriptor;

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

std::vector<PartyRecord> PartyRecord::of(const contract::Method& method, const Principal& principal,
                                         const google::protobuf::Message& request) {
  std::vector<PartyRecord> records;
  if (method.parties.empty() || principal.kind == Principal::Kind::kSystem) return records;
  for (const contract::PartyCheck& check : method.parties)
    records.push_back({.check = &check,
                       .method = &method,
                       .key = detail::encode_key(*check.table, {contract::field_text(request, *check.by)})});
  return records;
}

Result<void> PartyRecord::judge(const google::protobuf::Message* record, const Principal& principal) const {
  if (record == nullptr || principal.user_id.empty()) return {};  // the handler says that there is none
  const contract::OwnerCheck& owner = method->owner;
  if (owner.table == check->table && owner.by == check->by &&
      contract::field_text(*record, *owner.table->owner) == principal.user_id)
    return {};
  const auto& reflection = *record->GetReflection();
  for (const FieldDescriptor* user : check->users) {
    if (!user->is_repeated()) {
      TRY(check_not_party(principal, {contract::field_text(*record, *user)}));
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(*record, user); ++i)
      TRY(check_not_party(principal, {reflection.GetRepeatedString(*record, user, i)}));
  }
  return {};
}

Result<void> check_not_party(const Principal& principal, std::initializer_list<std::string_view> users) {
  const bool person = principal.kind != Principal::Kind::kSystem && !principal.user_id.empty();
  if (!person || std::ranges::count(users, principal.user_id) == 0) return {};
  return fail(Code::kPermissionDenied, "is_party", "It is about yourself: somebody else has to decide it.");
}

}  // namespace micropay
