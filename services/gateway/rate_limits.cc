// The generic cell rate algorithm (ITU-T I.371): a request is allowed when the bucket, after it, is full
// again within `burst` intervals from now.
#include "services/gateway/rate_limits.h"

#include "libs/base/settings.h"
#include "libs/contract/etag.h"

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
  limits.on =
      settings.flag("gateway.rate_limits", true, "Whether callers are held to the rates of gateway.rate.*");
  auto read = [&](std::string_view name, std::string_view standard, std::string_view help) {
    std::string key = fmt::format("gateway.rate.{}", name);
    std::string text = settings.text(key, standard, help);
    auto rate = parse_rate(text);
    if (!rate)
      limits.problems.push_back(fmt::format("{}: '{}' is no rate like '20/s burst 40' or '30/m'", key, text));
    return rate ? *rate : *parse_rate(standard);
  };
  limits.standard = read("standard", "50/s burst 100", "Requests of a user that nothing else is said for");
  limits.auth = read("auth", "60/m burst 30", "Sign-ins and registrations from one address");
  limits.payment = read("payment", "20/s burst 40", "Requests of a user that move money");
  limits.read = read("read", "100/s burst 200", "Reading requests of a user");
  limits.global = read("global", "50000/s burst 50000", "Requests of everybody together");
  return limits;
}

RateLimits::RateLimits(const RateLimitSettings& settings) : settings_(settings) {}

const Rate& RateLimits::rate_of(RateClass rate_class) const {
  switch (rate_class) {
    case AUTH: return settings_.auth;
    case PAYMENT: return settings_.payment;
    case READ: return settings_.read;
    default: return settings_.standard;
  }
}

RateDecision RateLimits::take(RateClass rate_class, std::string_view caller, Time now) {
  const Rate& rate = rate_of(rate_class);
  uint64_t key = contract::digest64(caller) * 0x9e3779b97f4a7c15ull + static_cast<uint64_t>(rate_class);
  Shard& shard = shards_[(key >> 32) % shards_.size()];
  int64_t now_ns = now * 1000;
  std::scoped_lock lock(shard.mutex);
  if (shard.full_at_ns.size() >= shard.prune_at) forget_full(shard, now_ns);
  return decide(rate, shard.full_at_ns[key], now_ns);
}

// Forgets the buckets that are full, and in an attack by more addresses than we have memory for, all of them:
// the global bucket still holds.
void RateLimits::forget_full(Shard& shard, int64_t now_ns) {
  std::erase_if(shard.full_at_ns, [&](const auto& entry) { return entry.second <= now_ns; });
  if (shard.full_at_ns.size() >= kMaxBucketsPerShard) shard.full_at_ns.clear();
  shard.prune_at = std::max<size_t>(1'000, std::min(kMaxBucketsPerShard, shard.full_at_ns.size() * 2));
}

RateDecision RateLimits::take_global(Time now) {
  int64_t seen = global_full_at_ns_.load(std::memory_order_relaxed);
  for (;;) {
    int64_t full_at = seen;
    RateDecision decision = decide(settings_.global, full_at, now * 1000);
    if (!decision.allowed || global_full_at_ns_.compare_exchange_weak(seen, full_at)) return decision;
  }
}

size_t RateLimits::buckets() const {
  size_t count = 0;
  for (const Shard& shard : shards_) {
    std::scoped_lock lock(shard.mutex);
    count += shard.full_at_ns.size();
  }
  return count;
}

}  // namespace micropay::gateway
