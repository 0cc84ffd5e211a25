// {cipher} values: XChaCha20-Poly1305 with a key from a file. The text is ours, not Spring's: base64url of a
// version byte, 24 random bytes and the sealed text.
//
// The key file holds one key a line, 64 hexadecimal digits (`openssl rand -hex 32`); '#' begins a comment.
// The first encrypts, all decrypt: a new key is put before the old one, and the old one goes when no value
// needs it.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/error.h"
#include "libs/remote/property_source.h"

namespace micropay::config {

constexpr std::string_view kCipherMark = "{cipher}";

class Cipher {
 public:
  Cipher() = default;  // without a key
  // Errors: key_unreadable, key_malformed; neither tells what is in the file.
  static Result<Cipher> from_file(const std::string& path);
  static Result<Cipher> from_text(std::string_view text);

  bool has_key() const { return !keys_.empty(); }
  // Errors: no_key, text_too_large (64 KiB). The result is without the mark.
  Result<std::string> encrypt(std::string_view plain) const;
  // With or without the mark. Errors: no_key; cipher_invalid: changed, or made with another key.
  Result<std::string> decrypt(std::string_view text) const;

  // Every value that begins with the mark, decrypted; one that cannot be becomes invalid.<key> with the value
  // <n/a>, as Spring does, so that no client takes the sealed text for the password. How many could not.
  size_t decrypt_all(std::vector<PropertySource>& sources) const;

 private:
  using Key = std::array<unsigned char, 32>;
  std::vector<Key> keys_;
};

}  // namespace micropay::config
