#include "services/gateway/key_notes.h"

#include "libs/base/ids.h"

namespace micropay::gateway {
namespace {

constexpr Duration kDeadline = 50 * kMillisecond;
constexpr Duration kRemembered = 24 * kHour;

}  // namespace

bool KeyNotes::concerns(const Command& command) {
  return !command.idempotency_key.empty() && !command.principal.user_id.empty() &&
         command.method->options.idempotency() == BY_KEY;
}

// The key itself is not written down: a digest of it and of whose it is does.
void KeyNotes::note(const Command& command, std::function<void(bool)> done) {
  if (!client_.available()) return done(true);
  const std::string key = "micropay:key:" + derived_uuid(fmt::format("{}\n{}", command.principal.user_id,
                                                                     command.idempotency_key));
  client_.send(
      {"SET", key, command.method->full_name, "NX", "GET", "EX", fmt::format("{}", kRemembered / kSecond)},
      kDeadline,
      [name = command.method->full_name, done = std::move(done)](const Result<RedisReply>& before) {
        done(!before || before->kind != RedisReply::Kind::kText || before->text == name);
      });
}

}  // namespace micropay::gateway
