// Token buckets per caller and rate class, and one for everybody together. A bucket is a single number, the
// time at which it is full again (GCRA), so a full bucket needs no memory at all and is forgotten. Any
// thread.
//
// Decisions are made here, in memory, and wait for nobody. Where several gateways share the limits
// (shared_rates.h), what was taken is collected and told to the others, and what they took is settled here.
#pragma once

#include <array>
#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "contracts/options.pb.h"
#include "libs/base/live.h"
#include "libs/base/time.h"

namespace micropay {
class Settings;
}

namespace micropay::gateway {

// "20/s burst 40", "30/m burst 10", "1000/h" (burst as large as the count).
struct Rate {
  int64_t interval_ns = 0;  // between two requests at a steady pace
  int64_t burst = 0;
};
std::optional<Rate> parse_rate(std::string_view text);

// A rate in force, which a setting may change at any time. A decision that meets the change may see half of
// it.
struct LiveRate {
  Live<int64_t> interval_ns, burst;
  Rate get() const { return {interval_ns.get(), burst.get()}; }
  void set(const Rate& rate) const { interval_ns.set(rate.interval_ns), burst.set(rate.burst); }
  LiveRate() = default;
  LiveRate(const Rate& rate) { set(rate); }
};

struct RateLimitSettings {
  Live<bool> on{true};
  LiveRate standard, auth, payment, read, lookup, global;
  std::vector<std::string> problems = {};  // settings that are no rates
  static RateLimitSettings read_settings(Settings& settings);
};

struct RateDecision {
  bool allowed = true;
  int64_t limit = 0;
  int64_t remaining = 0;
  int64_t reset_s = 0;        // until the bucket is full
  int64_t retry_after_s = 0;  // when refused
};

// Of one bucket: what was taken here and nobody else knows of yet.
struct RateTaken {
  uint64_t key = 0;  // 0: everybody's
  Rate rate;
  int64_t count = 0;
};

class RateLimits {
 public:
  explicit RateLimits(const RateLimitSettings& settings);

  bool on() const { return settings_.on.get(); }
  // Takes one of the caller's bucket. `caller` is a user id, or an address when nobody is signed in.
  RateDecision take(RateClass rate_class, std::string_view caller, Time now);
  // As take() would decide; takes nothing.
  RateDecision look(RateClass rate_class, std::string_view caller, Time now);
  // Takes one of everybody's bucket.
  RateDecision take_global(Time now);
  size_t buckets() const;

  // What was taken since the last call; what has flowed back into the bucket meanwhile is not counted.
  std::vector<RateTaken> collect(Time now);
  // The bucket is not full before `full_at`, whatever is known here: others took from it. What was taken
  // here since it was collected comes on top.
  void settle(uint64_t key, Time full_at);

 private:
  struct Bucket {
    int64_t full_at_ns = 0;
    uint32_t uncollected = 0;
    RateClass rate_class = RateClass();
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<uint64_t, Bucket> buckets;
    std::vector<uint64_t> taken_from;  // buckets with something uncollected
    size_t prune_at = 1'000;
  };
  Rate rate_of(RateClass rate_class) const;
  static void forget_full(Shard& shard, int64_t now_ns);
  Shard& shard_of(uint64_t key) { return shards_[(key >> 32) % shards_.size()]; }
  void collect(Shard& shard, int64_t now_ns, std::vector<RateTaken>& into);

  RateLimitSettings settings_;
  std::array<Shard, 16> shards_;
  std::atomic<int64_t> global_full_at_ns_{0};
  std::atomic<int64_t> global_uncollected_{0};
};

}  // namespace micropay::gateway
