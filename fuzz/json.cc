// JSON bodies: the first line names a message, the rest is parsed into it. What was read is written as text
// that reads back as the same message, and one field by its text (path, query string) is the same as in a
// body.
#include "libs/contract/json.h"

#include "fuzz/messages.h"
#include "fuzz/target.h"
#include "libs/base/check.h"
#include "libs/contract/validate.h"

namespace micropay::fuzz {
namespace {

using contract::FieldDescriptor;
using contract::Message;

// A body and a query string mean the same by the same text.
void check_single_fields(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->is_repeated() || field->message_type() != nullptr) continue;
    if (contract::options_of(*field).format() == TIME) continue;  // its text is no number
    const std::unique_ptr<Message> alone(message.New());
    auto set = contract::set_from_text(*alone, field->json_name(), contract::field_text(message, *field));
    CHECK(set.has_value());
    CHECK(contract::field_text(*alone, *field) == contract::field_text(message, *field));
  }
}

void run(std::string_view bytes) {
  const std::string_view line = take_line(bytes);
  const Message& prototype = *choose(messages(), line, name_of);
  const std::unique_ptr<Message> read(prototype.New());
  if (!contract::parse_json(bytes, *read)) return;
  const std::string text = contract::to_json(*read, {.hide_internal = false});
  const std::unique_ptr<Message> again(prototype.New());
  if (auto parsed = contract::parse_json(text, *again)) {
    CHECK(bytes_of(*again) == bytes_of(*read));
    CHECK(contract::to_json(*again, {.hide_internal = false}) == text);
  } else {
    CHECK(parsed.error().reason == "read_only_field");  // the answer's fields that no request may set
  }
  check_single_fields(*read);
  if (!contract::validate(*read)) return;
  const std::string valid = bytes_of(*read);
  CHECK(contract::validate(*read).has_value());
  CHECK(bytes_of(*read) == valid);  // it normalises once
}

const Register kRegistered("json", run);

}  // namespace
}  // namespace micropay::fuzz
