#include "libs/contract/event_readers.h"

#include <algorithm>
#include <map>
#include <set>

#include "libs/contract/validate.h"

namespace micropay::contract {
namespace {

constexpr int kMaxDepth = 6;

std::string snake_case(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper && !out.empty()) out += '_';
    out += upper ? char(c + 32) : c;
  }
  return out;
}

struct Fields {
  std::set<std::string> names;     // that may name records
  std::set<std::string> personal;  // that are somebody's business
};

void collect(const Descriptor& message, Fields& into, int depth = 0) {
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    if (options_of(field).internal()) continue;  // sent to nobody
    if (options_of(field).personal()) into.personal.insert(field.name());
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) into.names.insert(field.name());
    if (field.message_type() != nullptr && depth < kMaxDepth) collect(*field.message_type(), into, depth + 1);
  }
}

bool named(const Table& table, const Fields& fields) {
  const auto& key = table.key;
  const bool by_id = std::ranges::any_of(key, [](const auto* field) { return field->name() == "id"; });
  if (!by_id) return key.size() == 1 && fields.names.contains(key[0]->name());
  const std::string name = table.sql_name.substr(table.service->name.size() + 1);
  return fields.names.contains(name + "_id") ||
         fields.names.contains(snake_case(table.descriptor->name()) + "_id");
}

bool answers(const Method& method, const Table& table) {
  if (method.response == table.descriptor) return true;
  for (int i = 0; i < method.response->field_count(); ++i)
    if (method.response->field(i)->message_type() == table.descriptor) return true;
  return false;
}

// Of one record: whether a GET shows it, or only the answer of a command does; to whom.
struct Shown {
  bool read = false, made = false;
  uint32_t readers = 0, makers = 0;
  std::vector<std::string> scopes;
};

Shown shown(const Table& table) {
  Shown all;
  for (const Method* method : table.service->methods) {
    const Access& access = method->options.access();
    uint32_t bits = 0;
    for (const int role : access.roles()) bits |= role_bit(Role(role));
    const bool answer = answers(*method, table);
    if (method->verb == "GET" && (answer || method->owner.table == &table)) {
      all.read = true, all.readers |= bits;
      if (!access.scope().empty()) all.scopes.push_back(access.scope());
    } else if (!method->verb.empty() && answer) {
      all.made = true, all.makers |= bits;
    }
  }
  return all;
}

bool shows(const Table& table, const std::string& name) {
  const FieldDescriptor* field = table.descriptor->FindFieldByName(name);
  return field != nullptr && !options_of(*field).internal() && !options_of(*field).secret();
}

EventReaders readers_of(const Event& event) {
  Fields fields;
  collect(*event.descriptor, fields);
  std::vector<std::pair<const Table*, Shown>> about;
  for (const Table* table : event.service->tables)
    if (named(*table, fields)) about.emplace_back(table, shown(*table));
  const bool any_read = std::ranges::any_of(about, [](const auto& each) { return each.second.read; });
  std::erase_if(about, [&](const auto& each) { return any_read ? !each.second.read : !each.second.made; });
  EventReaders readers;
  if (about.empty()) return readers;
  readers.role_bits = ~uint32_t(0);
  for (auto& [table, record] : about) {
    readers.role_bits &= any_read ? record.readers : record.makers;
    readers.about.push_back(table);
    readers.scopes.push_back(std::move(record.scopes));
  }
  for (const std::string& name : fields.personal)
    if (std::ranges::none_of(readers.about, [&](const Table* table) { return shows(*table, name); }))
      readers.role_bits = 0;
  return readers;
}

}  // namespace

bool EventReaders::in_scope(const std::vector<std::string>& held) const {
  return !scopes.empty() && std::ranges::all_of(scopes, [&](const auto& of_record) {
    return std::ranges::any_of(of_record,
                               [&](const std::string& scope) { return std::ranges::count(held, scope) > 0; });
  });
}

EventAccess::EventAccess(const Model& model) {
  for (const Event* event : model.events()) {
    EventReaders readers = readers_of(*event);
    all_roles_ |= readers.role_bits;
    readers_.emplace(event, std::move(readers));
  }
}

bool EventAccess::any_in_scope(const std::vector<std::string>& held) const {
  return std::ranges::any_of(readers_, [&](const auto& each) { return each.second.in_scope(held); });
}

}  // namespace micropay::contract
