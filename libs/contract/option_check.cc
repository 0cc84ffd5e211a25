// Options of a method that contradict each other, or that promise what can never come: a failure that nobody
// waits for, an event that is never that of the answer.
#include <algorithm>
#include <set>

#include "libs/contract/model_state.h"

namespace micropay::contract {
namespace {

using Problems = std::vector<std::string>;
using Names = google::protobuf::RepeatedPtrField<std::string>;

// Processes that call as themselves and have no contract.
constexpr std::string_view kOtherCallers[] = {"gateway", "discovery", "config"};

// "TopUp" -> "top_up_id"
std::string id_field(const std::string& record) {
  std::string name;
  for (const char c : record) {
    if (c >= 'A' && c <= 'Z' && !name.empty()) name += '_';
    name += char(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  }
  return name + "_id";
}

void check_failure(const Method& method, Problems& problems) {
  const MethodOptions& options = method.options;
  const std::string& name = options.failure_field();
  if (options.failure_status() != 0 && name.empty())
    problems.emplace_back("has a failure_status, and no failure_field says when");
  if (options.failure_status() != 0 && options.failure_status() != 402 && options.failure_status() != 409)
    problems.push_back(fmt::format("failure_status {} is neither 402 nor 409", options.failure_status()));
  if (name.empty()) return;
  if (options.awaits_size() == 0)
    problems.push_back(
        fmt::format("failure_field \"{}\" is looked at in a final answer, and the method awaits none: a "
                    "refusal that is known at "
                    "once is an error of the handler",
                    name));
  const FieldDescriptor* field = method.response->FindFieldByName(name);
  if (field != nullptr && (field->is_repeated() || field->type() != FieldDescriptor::TYPE_STRING))
    problems.push_back("failure_field \"" + name + "\" is no string: it becomes the code of the failure");
}

// Whether an event can have the id of the answer as its key, which is what a caller waits for: by the field's
// name, that says whose id it is, and by its format.
std::string key_problem(const Method& method, const Event& event, const ModelState& state) {
  const Table& record = *method.resource;
  const FieldDescriptor& id = *record.key.front();
  const std::string& key = event.key->name();
  const std::string own = id_field(record.descriptor->name());
  const auto in_vain = [&](std::string_view why) {
    return fmt::format("awaits {}, whose key is {}: {}, so nobody would ever be answered", event.type, key,
                       why);
  };
  if (key == own || (key == id.name() && key != "id")) return {};
  const bool says_nothing = key == "key" || key == "id";
  for (const Table& other : state.tables)
    if (!says_nothing && &other != &record && key == id_field(other.descriptor->name()))
      return in_vain("the id of a " + other.descriptor->name());
  const bool about_it = event.type.contains(key.substr(0, key.rfind("_id")));  // transaction.reversal_refused
  if (!says_nothing && !about_it && event.descriptor->FindFieldByName(own) != nullptr)
    return in_vain("the id of the answer is " + own);
  if (options_of(id).format() == UUID && options_of(*event.key).format() != UUID && !says_nothing)
    return in_vain("it is no UUID, and the id of the answer is one");
  return {};
}

void check_waiting(const Method& method, const ModelState& state, Problems& problems) {
  const MethodOptions& options = method.options;
  if (options.awaits_size() == 0 && options.pauses_size() > 0)
    problems.emplace_back("pauses, and awaits nothing");
  if (options.awaits_size() == 0) return;
  if (method.query) problems.emplace_back("is a query and awaits events");
  if (method.resource == nullptr || method.resource->key.size() != 1)
    problems.emplace_back("awaits events of its answer, which is no record with one key");
  std::set<std::string_view> seen;
  for (const Names* types : {&options.awaits(), &options.pauses()})
    for (const std::string& type : *types) {
      if (!seen.insert(type).second) problems.push_back("names " + type + " twice in awaits and pauses");
      const auto found = state.event_by_type.find(type);
      if (found == state.event_by_type.end()) {
        problems.push_back("awaits \"" + type + "\", which is no event");
        continue;
      }
      const Event& event = *found->second;
      if (event.service != method.service)
        problems.push_back(fmt::format("awaits {}, which is an event of {}: of another process in a cluster",
                                       type, event.service->name));
      if (event.key == nullptr || method.resource == nullptr || method.resource->key.size() != 1) continue;
      if (std::string wrong = key_problem(method, event, state); !wrong.empty())
        problems.push_back(std::move(wrong));
    }
}

void check_names(const Method& method, const ModelState& state, Problems& problems) {
  const Names& reasons = method.options.reasons();
  for (int i = 0; i < reasons.size(); ++i) {
    const bool word = !reasons[i].empty() && std::ranges::all_of(reasons[i], [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
    if (!word) problems.push_back("reason \"" + reasons[i] + "\" is no lower_case word");
    if (i > 0 && reasons[i] == reasons[i - 1]) problems.push_back("reason " + reasons[i] + " is there twice");
    if (i > 0 && reasons[i] < reasons[i - 1])
      problems.push_back("reasons are in the order of the alphabet: " + reasons[i] + " comes late");
  }
  for (const std::string& caller : method.options.callers())
    if (!state.service_by_name.contains(caller) &&
        std::ranges::find(kOtherCallers, caller) == std::end(kOtherCallers))
      problems.push_back("its caller \"" + caller + "\" is no service");
}

}  // namespace

Problems option_problems(const Method& method, const ModelState& state) {
  Problems problems;
  check_failure(method, problems);
  check_waiting(method, state, problems);
  check_names(method, state, problems);
  return problems;
}

}  // namespace micropay::contract
