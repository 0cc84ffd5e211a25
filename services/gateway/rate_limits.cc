// The generic cell rate algorithm (ITU-T I.371): a request is allowed when the bucket, after it, is full
// again within `burst` intervals from now.
#include "services/gateway/rate_limits.h"

#include "libs/base/digest.h"
#include "libs/base/settings.h"

namespace micropay::gateway {
namespace {

constexpr size_t kMaxBucketsPerShard = 20'000;
constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

int64_t seconds_up(int64_t nanoseconds) {
  return (nanoseconds + kNanosecondsPerSecond - 1) / kNanosecondsPerSecond;
}

// Moves `full_at` when the request is allowed.
RateDecision decide(const Rate& rate, int64_t& full_at, int64_t now_ns) {
  int64_t next = std::max(full_at, now_ns) + rate.interval_ns;
  int64_t free_ns = now_ns + rate.burst * rate.interval_ns - next;
  RateDecision decision{.limit = rate.burst};
  decision.allowed = free_ns >= 0;
  if (decision.allowed) full_at = next;
  decision.remaining = std::max<int64_t>(0, free_ns / rate.interval_ns);
  decision.reset_s = seconds_up(std::max<int64_t>(0, full_at - now_ns));
  if (!decision.allowed) decision.retry_after_s = std::max<int64_t>(1, seconds_up(-free_ns));
  return decision;
}

// Of what was taken, what is still missing in the bucket.
int64_t still_missing(const Rate& rate, int64_t full_at, int64_t now_ns, int64_t taken) {
  int64_t missing = (std::max<int64_t>(0, full_at - now_ns) + rate.interval_ns - 1) / rate.interval_ns;
  return std::min(taken, missing);
}

std::optional<int64_t> parse_count(std::string_view text) {
  int64_t value = 0;
  if (text.empty() || text.size() > 9) return {};
  for (char c : text) {
    if (c < '0' || c > '9') return {};
    value = value * 10 + (c - '0');
  }
  if (value == 0) return {};
  return value;
}

}  // namespace

std::optional<Rate> parse_rate(std::string_view text) {
  constexpr std::string_view kBurst = " burst ";
  size_t burst_at = text.find(kBurst);
  std::string_view pace = text.substr(0, burst_at);
  if (pace.size() < 3 || pace[pace.size() - 2] != '/') return {};
  char unit = pace.back();
  int64_t seconds = unit == 's' ? 1 : unit == 'm' ? 60 : unit == 'h' ? 3600 : 0;
  auto count = parse_count(pace.substr(0, pace.size() - 2));
  auto burst = burst_at == text.npos ? count : parse_count(text.substr(burst_at + kBurst.size()));
  if (seconds == 0 || !count || !burst) return {};
  return Rate{std::max<int64_t>(1, seconds * kNanosecondsPerSecond / *count), *burst};
}

RateLimitSettings RateLimitSettings::read_settings(Settings& settings) {
  RateLimitSettings limits;
  limits.on.set(
      settings.flag("gateway.rate_limits", true, "Whether callers are held to the rates of gateway.rate.*"));
  settings.live("gateway.rate_limits", [on = limits.on](const std::string& text) {
    on.set(text == "on" || text == "true");
    return true;
  });
  auto read = [&](std::string_view name, std::string_view standard, std::string_view help) {
    std::string key = fmt::format("gateway.rate.{}", name);
    std::string text = settings.text(key, standard, help);
    auto rate = parse_rate(text);
    if (!rate)
      limits.problems.push_back(fmt::format("{}: '{}' is no rate like '20/s burst 40' or '30/m'", key, text));
    const LiveRate live(rate ? *rate : *parse_rate(standard));
    settings.live(key, [live](const std::string& changed) {
      const auto rate = parse_rate(changed);
      if (rate) live.set(*rate);
      return rate.has_value();
    });
    return live;
  };
  limits.standard = read("standard", "50/s burst 100", "Requests of a user that nothing else is said for");
  limits.auth = read("auth", "60/m burst 30", "Sign-ins and registrations from one address");
  limits.payment = read("payment", "20/s burst 40", "Requests of a user that move money");
  limits.read = read("read", "100/s burst 200", "Reading requests of a user");
  limits.lookup = read("lookup", "20/m burst 20",
                       "Payments of a user that were refused: who tries whom he can reach is stopped early");
  limits.global = read("global", "50000/s burst 50000", "Requests of everybody together");
  return limits;
}

RateLimits::RateLimits(const RateLimitSettings& settings) : settings_(settings) {}

Rate RateLimits::rate_of(RateClass rate_class) const {
  switch (rate_class) {
    case AUTH: return settings_.auth.get();
    case PAYMENT: return settings_.payment.get();
    case READ: return settings_.read.get();
    case LOOKUP: return settings_.lookup.get();
    default: return settings_.standard.get();
  }
}

namespace {

// The same in every gateway, and nobody finds an address that empties somebody else's bucket.
uint64_t key_of(RateClass rate_class, std::string_view caller) {
  return aimless_digest64(caller) * 0x9e3779b97f4a7c15ull + static_cast<uint64_t>(rate_class);
}

}  // namespace

RateDecision RateLimits::look(RateClass rate_class, std::string_view caller, Time now) {
  const uint64_t key = key_of(rate_class, caller);
  Shard& shard = shard_of(key);
  std::scoped_lock lock(shard.mutex);
  const auto found = shard.buckets.find(key);
  int64_t full_at_ns = found == shard.buckets.end() ? 0 : found->second.full_at_ns;
  return decide(rate_of(rate_class), full_at_ns, now * 1000);
}

RateDecision RateLimits::take(RateClass rate_class, std::string_view caller, Time now) {
  const Rate rate = rate_of(rate_class);
  const uint64_t key = key_of(rate_class, caller);
  Shard& shard = shard_of(key);
  int64_t now_ns = now * 1000;
  std::scoped_lock lock(shard.mutex);
  if (shard.buckets.size() >= shard.prune_at) forget_full(shard, now_ns);
  Bucket& bucket = shard.buckets[key];
  RateDecision decision = decide(rate, bucket.full_at_ns, now_ns);
  if (decision.allowed && ++bucket.uncollected == 1) {
    bucket.rate_class = rate_class;
    shard.taken_from.push_back(key);
  }
  return decision;
}

// Forgets the buckets that are full, and in an attack by more addresses than we have memory for, all of them:
// the global bucket still holds.
void RateLimits::forget_full(Shard& shard, int64_t now_ns) {
  std::erase_if(shard.buckets, [&](const auto& entry) { return entry.second.full_at_ns <= now_ns; });
  if (shard.buckets.size() >= kMaxBucketsPerShard) shard.buckets.clear();
  shard.prune_at = std::max<size_t>(1'000, std::min(kMaxBucketsPerShard, shard.buckets.size() * 2));
  shard.taken_from.clear();
  for (const auto& [key, bucket] : shard.buckets)
    if (bucket.uncollected > 0) shard.taken_from.push_back(key);
}

RateDecision RateLimits::take_global(Time now) {
  int64_t seen = global_full_at_ns_.load(std::memory_order_relaxed);
  RateDecision decision;
  for (;;) {
    int64_t full_at = seen;
    decision = decide(settings_.global.get(), full_at, now * 1000);
    if (!decision.allowed) return decision;
    if (global_full_at_ns_.compare_exchange_weak(seen, full_at)) break;
  }
  global_uncollected_.fetch_add(1, std::memory_order_relaxed);
  return decision;
}

size_t RateLimits::buckets() const {
  size_t count = 0;
  for (const Shard& shard : shards_) {
    std::scoped_lock lock(shard.mutex);
    count += shard.buckets.size();
  }
  return count;
}

void RateLimits::collect(Shard& shard, int64_t now_ns, std::vector<RateTaken>& into) {
  std::scoped_lock lock(shard.mutex);
  for (uint64_t key : shard.taken_from) {
    auto found = shard.buckets.find(key);
    if (found == shard.buckets.end()) continue;
    const Rate rate = rate_of(found->second.rate_class);
    int64_t taken = std::exchange(found->second.uncollected, 0);
    int64_t count = still_missing(rate, found->second.full_at_ns, now_ns, taken);
    if (count > 0) into.push_back({key, rate, count});
  }
  shard.taken_from.clear();
}

std::vector<RateTaken> RateLimits::collect(Time now) {
  std::vector<RateTaken> taken;
  const Rate global = settings_.global.get();
  int64_t count = still_missing(global, global_full_at_ns_.load(), now * 1000,
                                global_uncollected_.exchange(0, std::memory_order_relaxed));
  if (count > 0) taken.push_back({0, global, count});
  for (Shard& shard : shards_) collect(shard, now * 1000, taken);
  return taken;
}

void RateLimits::settle(uint64_t key, Time full_at) {
  if (key == 0) {
    int64_t uncollected = global_uncollected_.load(std::memory_order_relaxed);
    int64_t known = full_at * 1000 + uncollected * settings_.global.get().interval_ns;
    int64_t seen = global_full_at_ns_.load(std::memory_order_relaxed);
    while (seen < known && !global_full_at_ns_.compare_exchange_weak(seen, known)) {
    }
    return;
  }
  Shard& shard = shard_of(key);
  std::scoped_lock lock(shard.mutex);
  auto found = shard.buckets.find(key);
  if (found == shard.buckets.end()) return;  // an attack by many addresses: forgotten
  Bucket& bucket = found->second;
  int64_t uncollected_ns = bucket.uncollected * rate_of(bucket.rate_class).interval_ns;
  bucket.full_at_ns = std::max(bucket.full_at_ns, full_at * 1000 + uncollected_ns);
}

}  // namespace micropay::gateway
