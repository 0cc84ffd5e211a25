#include "libs/redis/token_buckets.h"

#include "libs/base/check.h"

namespace micropay {
namespace {

// Lua's numbers are doubles: microseconds since 2025 leave three digits behind the point, microseconds since
// 1970 would leave none. What is kept never says more than 4 bursts from now, so a clock that went back an
// hour, after a failover, costs nobody an hour.
const RedisScript& script() {
  static const RedisScript made(R"lua(
local now = tonumber(ARGV[1])
if now == 0 then
  local t = redis.call('TIME')
  now = (tonumber(t[1]) - 1735689600) * 1000000 + tonumber(t[2])
end
local answer = {}
for i, key in ipairs(KEYS) do
  local at = 4 * i - 2
  local interval, burst, count = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local size = interval * burst
  local full = math.min(tonumber(redis.call('GET', key) or '0'), now + 4 * size)
  local after = math.max(full, now) + count * interval
  local allowed = after <= now + size + 0.0005 or ARGV[at + 3] == '1'
  if allowed then
    full = math.min(after, now + 4 * size)
    redis.call('SET', key, string.format('%.3f', full), 'PX', math.ceil((full - now) / 1000) + 1000)
  end
  answer[2 * i - 1] = allowed and 1 or 0
  answer[2 * i] = math.floor(math.max(full - now, 0) * 1000 + 0.5)
  if not allowed then break end
end
return answer
)lua");
  return made;
}

constexpr Time kScriptEpoch = 1'735'689'600 * kSecond;

Result<std::vector<BucketState>> states_of(Result<RedisReply> reply) {
  const RedisReply answer = TRY(std::move(reply));
  std::vector<BucketState> states(answer.list.size() / 2);
  for (size_t i = 0; i < states.size(); ++i)
    states[i] = {answer.list[2 * i].integer == 1, answer.list[2 * i + 1].integer};
  return states;
}

}  // namespace

void TokenBuckets::take(std::span<const BucketCharge> charges, Duration deadline, Done done, Time now) {
  CHECK(charges.size() <= kMostInOneCall);
  std::vector<std::string> keys, args;
  keys.reserve(charges.size()), args.reserve(1 + 4 * charges.size());
  args.push_back(fmt::format("{}", now == 0 ? 0 : now - kScriptEpoch));
  for (const BucketCharge& charge : charges) {
    keys.push_back(charge.key);
    args.push_back(fmt::format("{}.{:03}", charge.interval_ns / 1000, charge.interval_ns % 1000));
    args.push_back(fmt::format("{}", charge.burst));
    args.push_back(fmt::format("{}", charge.count));
    args.emplace_back(charge.owed ? "1" : "0");
  }
  client_.run(script(), keys, args, deadline,
              [done = std::move(done)](Result<RedisReply> reply) { done(states_of(std::move(reply))); });
}

}  // namespace micropay
