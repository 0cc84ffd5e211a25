// Answers of a service that many processes ask for, kept in Redis for a while: key to bytes, with tags by
// which they are dropped.
//
// An answer that was read before a drop is never shown after it, however late it is filled in: a drop gives
// its tags the next number of a counter, an answer carries the number that stood when its reading began, and
// it is shown only while that is no less than those of its tags. A counter that Redis forgot begins with the
// present time, so it never counts backwards.
//
// What it does not do: whoever changes something and tells of it by an event is answered before the drop has
// arrived, and may be shown what was before his own change. So this is for facts that may be a moment old
// (whom an API key acts for), not for the records that callers read back.
//
// Redis has to keep what it is given (maxmemory-policy noeviction or volatile-ttl): a drop that it forgets is
// a drop that did not happen, for as long as the answer lives.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libs/redis/redis_client.h"

namespace micropay {

class CachedReads {
 public:
  struct Fresh {
    std::string bytes;
    std::vector<std::string> tags;  // "user:<id>", without blanks
  };
  struct Options {
    std::string name;  // of the answers, in keys and metrics: "api_key"
    Duration ttl = kMinute;
    Duration deadline = 50 * kMillisecond;
    Duration longest_read = 30 * kSecond;  // of what took longer nothing is kept
    size_t max_bytes = 64 << 10;           // larger answers are not kept
  };
  CachedReads(RedisClient& client, Options options);

  // From Redis, else read and kept; nothing that was not there is kept. When Redis is away, it is read. Waits
  // for Redis, for the deadline at the longest: not on the client's thread.
  std::optional<std::string> get(const std::string& key, const std::function<std::optional<Fresh>()>& read);
  // From now on, answers with the tag are read anew. Does not wait; lost when Redis is away.
  void drop(const std::string& tag);

 private:
  RedisClient& client_;
  const Options options_;
  struct Numbers;
  std::shared_ptr<Numbers> numbers_;
};

}  // namespace micropay
