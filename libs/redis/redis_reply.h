// What goes to Redis and what comes back, as plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/error.h"

namespace micropay {

using RedisCommand = std::vector<std::string>;  // {"SET", "key", "value", "PX", "1000"}

struct RedisReply {
  enum class Kind : uint8_t { kNil, kText, kInteger, kList };
  Kind kind = Kind::kNil;
  std::string text;
  int64_t integer = 0;
  std::vector<RedisReply> list;

  bool nil() const { return kind == Kind::kNil; }
};

// A script is sent by its digest; when the server does not know it, its text goes once.
struct RedisScript {
  explicit RedisScript(std::string_view source);
  std::string text;
  std::string sha1;  // hex
};

// Reasons: redis_away (no connection, or it does not answer: told at once), redis_overloaded (too much is
// queued), redis_late (no answer within the deadline; whether it was done is unknown), redis_refused (an
// error reply, in detail).
std::unexpected<Error> redis_away();

}  // namespace micropay
