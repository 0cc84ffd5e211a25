// Events as the log keeps them: any envelope becomes an event or none, and one event on the live stream is
// JSON.
#include "contracts/runtime.pb.h"
#include "fuzz/messages.h"
#include "fuzz/target.h"
#include "libs/base/check.h"
#include "libs/store/log_record.h"
#include "services/gateway/event_json.h"

namespace micropay::fuzz {
namespace {

void check(Envelope envelope) {
  const auto event = to_event(std::move(envelope), contract::model());
  if (!event) return;
  std::string text;
  gateway::append_event_json(text, *event);
  CHECK(is_json(text));
  gateway::for_each_audience(*event, [](const std::string& user) { CHECK(user.size() < 1 << 20); });
}

// A type a line, then its message; or a whole envelope.
void run(std::string_view bytes) {
  StoredEnvelope stored;
  if (stored.ParseFromArray(bytes.data(), int(bytes.size()))) check(Envelope::of(stored));
  const std::string_view line = take_line(bytes);
  const contract::Event& type =
      *choose(contract::model().events(), line, [](const auto& each) { return each.type; });
  Envelope made;
  made.set_type(type.type);
  made.set_data(std::string(bytes));
  check(std::move(made));
}

const Register kRegistered("event", run);

}  // namespace
}  // namespace micropay::fuzz
