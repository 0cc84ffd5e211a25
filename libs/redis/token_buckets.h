// Token buckets that several processes share, in Redis: one script decides about several buckets at once, by
// the algorithm of services/gateway/rate_limits.h (GCRA: a bucket is the time at which it is full again).
// Redis's own clock is the one that counts, so clocks of processes do not matter. A full bucket is no key.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "libs/redis/redis_client.h"

namespace micropay {

struct BucketCharge {
  std::string key;
  int64_t interval_ns = 0;  // between two tokens at a steady pace
  int64_t burst = 0;        // tokens of a full bucket
  int64_t count = 1;        // to be taken
  bool owed = false;        // they were given already: the bucket may go below nothing, by 3 bursts at most
};

struct BucketState {
  bool allowed = false;
  int64_t full_in_ns = 0;  // until the bucket is full again
};

class TokenBuckets {
 public:
  static constexpr size_t kMostInOneCall = 128;  // Redis does nothing else meanwhile
  using Done = std::function<void(Result<std::vector<BucketState>>)>;

  explicit TokenBuckets(RedisClient& client) : client_(client) {}

  // One after the other; the first that refuses ends it, as a caller's bucket is not asked when everybody's
  // is empty: the answer is as long as what was looked at. `now` is Redis's time; a test may give its own.
  void take(std::span<const BucketCharge> charges, Duration deadline, Done done, Time now = 0);

 private:
  RedisClient& client_;
};

}  // namespace micropay
