// libsodium computes; the PHC string is put together here because libsodium's own takes no salt, and a
// simulator's passwords must come out the same each run.
#include "libs/security/passwords.h"

#include <re2/re2.h>
#include <sodium.h>

#include "libs/base/check.h"
#include "libs/base/stepping_aside.h"
#include "libs/security/encoding.h"

namespace micropay {
namespace {

constexpr size_t kHashBytes = 32;

std::string base64(std::string_view bytes) {
  constexpr int kVariant = sodium_base64_VARIANT_ORIGINAL_NO_PADDING;
  std::string text(sodium_base64_encoded_len(bytes.size(), kVariant), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(),
                    kVariant);
  text.pop_back();
  return text;
}

std::string phc(PasswordCost cost, std::string_view salt, std::string_view hash) {
  return fmt::format("$argon2id$v=19$m={},t={},p=1${}${}", cost.memory_kib, cost.passes, base64(salt),
                     base64(hash));
}

struct Parsed {
  PasswordCost cost;
  std::string salt;
};

// Of a hash as phc() makes it.
std::optional<Parsed> parse(const std::string& hash) {
  static const re2::RE2 kForm(R"(\$argon2id\$v=19\$m=(\d+),t=(\d+),p=1\$([A-Za-z0-9+/]+)\$[A-Za-z0-9+/]+)");
  Parsed parsed;
  std::string text;
  if (!re2::RE2::FullMatch(hash, kForm, &parsed.cost.memory_kib, &parsed.cost.passes, &text)) return {};
  parsed.salt.resize(crypto_pwhash_SALTBYTES);
  size_t size = 0;
  if (sodium_base642bin(reinterpret_cast<uint8_t*>(parsed.salt.data()), parsed.salt.size(), text.data(),
                        text.size(), nullptr, &size, nullptr,
                        sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0 ||
      size != parsed.salt.size())
    return {};
  return parsed;
}

}  // namespace

std::string salt_of(const std::string& hash) {
  const std::optional<Parsed> parsed = parse(hash);
  return parsed ? parsed->salt : "";
}

std::optional<size_t> matching_hash(std::span<const std::string> hashes, std::string_view password) {
  std::optional<size_t> found;
  std::string computed, kind;  // its cost and salt as text
  for (size_t i = 0; i < hashes.size(); ++i) {
    const std::string of = hashes[i].substr(0, hashes[i].rfind('$') + 1);
    if (of != kind || computed.empty()) {
      const std::optional<Parsed> parsed = parse(hashes[i]);
      if (!parsed) continue;
      kind = of;
      computed = hash_password(password, parsed->salt, parsed->cost).value_or("");
    }
    if (same_secret(computed, hashes[i]) && !found) found = i;
  }
  return found;
}

std::string random_salt() {
  std::string salt(crypto_pwhash_SALTBYTES, '\0');
  randombytes_buf(salt.data(), salt.size());
  return salt;
}

Result<std::string> hash_password(std::string_view password, std::string_view salt, PasswordCost cost) {
  CHECK(salt.size() == crypto_pwhash_SALTBYTES);
  std::string hash(kHashBytes, '\0');
  const SteppingAside aside;
  if (crypto_pwhash(reinterpret_cast<uint8_t*>(hash.data()), hash.size(), password.data(), password.size(),
                    reinterpret_cast<const uint8_t*>(salt.data()), cost.passes,
                    size_t(cost.memory_kib) * 1024, crypto_pwhash_ALG_ARGON2ID13) != 0)
    return fail(Code::kUnavailable, "no_memory", "No memory to hash a password.");
  return phc(cost, salt, hash);
}

bool verify_password(const std::string& hash, std::string_view password) {
  if (hash.size() >= crypto_pwhash_STRBYTES) return false;
  const SteppingAside aside;
  return crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
}

std::string dummy_hash(PasswordCost cost) {
  // No password is known to hash to zeros, nor will one be found.
  return phc(cost, std::string(crypto_pwhash_SALTBYTES, '\1'), std::string(kHashBytes, '\0'));
}

}  // namespace micropay
