// Messages of clients on the live stream, and the answer that repeats their patterns.
#include "fuzz/messages.h"
#include "fuzz/target.h"
#include "libs/base/check.h"
#include "services/gateway/live_session.h"

namespace micropay::fuzz {
namespace {

void run(std::string_view bytes) {
  gateway::ClientMessage message = gateway::parse_client_message(bytes);
  CHECK(message.events.size() <= 100);
  if (!message.type.empty()) CHECK(is_json(bytes));
  gateway::LiveSession session;
  session.patterns = std::move(message.events);
  (void)session.wants("payment.completed");
  CHECK(is_json(gateway::subscribed_message(session)));
}

const Register kRegistered("live", run);

}  // namespace
}  // namespace micropay::fuzz
