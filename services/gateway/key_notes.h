// Which method an Idempotency-Key was given with, in Redis, for a day: each service remembers the keys of its
// own commands (one key, one effect), and none sees that a user has sent the same key to another. A key of
// nobody (a registration) is of its request alone. It is for the caller's own mistakes: while Redis is away
// or slow they are not noticed, and no money depends on it.
#pragma once

#include <functional>

#include "libs/redis/redis_client.h"
#include "libs/runtime/engine.h"

namespace micropay::gateway {

class KeyNotes {
 public:
  explicit KeyNotes(RedisClient& client) : client_(client) {}

  static bool concerns(const Command& command);
  // Calls `done` once, on any thread: false when the user's key was given with another method.
  void note(const Command& command, std::function<void(bool same)> done);

 private:
  RedisClient& client_;
};

}  // namespace micropay::gateway
