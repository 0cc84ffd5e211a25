// The contracts as Markdown for docs/: which events there are and who may call which route. Deterministic, in
// the order of the contracts, so that a test can compare the committed pages.
#include "libs/contract/documents.h"

#include <map>

#include "libs/contract/event_readers.h"
#include "libs/contract/plan.h"
#include "libs/contract/validate.h"

namespace micropay::contract {
namespace {

std::string joined(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string type_text(const FieldPlan& field) {
  std::string text;
  switch (field.kind) {
    case Kind::kText:
      text = field.options->format() == NONE ? "string" : Format_Name(field.options->format());
      break;
    case Kind::kTime: text = "TIME"; break;
    case Kind::kEnum: text = field.field->enum_type()->name(); break;
    case Kind::kMoney:
    case Kind::kMetadata:
    case Kind::kMessage: text = field.field->message_type()->name(); break;
    default: text = field.field->type_name();
  }
  return field.repeated ? "list of " + text : text;
}

std::string field_list(const Message& prototype) {
  std::vector<std::string> fields;
  for (const FieldPlan& field : plan_of(prototype).fields) {
    std::string text = fmt::format("`{}` {}", field.name, type_text(field));
    if (field.options->personal()) text += " (personal)";
    fields.push_back(std::move(text));
  }
  return joined(fields);
}

// Besides the audience, who hears it live.
std::string readers_text(const Event& event, const EventReaders& readers) {
  std::vector<std::string> parts;
  for (const FieldDescriptor* field : event.audience)
    parts.push_back(fmt::format("`{}`", field->json_name()));
  for (int role = Role_MIN; role <= Role_MAX; ++role)
    if (Role_IsValid(role) && (readers.role_bits & role_bit(Role(role))) != 0)
      parts.push_back(Role_Name(Role(role)));
  return joined(parts);
}

std::string access_text(const Access& access) {
  if (access.public_()) return "public";
  std::vector<std::string> parts;
  if (access.signed_in()) parts.push_back("signed in");
  if (access.has_owner())
    parts.push_back(access.owner().by().empty() ? "own records of " + access.owner().record()
                                                : "owner of " + access.owner().record());
  for (const int role : access.roles()) parts.push_back(Role_Name(Role(role)));
  if (!access.scope().empty()) parts.push_back("API key `" + access.scope() + "`");
  return joined(parts);
}

// Which events of a service come to a handler in the order in which they happened: those with the same key.
std::string order_text(const Service& service) {
  std::map<std::string, std::vector<std::string>> by_key;
  for (const Event* event : service.events)
    by_key[event->key->json_name()].push_back("`" + event->type + "`");
  if (by_key.size() < 2) return {};
  std::string out = "\nIn order with each other, for one and the same key:\n\n";
  for (const auto& [key, types] : by_key) out += fmt::format("- `{}`: {}\n", key, joined(types));
  return out;
}

}  // namespace

std::string event_catalogue(const Model& model) {
  std::string out =
      "# Events\n\nMade from the contracts; do not edit. Each event is a CloudEvent on its service's "
      "topic. Heard by says who hears it at /ws: the users in these fields (their API keys, when a scope "
      "of theirs reads all records that it names), and roles.\n\n"
      "**Order.** Events of one service with one key reach a handler in the order in which they happened. "
      "Nothing else does, on a\ncluster: events with different keys, and those of different services, come "
      "in any order, a later one first, also when\none is the cause of the other. A handler of two of them "
      "must come to the same end whichever is first: it adds and does\nnot compare, or it answers "
      "`kUnavailable` until what it needs is there. The simulator's cluster delivers the newest first.\n";
  const EventAccess access(model);
  for (const Service* service : model.services()) {
    if (service->events.empty()) continue;
    out += fmt::format("\n## {}\n\nTopic `{}`. {}\n\n", service->name, service->topic, service->summary);
    out += "| type | key | heard by | meaning | fields |\n|---|---|---|---|---|\n";
    for (const Event* event : service->events)
      out +=
          fmt::format("| `{}` | `{}` | {} | {} | {} |\n", event->type, event->key->json_name(),
                      readers_text(*event, access.of(*event)), event->summary, field_list(*event->prototype));
    out += order_text(*service);
  }
  return out;
}

std::string route_catalogue(const Model& model) {
  std::string out =
      "# Routes\n\nMade from the contracts; do not edit. `/openapi.json` of a running platform says more, "
      "and `/docs` "
      "can call it.\n";
  for (const Service* service : model.services()) {
    std::string rows;
    for (const Method* method : service->methods)
      if (!method->verb.empty())
        rows += fmt::format("| {} | `{}` | {} | {} | {} | {} |\n", method->verb, public_path(*method),
                            access_text(method->options.access()), RateClass_Name(method->options.rate()),
                            method->success, method->options.summary());
    if (rows.empty()) continue;
    out += fmt::format("\n## {}\n\n{}\n\n", service->name, service->summary);
    out += "| verb | path | who | rate class | success | what |\n|---|---|---|---|---|---|\n" + rows;
  }
  return out;
}

}  // namespace micropay::contract
