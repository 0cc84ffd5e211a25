#include "services/config/cipher.h"

#include <sodium.h>

#include <fstream>

#include "libs/security/encoding.h"

namespace micropay::config {
namespace {

constexpr char kVersion = 1;
constexpr std::string_view kPurpose =
    "micropay.config.1";  // authenticated: a text sealed for elsewhere is none
constexpr size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr size_t kMaxPlain = 64 << 10;
constexpr size_t kMaxKeyFile = 64 << 10;
constexpr size_t kMaxKeys = 16;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

std::unexpected<Error> no_key() {
  return fail(Code::kNotFound, "no_key", "No key was installed: config.key_file is not set.");
}

std::unexpected<Error> invalid() {
  return fail(Code::kInvalidArgument, "cipher_invalid",
              "The text was not encrypted with a key of this server.");
}

}  // namespace

Result<Cipher> Cipher::from_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxKeyFile, '\0');
  if (!file || (file.read(text.data(), std::streamsize(text.size())), file.bad()))
    return fail(Code::kInvalidArgument, "key_unreadable", fmt::format("cannot read {}", path),
                "config.key_file");
  text.resize(size_t(file.gcount()));
  auto cipher = from_text(text);
  sodium_memzero(text.data(), text.size());
  return cipher;
}

Result<Cipher> Cipher::from_text(std::string_view text) {
  if (sodium_init() < 0) return fail(Code::kInternal, "key_unreadable", "libsodium does not start");
  Cipher cipher;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, std::min(end, text.find('#')));
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    Key key;
    size_t size = 0;
    const bool hex =
        sodium_hex2bin(key.data(), key.size(), line.data(), line.size(), nullptr, &size, nullptr) == 0;
    if (!hex || size != key.size() || line.size() != 2 * key.size() || cipher.keys_.size() == kMaxKeys)
      return fail(Code::kInvalidArgument, "key_malformed",
                  "a key is 64 hexadecimal digits on a line of its own", "config.key_file");
    cipher.keys_.push_back(key);
  }
  if (cipher.keys_.empty())
    return fail(Code::kInvalidArgument, "key_malformed", "there is no key in the file", "config.key_file");
  return cipher;
}

Result<std::string> Cipher::encrypt(std::string_view plain) const {
  if (keys_.empty()) return no_key();
  if (plain.size() > kMaxPlain)
    return fail(Code::kTooLarge, "text_too_large", fmt::format("at most {} bytes", kMaxPlain));
  std::string sealed(1 + kNonceBytes + plain.size() + kTagBytes, kVersion);
  unsigned char* const nonce = bytes_of(sealed) + 1;
  randombytes_buf(nonce, kNonceBytes);
  crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + kNonceBytes, nullptr, bytes_of(plain), plain.size(),
                                             bytes_of(kPurpose), kPurpose.size(), nullptr, nonce,
                                             keys_.front().data());
  return to_base64url(sealed);
}

Result<std::string> Cipher::decrypt(std::string_view text) const {
  if (keys_.empty()) return no_key();
  if (text.starts_with(kCipherMark)) text.remove_prefix(kCipherMark.size());
  const auto sealed = from_base64url(text);
  if (!sealed || sealed->size() < 1 + kNonceBytes + kTagBytes || sealed->front() != kVersion)
    return invalid();
  const std::string_view nonce = std::string_view(*sealed).substr(1, kNonceBytes);
  const std::string_view body = std::string_view(*sealed).substr(1 + kNonceBytes);
  std::string plain(body.size() - kTagBytes, '\0');
  for (const Key& key : keys_) {
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(bytes_of(plain), nullptr, nullptr, bytes_of(body),
                                                   body.size(), bytes_of(kPurpose), kPurpose.size(),
                                                   bytes_of(nonce), key.data()) == 0)
      return plain;
  }
  return invalid();
}

size_t Cipher::decrypt_all(std::vector<PropertySource>& sources) const {
  size_t failed = 0;
  for (PropertySource& source : sources) {
    for (Property& property : source.properties) {
      if (!property.value.text.starts_with(kCipherMark)) continue;
      auto plain = decrypt(property.value.text);
      if (plain) {
        property.value.text = *std::move(plain);
        continue;
      }
      property = {"invalid." + property.key, {.text = "<n/a>"}};
      ++failed;
    }
  }
  return failed;
}

}  // namespace micropay::config
