// Messages as JSON: whatever a message holds (it comes from the log), what is written is JSON, and when our
// own reader takes it, it means the same.
#include "fuzz/messages.h"
#include "fuzz/target.h"
#include "libs/base/check.h"
#include "libs/contract/json.h"

namespace micropay::fuzz {
namespace {

void run(std::string_view bytes) {
  const std::string_view line = take_line(bytes);
  const contract::Message& prototype = *choose(messages(), line, name_of);
  const std::unique_ptr<contract::Message> message(prototype.New());
  if (!message->ParseFromArray(bytes.data(), int(bytes.size()))) return;
  CHECK(is_json(contract::to_json(*message)));
  CHECK(is_json(contract::to_json(*message, {.mask_personal = true})));
  const std::string text = contract::to_json(*message, {.hide_internal = false});
  CHECK(is_json(text));
  const std::unique_ptr<contract::Message> again(prototype.New());
  if (contract::parse_json(text, *again)) CHECK(contract::to_json(*again, {.hide_internal = false}) == text);
}

const Register kRegistered("json_write", run);

}  // namespace
}  // namespace micropay::fuzz
