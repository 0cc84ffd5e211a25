#include "libs/redis/shared_revocations.h"

#include <pthread.h>

#include <charconv>

#include "libs/base/log.h"
#include "libs/base/metrics.h"
#include "libs/redis/redis_subscriber.h"

namespace micropay {
namespace {

constexpr Duration kLife = kLongestTokenLife + kClockSkew;
constexpr Duration kDeadline = kSecond;
constexpr size_t kMostAtOnce = 1'000;                  // of everything, told again
const std::string kRevoked = "micropay:revoked";       // sorted by the time when it was told
const std::string kComplete = "micropay:revoked:all";  // all that is revoked has been told
const std::string kChannel = "micropay:revocations";

// KEYS: the set. ARGV: what, channel, milliseconds that it is kept. Told to listeners only when it is new.
const RedisScript& publish_script() {
  static const RedisScript made(R"lua(
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])
local new = redis.call('ZADD', KEYS[1], 'NX', now, ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if new == 1 then redis.call('PUBLISH', ARGV[2], ARGV[1]) end
return new
)lua");
  return made;
}

// "session <id>", "key <id>", "user <id> <microseconds>"; what another version says besides is passed over.
void tell(std::string_view text, RevocationSink& into) {
  const size_t space = text.find(' ');
  const std::string_view word = text.substr(0, space);
  const std::string_view rest = space == text.npos ? std::string_view() : text.substr(space + 1);
  const std::string id(rest.substr(0, rest.find(' ')));
  if (id.empty()) return;
  if (word == "session") into.revoke_session(id);
  if (word == "key") into.revoke_api_key(id);
  if (word != "user" || id.size() == rest.size()) return;
  Time until = 0;
  const std::string_view number = rest.substr(id.size() + 1);
  if (std::from_chars(number.data(), number.data() + number.size(), until).ec == std::errc())
    into.revoke_user_before(id, until);
}

std::optional<ApiKeyFacts> parse_facts(std::string_view text) {
  const size_t user_end = text.find('\n');
  const size_t scopes_end = user_end == text.npos ? text.npos : text.find('\n', user_end + 1);
  if (scopes_end == text.npos) return {};
  ApiKeyFacts facts{.user_id = std::string(text.substr(0, user_end)),
                    .scopes = {},
                    .secret_hash = std::string(text.substr(scopes_end + 1))};
  std::string_view scopes = text.substr(user_end + 1, scopes_end - user_end - 1);
  while (!scopes.empty()) {
    const size_t end = std::min(scopes.find(' '), scopes.size());
    facts.scopes.emplace_back(scopes.substr(0, end));
    scopes.remove_prefix(std::min(end + 1, scopes.size()));
  }
  return facts;
}

CachedReads::Options key_cache() { return {.name = "api_key"}; }

}  // namespace

struct RevocationPublisher::Impl : std::enable_shared_from_this<RevocationPublisher::Impl> {
  Impl(RedisClient& with, All tells) : client(with), keys(client, key_cache()), all(std::move(tells)) {}

  void publish(const std::string& what);
  void tell_all_when_asked();
  void tell_all();

  RedisClient& client;
  CachedReads keys;
  const All all;
  std::mutex mutex;
  std::condition_variable changed;
  size_t under_way = 0;
  bool wanted = false, stopping = false, failed = false;
  std::thread thread;
  Counter& told = counter("micropay_redis_revocations_total", "Revocations told to other processes");
};

void RevocationPublisher::Impl::publish(const std::string& what) {
  {
    const std::lock_guard lock(mutex);
    ++under_way;
  }
  const std::string args[] = {what, kChannel, fmt::format("{}", kLife / kMillisecond)};
  client.run(publish_script(), std::span(&kRevoked, 1), args, kDeadline,
             [self = shared_from_this()](const Result<RedisReply>& reply) {
               if (reply) self->told.add();
               {
                 const std::lock_guard lock(self->mutex);
                 --self->under_way;
                 // Redis refused, or was late: all of it is told again, when it is back at the latest.
                 if (!reply) self->failed = true;
                 if (!reply && self->client.available()) self->wanted = true;
               }
               self->changed.notify_all();
             });
}

void RevocationPublisher::Impl::tell_all_when_asked() {
  pthread_setname_np(pthread_self(), "revocations");
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [this] { return wanted || stopping; });
    if (stopping) return;
    wanted = failed = false;
    lock.unlock();
    tell_all();
    lock.lock();
    if (!wanted) continue;  // else something failed: not at once again
    changed.wait_for(lock, std::chrono::seconds(1), [this] { return stopping; });
  }
}

void RevocationPublisher::Impl::tell_all() {
  struct Throttled final : RevocationSink {
    explicit Throttled(Impl& publisher) : to(publisher) {}
    void say(const std::string& what) {
      std::unique_lock lock(to.mutex);
      to.changed.wait(lock, [this] { return to.under_way < kMostAtOnce || to.stopping; });
      if (to.stopping) return;
      lock.unlock();
      to.publish(what);
    }
    void revoke_session(const std::string& id) override { say("session " + id); }
    void revoke_user_before(const std::string& id, Time until) override {
      say(fmt::format("user {} {}", id, until));
    }
    void revoke_api_key(const std::string& id) override { say("key " + id); }
    Impl& to;
  } throttled(*this);
  all(throttled);
  std::unique_lock lock(mutex);
  changed.wait(lock, [this] { return under_way == 0 || stopping; });
  if (failed || stopping) return;
  lock.unlock();
  client.send({"SET", kComplete, "1", "PX", fmt::format("{}", kLife / kMillisecond)}, kDeadline,
              [](const Result<RedisReply>&) {});
  client.send({"PUBLISH", kChannel, "complete"}, kDeadline, [](const Result<RedisReply>&) {});
}

RevocationPublisher::RevocationPublisher(RedisClient& client, All all)
    : impl_(std::make_shared<Impl>(client, std::move(all))) {
  client.on_change([impl = impl_](bool available) {
    if (!available) return;
    const std::lock_guard lock(impl->mutex);
    impl->wanted = true;
    impl->changed.notify_all();
  });
  impl_->thread = std::thread([impl = impl_] { impl->tell_all_when_asked(); });
}

RevocationPublisher::~RevocationPublisher() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->changed.notify_all();
  impl_->thread.join();
}

void RevocationPublisher::revoke_session(const std::string& id) { impl_->publish("session " + id); }
void RevocationPublisher::revoke_user_before(const std::string& id, Time issued_until) {
  impl_->keys.drop("user:" + id);
  impl_->publish(fmt::format("user {} {}", id, issued_until));
}
void RevocationPublisher::revoke_api_key(const std::string& id) {
  impl_->keys.drop("key:" + id);
  impl_->publish("key " + id);
}

struct RevocationFollower::Impl {
  Impl(const RedisOptions& options, RevocationSink& sink)
      : into(sink),
        subscriber(options, kChannel,
                   {.on_subscribed = [this](RedisConnection& reader) { return load(reader); },
                    .on_message =
                        [this](std::string_view text) {
                          if (text == "complete") set_complete(true);
                          else tell(text, into);
                        },
                    .on_lost = [this] { set_complete(false); }}) {}

  Result<void> load(RedisConnection& reader);
  void set_complete(bool is);

  RevocationSink& into;
  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  bool complete = false;
  Gauge& known = gauge("micropay_redis_revocations_complete", "1 while every revocation is known here");
  RedisSubscriber subscriber;
};

void RevocationFollower::Impl::set_complete(bool is) {
  {
    const std::lock_guard lock(mutex);
    complete = is;
  }
  known.set(is ? 1 : 0);
  changed.notify_all();
}

// The mark first: what is told after it comes as a message.
Result<void> RevocationFollower::Impl::load(RedisConnection& reader) {
  const RedisReply all_told = TRY(ask(reader, {"EXISTS", kComplete}, kDeadline));
  const RedisReply revoked = TRY(ask(reader, {"ZRANGE", kRevoked, "0", "-1"}, 10 * kSecond));
  for (const RedisReply& each : revoked.list) tell(each.text, into);
  log_info("redis.revocations", "Revocations are read", {{"count", revoked.list.size()}});
  if (all_told.integer == 1) set_complete(true);
  return {};
}

RevocationFollower::RevocationFollower(const RedisOptions& options, RevocationSink& into)
    : impl_(std::make_unique<Impl>(options, into)) {}
RevocationFollower::~RevocationFollower() { stop(); }
void RevocationFollower::start() { impl_->subscriber.start(); }
void RevocationFollower::stop() { impl_->subscriber.stop(); }

bool RevocationFollower::complete() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->complete;
}

bool RevocationFollower::wait_complete(Duration timeout) const {
  std::unique_lock lock(impl_->mutex);
  return impl_->changed.wait_for(lock, std::chrono::microseconds(timeout),
                                 [this] { return impl_->complete; });
}

// The facts as text: the user, a line; the scopes, a line; the digest of the secret, which may be any bytes.
ApiKeyLookup cached_api_keys(RedisClient& client, ApiKeyLookup ask) {
  auto reads = std::make_shared<CachedReads>(client, key_cache());
  return [reads, ask = std::move(ask)](const std::string& id) -> Result<std::optional<ApiKeyFacts>> {
    std::optional<Error> nobody_says;
    const auto read = [&]() -> std::optional<CachedReads::Fresh> {
      const auto asked = ask(id);
      if (!asked) nobody_says = asked.error();
      if (!asked || !*asked) return {};
      const auto& facts = *asked;
      return CachedReads::Fresh{
          fmt::format("{}\n{}\n{}", facts->user_id, fmt::join(facts->scopes, " "), facts->secret_hash),
          {"key:" + id, "user:" + facts->user_id}};
    };
    const auto bytes = reads->get(id, read);
    if (nobody_says) return std::unexpected(*nobody_says);
    return bytes ? parse_facts(*bytes) : std::nullopt;
  };
}

}  // namespace micropay
