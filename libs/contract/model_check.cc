// Finds contracts that contradict themselves: each problem names the file, the message or method, and what is
// wrong. A model with problems is never served.
#include <re2/re2.h>

#include <set>

#include "libs/contract/columns.h"
#include "libs/contract/model_state.h"

namespace micropay::contract {
namespace {

bool is_text(const FieldDescriptor& field) { return field.type() == FieldDescriptor::TYPE_STRING; }
bool is_integer(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64: return true;
    default: return false;
  }
}
bool is_number(const FieldDescriptor& field) {
  return is_integer(field) || field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE ||
         field.cpp_type() == FieldDescriptor::CPPTYPE_FLOAT;
}

class Checker {
 public:
  explicit Checker(ModelState& state) : state_(state) {}

  void all() {
    std::set<const Descriptor*> seen;
    for (const auto& [name, descriptor] : state_.messages)
      if (seen.insert(descriptor).second) message(*descriptor);
    std::sort(state_.problems.begin(), state_.problems.end());  // the map above has no order
    for (const Table& checked : state_.tables) table(checked);
    for (const Event& checked : state_.events) event(checked);
    for (const Method& checked : state_.methods) method(checked);
  }

 private:
  void problem(const Descriptor& descriptor, std::string_view text) {
    state_.problem(*descriptor.file(), descriptor.name(), text);
  }
  void problem(const Method& method, std::string_view text) {
    state_.problem(*method.request->file(), method.name, text);
  }

  void message(const Descriptor& descriptor) {
    if (!descriptor.full_name().starts_with("micropay.") || descriptor.full_name() == "micropay.Metadata")
      return;
    if (descriptor.field_count() > 256) problem(descriptor, "more than 256 fields");
    for (int i = 0; i < descriptor.field_count(); ++i) {
      const FieldDescriptor& field = *descriptor.field(i);
      const std::string wrong = field_problem(field, options_of(field));
      if (!wrong.empty()) state_.problem(*descriptor.file(), descriptor.name() + "." + field.name(), wrong);
    }
  }

  static std::string field_problem(const FieldDescriptor& field, const FieldOptions& options) {
    if (field.is_map()) return "maps are written as micropay.Metadata";
    if (options.positive() && !is_money(field)) return "positive is for Money";
    if (options.format() == TIME && field.type() != FieldDescriptor::TYPE_INT64) return "a TIME is an int64";
    if (options.format() != NONE && options.format() != TIME && !is_text(field))
      return "this format is for strings";
    if (!options.pattern().empty()) {
      if (!is_text(field)) return "a pattern is for strings";
      const re2::RE2 pattern(options.pattern(), re2::RE2::Quiet);
      if (!pattern.ok()) return "the pattern is none: " + pattern.error();
    }
    if ((options.min() != 0 || options.max() != 0) && (!is_number(field) || options.min() > options.max()))
      return "min and max are for numbers, min at most max";
    const bool counted =
        field.is_repeated() || is_metadata(field) || field.cpp_type() == FieldDescriptor::CPPTYPE_STRING;
    if ((options.min_length() != 0 || options.max_length() != 0) && !counted)
      return "min_length and max_length are for strings, bytes and lists";
    if (options.max_length() != 0 && options.min_length() > options.max_length())
      return "min_length over max_length";
    if (options.max_bytes() != 0 && !is_text(field) && !is_metadata(field))
      return "max_bytes is for strings and Metadata";
    const bool hides_zero = !field.has_presence() && !field.is_repeated();
    if (options.required() && hides_zero && field.cpp_type() == FieldDescriptor::CPPTYPE_BOOL)
      return "a bool that is required needs the word optional, or its absence cannot be told";
    if (options.required() && hides_zero && is_number(field) && options.min() <= 0 && options.max() >= 0)
      return "a number that is required and may be 0 needs the word optional, or its absence cannot be told";
    if (options.audience() && !is_text(field)) return "audience names a user id: a string";
    return {};
  }

  void table(const Table& table) {
    const Descriptor& descriptor = *table.descriptor;
    if (table.key.empty()) problem(descriptor, "the table has no key");
    for (const FieldDescriptor* key : table.key)
      if (key->is_repeated() || !(is_text(*key) || is_integer(*key)))
        problem(descriptor, "key " + key->name() + " is neither a string nor an integer");
    if (table.owner != nullptr && (table.owner->is_repeated() || !is_text(*table.owner)))
      problem(descriptor, "the owner is a user id: a string");
    if (table.scattered && (table.projection || !table.indexes.empty()))
      problem(descriptor, "a scattered table is read by key alone, and is no projection");
    if (table.arrival != nullptr && std::ranges::find(table.key, table.arrival) == table.key.end())
      problem(descriptor, "arrival names no field of the key");
    std::set<std::string> names;
    for (const Index& index : table.indexes) {
      if (!names.insert(index.name).second) problem(descriptor, "an index is there twice: " + index.name);
      for (const FieldDescriptor* field : index.fields)
        if (field->is_repeated() ||
            (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !is_money(*field)))
          problem(descriptor, "index field " + field->name() + " is no column");
    }
    for (const Column& column : table.columns->columns())
      if (!names.insert(column.name).second) problem(descriptor, "two columns are named " + column.name);
  }

  void event(const Event& event) {
    const Descriptor& descriptor = *event.descriptor;
    if (event.key != nullptr && (event.key->is_repeated() || !is_text(*event.key)))
      problem(descriptor, "the event key is a string field");
    for (int i = 0; i < descriptor.field_count(); ++i)
      if (options_of(*descriptor.field(i)).secret())
        problem(descriptor, descriptor.field(i)->name() + " is secret: events carry no secrets");
  }

  void method(const Method& method) {
    if (!method.verb.empty()) route(method);
    const MethodOptions& options = method.options;
    const Access& access = options.access();
    const bool reachable = access.public_() || access.signed_in() || access.roles_size() > 0 ||
                           access.has_owner() || !access.scope().empty();
    if (!method.verb.empty() && !reachable) problem(method, "has a route, but nobody may call it");
    if (access.public_() && (access.signed_in() || access.roles_size() > 0 || access.has_owner()))
      problem(method, "is public and restricted at once");
    if (!method.verb.empty() && method.options.callers_size() > 0)
      problem(method, "has a route and callers: one or the other");
    if (method.owner.table != nullptr) owner(method);
    for (const PartyCheck& party : method.parties) this->party(method, party);
    for (const std::string& text : option_problems(method, state_)) problem(method, text);
    if (options.on_engine() && !method.query) problem(method, "on_engine is for queries");
    for (const std::string& name : {options.failure_field(), options.media_field()})
      if (!name.empty() && method.response->FindFieldByName(name) == nullptr)
        problem(method, "its answer has no field \"" + name + "\"");
    const std::string& failure = options.failure_field();
    if (!failure.empty() && method.response->FindFieldByName("failure_detail") == nullptr &&
        method.response->FindFieldByName(failure + "_detail") == nullptr)
      problem(method, "its failures say no sentence: failure_detail, or " + failure + "_detail, is missing");
    if (!options.media_field().empty() && method.response->FindFieldByName("content_type") == nullptr)
      problem(method, "its answer has content, but no content_type");
    if (options.refusals() != STANDARD && method.verb.empty())
      problem(method, "refusals are counted by the gateway: it needs a route");
    if (method.success < 200 || method.success > 299) problem(method, "success is no success status");
  }

  void owner(const Method& method) {
    const Table& table = *method.owner.table;
    if (table.service != method.service) problem(method, "the owner's record belongs to another service");
    if (table.owner == nullptr) problem(method, table.descriptor->name() + " does not say who owns it");
    if (method.owner.by == nullptr) return;
    if (table.key.size() != 1) problem(method, table.descriptor->name() + " has a key of several fields");
    if (method.owner.by->is_repeated() || !(is_text(*method.owner.by) || is_integer(*method.owner.by)))
      problem(method, "the owner field is no key");
  }

  void party(const Method& method, const PartyCheck& party) {
    const Access& access = method.options.access();
    if (access.roles_size() == 0 && access.scope().empty())
      problem(method, "not_party is for those whom a role or a scope lets in");
    if (party.table->service != method.service)
      problem(method, "not_party names a record of another service");
    if (party.table->key.size() != 1)
      problem(method, party.table->descriptor->name() + " has a key of several fields");
    if (party.by->is_repeated() || !(is_text(*party.by) || is_integer(*party.by)))
      problem(method, "the field of not_party is no key");
    if (party.users.empty()) problem(method, "not_party names no user");
    for (const FieldDescriptor* user : party.users)
      if (!is_text(*user)) problem(method, "not_party user " + user->name() + " is no user id: a string");
  }

  void route(const Method& method) {
    std::string shape = method.verb + " ";
    size_t braces = 0;
    for (const char c : method.path) {
      if (c == '}') --braces;
      if (braces == 0) shape.push_back(c);
      if (c == '{') ++braces, shape.push_back('}');
    }
    if (!method.path.starts_with('/') || braces != 0) problem(method, "\"" + method.path + "\" is no path");
    const auto [at, fresh] = routes_.emplace(shape, &method);
    if (!fresh)
      problem(method,
              fmt::format("{} {} is the route of {}, too", method.verb, method.path, at->second->name));
    for (const FieldDescriptor* variable : method.variables)
      if (variable->is_repeated() || !(is_text(*variable) || is_integer(*variable)))
        problem(method, "path variable " + variable->name() + " is neither a string nor an integer");
    if (method.verb != "GET") return;
    for (int i = 0; i < method.request->field_count(); ++i)
      if (method.request->field(i)->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
          (!is_metadata(*method.request->field(i)) || method.request->field(i)->is_repeated()))
        problem(method, method.request->field(i)->name() + " does not fit a query string");
  }

  ModelState& state_;
  std::map<std::string, const Method*> routes_;
};

}  // namespace

void check_contracts(ModelState& state) { Checker(state).all(); }

}  // namespace micropay::contract
