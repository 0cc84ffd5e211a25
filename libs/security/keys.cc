#include "libs/security/keys.h"

#include <sodium.h>
#include <sys/stat.h>

#include <map>

#include "libs/base/check.h"
#include "libs/base/log.h"
#include "libs/security/encoding.h"
#include "libs/security/key_file.h"

namespace micropay {
namespace {

std::string_view bytes_of(const auto& array) {
  return {reinterpret_cast<const char*>(array.data()), array.size()};
}

std::array<uint8_t, 32> random_seed() {
  std::array<uint8_t, 32> seed;
  randombytes_buf(seed.data(), seed.size());
  return seed;
}

const SigningKey* find(const std::vector<SigningKey>& keys, std::string_view id) {
  for (const SigningKey& key : keys)
    if (key.id == id) return &key;
  return nullptr;
}

std::string public_jwk(const SigningKey& key) {
  return fmt::format(R"({{"kty":"OKP","crv":"Ed25519","use":"sig","alg":"EdDSA","kid":"{}","x":"{}"}})",
                     key.id, to_base64url(bytes_of(key.public_key)));
}

}  // namespace

SigningKey make_signing_key(const std::array<uint8_t, 32>& seed, Time created) {
  SigningKey key{.id = {}, .seed = seed, .created = created};
  crypto_sign_seed_keypair(key.public_key.data(), key.secret_key.data(), key.seed.data());
  // RFC 7638: the required members in order, no blanks.
  const std::string jwk =
      fmt::format(R"({{"crv":"Ed25519","kty":"OKP","x":"{}"}})", to_base64url(bytes_of(key.public_key)));
  std::array<uint8_t, crypto_hash_sha256_BYTES> digest;
  crypto_hash_sha256(digest.data(), reinterpret_cast<const uint8_t*>(jwk.data()), jwk.size());
  key.id = to_base64url(bytes_of(digest));
  return key;
}

std::shared_ptr<KeyRing> KeyRing::from_seed(std::string_view text, const Clock& clock) {
  auto ring = std::make_shared<KeyRing>("", clock);
  std::array<uint8_t, 32> seed;
  const std::string digest = secret_digest(text);
  std::copy_n(digest.begin(), seed.size(), seed.begin());
  ring->keys_ = std::make_shared<const Keys>(Keys{make_signing_key(seed, 0)});
  return ring;
}

bool KeyRing::live(const SigningKey& key) const {
  return key.retired == 0 || clock_.now() < key.retired + kRetiredKeyLife;
}

// The keys' times follow one another without a gap; a clock that was set back finds the oldest.
const SigningKey& KeyRing::signing(const Keys& keys) const {
  const Time now = clock_.now();
  const auto signs = [now](const SigningKey& key) {
    return key.not_before <= now && (key.retired == 0 || now < key.retired);
  };
  const auto found = std::ranges::find_if(keys, signs);
  return found == keys.end() ? keys.back() : *found;
}

Result<void> KeyRing::open() {
  TRY(keys());
  return {};
}

// Called for every token that is not cached, so the file is looked at once a second at most.
Result<std::shared_ptr<const KeyRing::Keys>> KeyRing::keys() {
  std::scoped_lock lock(mutex_);
  if (folder_.empty()) return keys_;
  const Time now = clock_.monotonic();
  if (keys_ && now - polled_ < kSecond) return keys_;
  polled_ = now;
  if (keys_ && key_file::version(folder_) == version_) return keys_;
  Result<std::shared_ptr<const Keys>> fresh = load_or_make();
  if (fresh) return keys_ = *fresh;
  log_error("user.keys_unreadable", "The signing keys cannot be read",
            {{"error.message", fresh.error().detail}});
  if (keys_) return keys_;
  return fresh;
}

Result<std::shared_ptr<const KeyRing::Keys>> KeyRing::load() {
  version_ = key_file::version(folder_);
  return std::make_shared<const Keys>(TRY(key_file::read(folder_)));
}

Result<std::shared_ptr<const KeyRing::Keys>> KeyRing::load_or_make() {
  if (key_file::exists(folder_)) return load();
  const key_file::Lock lock = TRY(key_file::lock(folder_));
  if (!key_file::exists(folder_)) {
    TRY(key_file::write(folder_, {make_signing_key(random_seed(), clock_.now())}));
    log_info("user.key_made", "First signing key made");
  }
  return load();
}

Result<std::string> KeyRing::current_key_id() {
  if (verifies_only_) return fail(Code::kUnavailable, "keys_unavailable", "This process does not sign.");
  return signing(*TRY(keys())).id;
}

Result<Signature> KeyRing::sign(std::string_view key_id, std::string_view text) {
  const std::shared_ptr<const Keys> all = TRY(keys());
  const SigningKey* key = find(*all, key_id);
  if (key == nullptr || verifies_only_)
    return fail(Code::kUnavailable, "keys_unavailable", "The signing key is not here.");
  Signature signature{key->id, std::string(crypto_sign_BYTES, '\0')};
  crypto_sign_detached(reinterpret_cast<uint8_t*>(signature.bytes.data()), nullptr,
                       reinterpret_cast<const uint8_t*>(text.data()), text.size(), key->secret_key.data());
  return signature;
}

bool KeyRing::verify(std::string_view key_id, std::string_view text, std::string_view signature) {
  const Result<std::shared_ptr<const Keys>> all = keys();
  if (!all || signature.size() != crypto_sign_BYTES) return false;
  const SigningKey* key = find(**all, key_id);
  return key != nullptr && live(*key) &&
         crypto_sign_verify_detached(reinterpret_cast<const uint8_t*>(signature.data()),
                                     reinterpret_cast<const uint8_t*>(text.data()), text.size(),
                                     key->public_key.data()) == 0;
}

Result<std::string> KeyRing::rotate() {
  if (!folder_.empty()) TRY(open());
  std::scoped_lock lock(mutex_);
  std::optional<key_file::Lock> file_lock;
  if (!folder_.empty()) {
    file_lock = TRY(key_file::lock(folder_));  // what we know may be old: read again under the lock
    keys_ = TRY(load());
  }
  const Time now = clock_.now();
  Keys next{make_signing_key(random_seed(), now)};
  next.front().not_before = now + kPublishedFirst;
  for (SigningKey key : *keys_) {
    if (key.retired == 0) key.retired = next.front().not_before;
    if (live(key)) next.push_back(std::move(key));
  }
  if (!folder_.empty()) {
    TRY(key_file::write(folder_, next));
    version_ = key_file::version(folder_);
  }
  keys_ = std::make_shared<const Keys>(std::move(next));
  log_info("user.key_rotated", "A new key is published and signs later",
           {{"key_id", keys_->front().id}, {"not_before", format_time(keys_->front().not_before)}});
  return keys_->front().id;
}

std::string KeyRing::jwks() {
  std::string out = R"({"keys":[)";
  if (const Result<std::shared_ptr<const Keys>> all = keys())
    for (const SigningKey& key : **all)
      if (live(key)) out.append(out.back() == '[' ? "" : ",").append(public_jwk(key));
  return out.append("]}");
}

std::shared_ptr<KeyRing> key_ring(const std::string& data_folder) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<KeyRing>> rings;
  std::scoped_lock lock(mutex);
  std::shared_ptr<KeyRing>& ring = rings[data_folder];
  if (!ring)
    ring = data_folder.empty() ? KeyRing::from_seed("micropay")
                               : std::make_shared<KeyRing>(data_folder, system_clock());
  return ring;
}

}  // namespace micropay
