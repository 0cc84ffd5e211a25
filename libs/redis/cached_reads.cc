#include "libs/redis/cached_reads.h"

#include "libs/base/metrics.h"

namespace micropay {
namespace {

const std::string kCounter = "micropay:reads:drops";
const std::string kMarks = "micropay:reads:drop:";
constexpr Duration kMarkLife = kHour;  // beyond every answer that could be older

// KEYS: answer, counter. ARGV: prefix of marks. The answer, or the number to fill in with.
const RedisScript& get_script() {
  static const RedisScript made(R"lua(
local kept = redis.call('HMGET', KEYS[1], 'number', 'tags', 'bytes')
if kept[1] then
  local fresh = true
  for tag in string.gmatch(kept[2], '%S+') do
    local mark = redis.call('GET', ARGV[1] .. tag)
    if mark and tonumber(mark) > tonumber(kept[1]) then fresh = false end
  end
  if fresh then return {1, kept[3]} end
end
local number = redis.call('GET', KEYS[2])
if not number then
  local t = redis.call('TIME')
  number = t[1] .. string.format('%06d', t[2])
  redis.call('SET', KEYS[2], number)
end
return {0, number}
)lua");
  return made;
}

// KEYS: answer, counter. ARGV: number, tags, bytes, milliseconds. Not when the counter was forgotten
// meanwhile.
const RedisScript& fill_script() {
  static const RedisScript made(R"lua(
if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'number', ARGV[1], 'tags', ARGV[2], 'bytes', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
)lua");
  return made;
}

// KEYS: mark, counter. ARGV: milliseconds.
const RedisScript& drop_script() {
  static const RedisScript made(R"lua(
if redis.call('EXISTS', KEYS[2]) == 0 then
  local t = redis.call('TIME')
  redis.call('SET', KEYS[2], t[1] .. string.format('%06d', t[2]))
end
redis.call('SET', KEYS[1], redis.call('INCR', KEYS[2]), 'PX', ARGV[1])
return 1
)lua");
  return made;
}

}  // namespace

struct CachedReads::Numbers {
  explicit Numbers(const std::string& name)
      : hits(counter("micropay_redis_reads_total", "Answers looked for in Redis",
                     {{"name", name}, {"outcome", "hit"}})),
        misses(counter("micropay_redis_reads_total", "Answers looked for in Redis",
                       {{"name", name}, {"outcome", "miss"}})) {}
  Counter &hits, &misses;
};

CachedReads::CachedReads(RedisClient& client, Options options)
    : client_(client), options_(std::move(options)), numbers_(std::make_shared<Numbers>(options_.name)) {}

std::optional<std::string> CachedReads::get(const std::string& key,
                                            const std::function<std::optional<Fresh>()>& read) {
  const Time began = system_clock().monotonic();
  const std::string keys[] = {fmt::format("micropay:reads:{}:{}", options_.name, key), kCounter};
  auto kept = client_.call(get_script(), keys, std::span(&kMarks, 1), options_.deadline);
  const bool answered = kept && kept->list.size() == 2;
  if (answered && kept->list[0].integer == 1) {
    numbers_->hits.add();
    return std::move(kept->list[1].text);
  }
  numbers_->misses.add();
  std::optional<Fresh> fresh = read();
  if (!fresh) return {};
  const bool quick = system_clock().monotonic() - began <= options_.longest_read;
  if (answered && quick && fresh->bytes.size() <= options_.max_bytes) {
    const std::string args[] = {kept->list[1].text, fmt::format("{}", fmt::join(fresh->tags, " ")),
                                fresh->bytes, fmt::format("{}", options_.ttl / kMillisecond)};
    client_.run(fill_script(), keys, args, options_.deadline, [](const Result<RedisReply>&) {});
  }
  return std::move(fresh->bytes);
}

void CachedReads::drop(const std::string& tag) {
  const std::string keys[] = {kMarks + tag, kCounter};
  const std::string args[] = {fmt::format("{}", kMarkLife / kMillisecond)};
  client_.run(drop_script(), keys, args, options_.deadline, [](const Result<RedisReply>&) {});
}

}  // namespace micropay
