#include "libs/runtime/context.h"

namespace micropay {
namespace {
constexpr uint32_t kStaffBits = 1u << ADMIN | 1u << SUPPORT | 1u << AUDITOR;

void check_own(const contract::Table& table, const contract::Service& service) {
  CHECK(table.service == &service && "a service touches its own tables only");
}
}  // namespace

bool Principal::staff() const { return kind == Kind::kSystem || (role_bits & kStaffBits) != 0; }

std::string Principal::actor() const {
  switch (kind) {
    case Kind::kSystem: return user_id.empty() ? "system" : user_id;
    case Kind::kAnonymous: return "anonymous";
    case Kind::kUser: return user_id;
    case Kind::kApiKey: return "key:" + session_id;  // the trail tells a key from its user
  }
  return {};
}

const Principal& system_principal() {
  static const Principal principal{.kind = Principal::Kind::kSystem, .role_bits = ~0u};
  return principal;
}

namespace detail {

const std::string& scratch_key(const contract::Table& table, std::initializer_list<std::string_view> parts) {
  thread_local std::string key;
  key.clear();
  if (!table.append_key(key, std::span(parts.begin(), parts.size()))) key.clear();  // as below
  return key;
}

std::string encode_key(const contract::Table& table, std::initializer_list<std::string_view> parts) {
  auto key = table.encode_key(parts);
  // No row has a malformed key: looking for one finds nothing.
  return key ? *std::move(key) : std::string();
}

std::unexpected<Error> not_found(const contract::Table& table,
                                 std::initializer_list<std::string_view> parts) {
  std::string key;
  for (const std::string_view part : parts) key += fmt::format("{}{}", key.empty() ? "" : "/", part);
  return fail(Code::kNotFound, "not_found", fmt::format("There is no {} {}.", table.descriptor->name(), key));
}

const contract::Table& table_or_die(const google::protobuf::Descriptor* descriptor) {
  const contract::Table* table = contract::model().table(descriptor);
  CHECK(table != nullptr && "the message has no (table) option");
  return *table;
}

}  // namespace detail

const contract::Table& QueryContext::own(const contract::Table& table) const {
  check_own(table, service_);
  return table;
}

const contract::Table& Context::own(const contract::Table& table) const {
  check_own(table, *input_.service);
  return table;
}

}  // namespace micropay
