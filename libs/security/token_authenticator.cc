#include "libs/security/token_authenticator.h"

#include <sodium.h>

#include "libs/base/ids.h"
#include "libs/security/encoding.h"

namespace micropay {
namespace {

constexpr std::string_view kApiKeyPrefix = "mk_";

std::unexpected<Error> invalid() {
  return fail(Code::kUnauthenticated, "invalid_token", "The token is not valid.");
}

// Of "mk_<id>_<secret>"; none: it is no API key.
std::optional<std::string_view> key_id_of(std::string_view token) {
  const std::string_view rest = token.substr(kApiKeyPrefix.size());
  if (rest.size() <= kUuidText + 1 || rest[kUuidText] != '_' || !is_uuid(rest.substr(0, kUuidText)))
    return {};
  return rest.substr(0, kUuidText);
}

}  // namespace

TokenAuthenticator::TokenAuthenticator(std::shared_ptr<KeyRing> keys, ApiKeyLookup lookup, const Clock& clock)
    : TokenAuthenticator(std::move(keys), std::move(lookup), clock, Options{}) {}

TokenAuthenticator::TokenAuthenticator(std::shared_ptr<KeyRing> keys, ApiKeyLookup lookup, const Clock& clock,
                                       Options options)
    : keys_(std::move(keys)), lookup_(std::move(lookup)), clock_(clock), options_(options) {
  randombytes_buf(digest_key_.data(), digest_key_.size());
}

// 128 bits of SipHash under a key of this process: tokens are not kept, and comparing digests tells nothing
// of them.
TokenAuthenticator::Digest TokenAuthenticator::digest_of(std::string_view token) const {
  Digest digest;
  static_assert(sizeof digest == crypto_shorthash_siphashx24_BYTES);
  crypto_shorthash_siphashx24(reinterpret_cast<uint8_t*>(digest.data()),
                              reinterpret_cast<const uint8_t*>(token.data()), token.size(),
                              digest_key_.data());
  return digest;
}

std::optional<Identity> TokenAuthenticator::cached(const Digest& digest) {
  const Time now = clock_.now();
  Shard& shard = shard_of(digest);
  std::scoped_lock lock(shard.mutex);
  const auto found = shard.entries.find(digest);
  if (found == shard.entries.end()) return {};
  Entry& entry = found->second;
  const uint64_t generation = generation_.load(std::memory_order_acquire);
  const bool current = entry.generation == generation || !revoked(entry);
  if (current && now < entry.until) {
    entry.generation = generation;
    return entry.identity;
  }
  shard.entries.erase(found);  // it is looked at afresh, which also finds the right reason
  return {};
}

Result<Identity> TokenAuthenticator::authenticate(std::string_view token) {
  if (token.size() > kMaxTokenBytes) return invalid();
  const Digest digest = digest_of(token);
  if (auto found = cached(digest)) return *std::move(found);
  return token.starts_with(kApiKeyPrefix) ? check_api_key(token, digest) : check_token(token, digest);
}

std::optional<Result<Identity>> TokenAuthenticator::known(std::string_view token) {
  if (!options_.lookup_waits || !token.starts_with(kApiKeyPrefix) || token.size() > kMaxTokenBytes)
    return authenticate(token);
  if (auto found = cached(digest_of(token))) return *std::move(found);
  if (!key_id_of(token)) return invalid();
  return {};
}

Result<Identity> TokenAuthenticator::check_token(std::string_view token, const Digest& digest) {
  const uint64_t generation = generation_.load(std::memory_order_acquire);
  Claims claims = TRY(verify_token(*keys_, token, clock_.now()));
  Entry entry{.identity = {.principal = {.kind = Principal::Kind::kUser,
                                         .user_id = std::move(claims.user_id),
                                         .session_id = std::move(claims.session_id),
                                         .role_bits = claims.role_bits},
                           .expires_at = claims.expires_at},
              .key_id = {},
              .issued_at = claims.issued_at,
              .until = claims.expires_at,
              .generation = generation};
  if (revoked(entry)) return invalid();
  Identity identity = entry.identity;
  remember(digest, std::move(entry));
  return identity;
}

Result<Identity> TokenAuthenticator::check_api_key(std::string_view token, const Digest& digest) {
  const auto named = key_id_of(token);
  if (!named) return invalid();
  const std::string key_id(*named);
  const std::string_view secret = token.substr(kApiKeyPrefix.size() + kUuidText + 1);
  const uint64_t generation = generation_.load(std::memory_order_acquire);
  std::optional<ApiKeyFacts> facts;
  if (lookup_) facts = TRY(lookup_(key_id));
  if (!facts || !same_secret(facts->secret_hash, secret_digest(secret))) return invalid();
  Entry entry{.identity = {.principal = {.kind = Principal::Kind::kApiKey,
                                         .user_id = std::move(facts->user_id),
                                         .session_id = key_id,
                                         .scopes = std::move(facts->scopes)}},
              .key_id = key_id,
              .until = clock_.now() + options_.api_key_ttl,
              .generation = generation};
  Identity identity = entry.identity;
  remember(digest, std::move(entry));
  return identity;
}

void TokenAuthenticator::remember(const Digest& digest, Entry entry) {
  Shard& shard = shard_of(digest);
  std::scoped_lock lock(shard.mutex);
  if (shard.entries.size() >= options_.max_cached / shards_.size()) {
    const Time now = clock_.now();
    std::erase_if(shard.entries, [&](const auto& each) { return each.second.until <= now; });
    // Still full: all of them are in use, so it does not matter which have to be verified again.
    if (shard.entries.size() >= options_.max_cached / shards_.size()) shard.entries.clear();
  }
  shard.entries[digest] = std::move(entry);
}

bool TokenAuthenticator::revoked(const Entry& entry) const {
  std::shared_lock lock(revoked_mutex_);
  const auto concerns = [&](const std::string& id) {
    const auto found = revoked_.find(id);
    if (found == revoked_.end()) return false;
    // What is known of an API key may be older than what was revoked; a token says itself when it was issued.
    return entry.key_id.empty() ? entry.issued_at <= found->second.issued_until
                                : entry.generation < found->second.generation;
  };
  return concerns(entry.identity.principal.user_id) ||
         concerns(entry.key_id.empty() ? entry.identity.principal.session_id : entry.key_id);
}

void TokenAuthenticator::on_revoked(std::function<void(const std::string& id)> listener) {
  const std::unique_lock lock(revoked_mutex_);
  listeners_.push_back(std::move(listener));
}

void TokenAuthenticator::revoke(const std::string& id, Time issued_until) {
  std::vector<std::function<void(const std::string& id)>> listeners;
  {
    const std::unique_lock lock(revoked_mutex_);
    const Time now = clock_.now();
    if (revoked_.size() >= prune_at_) {
      std::erase_if(revoked_, [&](const auto& each) { return each.second.ends_at <= now; });
      prune_at_ = std::max<size_t>(1'000, 2 * revoked_.size());
    }
    Revocation& revocation = revoked_[id];
    revocation.issued_until = std::max(revocation.issued_until, issued_until);
    revocation.ends_at = now + kLongestTokenLife + kClockSkew;
    revocation.generation = generation_.load(std::memory_order_relaxed) + 1;
    generation_.store(revocation.generation, std::memory_order_release);
    listeners = listeners_;
  }
  for (const auto& listener : listeners) listener(id);
}

void TokenAuthenticator::revoke_session(const std::string& session_id) { revoke(session_id, INT64_MAX); }
void TokenAuthenticator::revoke_user_before(const std::string& user_id, Time issued_until) {
  revoke(user_id, issued_until);
}
void TokenAuthenticator::revoke_api_key(const std::string& key_id) { revoke(key_id, INT64_MAX); }

size_t TokenAuthenticator::cached() const {
  size_t count = 0;
  for (const Shard& shard : shards_) {
    std::scoped_lock lock(shard.mutex);
    count += shard.entries.size();
  }
  return count;
}

}  // namespace micropay
