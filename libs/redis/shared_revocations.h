// Revoked tokens, told to every process that checks some. The user service's process publishes:
//
//   RevocationPublisher published(client, [&](RevocationSink& to) { load_revocations(store, to); });
//   client.start();
//   engine.on_committed([&](const auto& events) { tell_revocations(events, published); });
//
// and a gateway follows, into its authenticator:
//
//   RevocationFollower follower(options, authenticator);
//   follower.start();
//   follower.wait_complete(2 * kSecond);        // before the first request, when Redis is there
//
// Redis keeps each as long as a token may live, and hands it on at once. While it is away nothing is lost:
// what is known stays known, the publisher tells everything again when it is back, and followers read all of
// it. Being told twice changes nothing.
#pragma once

#include <functional>
#include <memory>

#include "libs/redis/cached_reads.h"
#include "libs/security/token_authenticator.h"

namespace micropay {

class RevocationPublisher final : public RevocationSink {
 public:
  using All = std::function<void(RevocationSink&)>;
  // Before client.start(); the client outlives this. `all` tells everything that is revoked at present; it
  // runs on a thread of its own whenever Redis comes.
  RevocationPublisher(RedisClient& client, All all);
  ~RevocationPublisher() override;

  // None of them waits.
  void revoke_session(const std::string& session_id) override;
  void revoke_user_before(const std::string& user_id, Time issued_until) override;
  void revoke_api_key(const std::string& key_id) override;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

class RevocationFollower {
 public:
  // `into` outlives this.
  RevocationFollower(const RedisOptions& options, RevocationSink& into);
  ~RevocationFollower();
  void start();
  void stop();
  // Whether everything that is revoked is known here: Redis has all of it, and it is being followed.
  bool complete() const;
  bool wait_complete(Duration timeout) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A lookup that asks Redis first; `ask` is a call of the user service. RevocationPublisher drops what
// changes. For at most a minute, while the publisher cannot reach Redis, a key that was revoked may still be
// answered.
ApiKeyLookup cached_api_keys(RedisClient& client, ApiKeyLookup ask);

}  // namespace micropay
