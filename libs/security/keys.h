// The Ed25519 keys that sign access tokens. One key signs; the next one is published first, for longer than
// anybody keeps the key set, so that no token comes to somebody who cannot know its key yet; those that were
// replaced verify for another day, longer than any token lives. Kept in DIR/keys.json (JSON Web Keys with
// their private part, mode 0600), made at first use.
//
//   std::shared_ptr<KeyRing> keys = key_ring(data_folder);   // shared by everyone in this process
//   Signature signature = TRY(keys->sign(text));
//
// A rotation by another process (micropay keys rotate) is seen within a second, without a restart. A file
// that cannot be read or written gives kUnavailable, keys_unavailable; a ring that was read before goes on
// with what it has.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/error.h"
#include "libs/base/time.h"

namespace micropay {

constexpr Duration kRetiredKeyLife = 24 * kHour;
constexpr Duration kKeySetMaxAge = 5 * kMinute;  // what /.well-known/jwks.json allows caches
constexpr Duration kPublishedFirst = kKeySetMaxAge + kMinute;

struct SigningKey {
  std::string id;                  // "kid": RFC 7638 thumbprint of the public key
  std::array<uint8_t, 32> seed{};  // the private part
  std::array<uint8_t, 32> public_key{};
  std::array<uint8_t, 64> secret_key{};
  Time created = 0;
  Time not_before = 0;  // signs from then on
  Time retired = 0;     // and until then; 0: for ever
};

SigningKey make_signing_key(const std::array<uint8_t, 32>& seed, Time created);

struct Signature {
  std::string key_id;
  std::string bytes;  // 64
};

class KeyRing {
 public:
  // Nothing is read before the first use.
  KeyRing(std::string folder, const Clock& clock) : folder_(std::move(folder)), clock_(clock) {}
  // One key derived from the text, kept nowhere: for tests and the simulator.
  static std::shared_ptr<KeyRing> from_seed(std::string_view text, const Clock& clock = system_clock());

  // Makes sure that there is a key, so that a start can say what is wrong.
  Result<void> open();
  // `key_id` may be asked first, because a token names its key in what is signed.
  Result<std::string> current_key_id();
  Result<Signature> sign(std::string_view key_id, std::string_view text);
  bool verify(std::string_view key_id, std::string_view text, std::string_view signature);
  // A new key is in the set from now on, and signs kPublishedFirst later. Returns its id.
  Result<std::string> rotate();
  // Public keys that verify now, as a JSON Web Key Set.
  std::string jwks();
  // A ring without private keys, for a process that only verifies: it has the keys of the set shown last.
  // Nothing is signed by it (keys_unavailable). Refuses what is no such set (invalid_jwks).
  static std::shared_ptr<KeyRing> verifying(const Clock& clock = system_clock());
  Result<void> show(std::string_view jwks);
  // Whether what signs now may be a key that is not here, so that a token of an unknown key is not to be
  // judged: no set was shown yet, or whoever shows them cannot ask for them at present.
  bool may_lack(std::string_view key_id);
  void set_outdated(bool outdated) { outdated_ = outdated; }
  bool empty();

 private:
  using Keys = std::vector<SigningKey>;  // the newest first
  Result<std::shared_ptr<const Keys>> keys();
  Result<std::shared_ptr<const Keys>> load_or_make();
  Result<std::shared_ptr<const Keys>> load();
  bool live(const SigningKey& key) const;
  const SigningKey& signing(const Keys& keys) const;

  const std::string folder_;  // empty: nothing is kept
  bool verifies_only_ = false;
  std::atomic<bool> outdated_{false};
  const Clock& clock_;
  std::mutex mutex_;
  std::shared_ptr<const Keys> keys_;
  Time polled_ = 0;                   // monotonic
  std::array<int64_t, 3> version_{};  // inode and modification time of the file as it was read
};

// The ring of a data folder, one per process. An empty folder: a ring from a fixed seed.
std::shared_ptr<KeyRing> key_ring(const std::string& data_folder);

}  // namespace micropay
