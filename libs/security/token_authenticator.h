// The Authenticator of the platform: access tokens of the user service, and API keys "mk_<id>_<secret>".
//
// A token's signature is checked once; then the token is found in a bounded cache by a keyed digest. A
// revocation takes effect with the next call: an entry that was looked at before the last revocation is
// compared with them again. Revocations are told by events (services/user/authentication.h) and, after a
// restart, by the user service's table.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "libs/security/authenticator.h"
#include "libs/security/keys.h"
#include "libs/security/revocations.h"
#include "libs/security/tokens.h"

namespace micropay {

struct ApiKeyFacts {
  std::string user_id;
  std::vector<std::string> scopes;
  std::string secret_hash;  // secret_digest of the secret
};
// None when there is no such key or it is revoked; an error when nobody can say. Called without a lock held;
// may ask another service.
using ApiKeyLookup = std::function<Result<std::optional<ApiKeyFacts>>(const std::string& key_id)>;

class TokenAuthenticator final : public Authenticator, public RevocationSink {
 public:
  struct Options {
    size_t max_cached = 64'000;
    Duration api_key_ttl = 10 * kSecond;  // how long a key's facts are believed
    bool lookup_waits = false;            // for another process: known() leaves it alone
  };
  TokenAuthenticator(std::shared_ptr<KeyRing> keys, ApiKeyLookup lookup, const Clock& clock, Options options);
  TokenAuthenticator(std::shared_ptr<KeyRing> keys, ApiKeyLookup lookup, const Clock& clock);

  // An API key's principal has no roles: it may do what its scopes say and nothing else.
  Result<Identity> authenticate(std::string_view bearer_token) override;
  std::optional<Result<Identity>> known(std::string_view bearer_token) override;
  void on_revoked(std::function<void(const std::string& id)> listener) override;
  std::string jwks() const override { return keys_->jwks(); }
  std::optional<Error> unready() const override {
    return keys_->empty() ? std::optional(keys_unknown()) : std::nullopt;
  }

  // Tokens of the session are refused from now on; of the user, those issued up to `issued_until`; a key is
  // asked for again. Any thread.
  void revoke_session(const std::string& session_id) override;
  void revoke_user_before(const std::string& user_id, Time issued_until) override;
  void revoke_api_key(const std::string& key_id) override;

  size_t cached() const;

 private:
  using Digest = std::array<uint64_t, 2>;
  struct DigestHash {
    size_t operator()(const Digest& digest) const { return digest[0]; }
  };
  struct Entry {
    Identity identity;
    std::string key_id;  // of an API key
    Time issued_at = 0;
    Time until = 0;           // a token's expiry; an API key's time to be asked for again
    uint64_t generation = 0;  // of revocations that it was compared with
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<Digest, Entry, DigestHash> entries;
  };
  struct Revocation {
    Time issued_until = 0;
    Time ends_at = 0;  // every token that it concerns has expired then
    uint64_t generation = 0;
  };

  Digest digest_of(std::string_view token) const;
  std::optional<Identity> cached(const Digest& digest);
  Result<Identity> check_token(std::string_view token, const Digest& digest);
  Result<Identity> check_api_key(std::string_view token, const Digest& digest);
  void remember(const Digest& digest, Entry entry);
  void revoke(const std::string& id, Time issued_until);
  bool revoked(const Entry& entry) const;
  Shard& shard_of(const Digest& digest) { return shards_[digest[1] % shards_.size()]; }

  const std::shared_ptr<KeyRing> keys_;
  const ApiKeyLookup lookup_;
  const Clock& clock_;
  const Options options_;
  std::array<uint8_t, 16> digest_key_;
  std::array<Shard, 16> shards_;
  std::atomic<uint64_t> generation_{1};
  mutable std::shared_mutex revoked_mutex_;
  std::unordered_map<std::string, Revocation> revoked_;
  size_t prune_at_ = 1'000;
  std::vector<std::function<void(const std::string& id)>> listeners_;  // guarded by revoked_mutex_
};

}  // namespace micropay
