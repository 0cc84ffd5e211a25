// The ring of a process that only verifies: public keys that it was shown.
#include <simdjson.h>

#include <algorithm>

#include "libs/security/encoding.h"
#include "libs/security/keys.h"

namespace micropay {
namespace {

constexpr size_t kMostKeys = 100;

Result<SigningKey> public_key(const simdjson::dom::element& element) {
  std::string_view id, curve, x;
  SigningKey key;
  if (element["kid"].get(id) || element["crv"].get(curve) || element["x"].get(x) || curve != "Ed25519")
    return fail(Code::kInvalidArgument, "invalid_jwks", "A key is not one of Ed25519.");
  const std::optional<std::string> bytes = from_base64url(x);
  if (!bytes || bytes->size() != key.public_key.size())
    return fail(Code::kInvalidArgument, "invalid_jwks", "A public key is not 32 bytes.");
  key.id = id;
  std::copy(bytes->begin(), bytes->end(), key.public_key.begin());
  return key;
}

}  // namespace

std::shared_ptr<KeyRing> KeyRing::verifying(const Clock& clock) {
  auto ring = std::make_shared<KeyRing>("", clock);
  ring->verifies_only_ = true;
  ring->keys_ = std::make_shared<const Keys>();
  return ring;
}

bool KeyRing::may_lack(std::string_view key_id) {
  const std::scoped_lock lock(mutex_);
  if (!verifies_only_ || (!keys_->empty() && !outdated_)) return false;
  return std::ranges::find(*keys_, key_id, &SigningKey::id) == keys_->end();
}

bool KeyRing::empty() {
  const auto all = keys();
  return !all || (*all)->empty();
}

Result<void> KeyRing::show(std::string_view jwks) {
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  simdjson::dom::array array;
  const simdjson::padded_string text(jwks);
  if (parser.parse(text).get(document) || document["keys"].get(array) || array.size() > kMostKeys)
    return fail(Code::kInvalidArgument, "invalid_jwks", "That is no JSON Web Key Set.");
  Keys keys;
  for (const simdjson::dom::element element : array) keys.push_back(TRY(public_key(element)));
  const std::scoped_lock lock(mutex_);
  keys_ = std::make_shared<const Keys>(std::move(keys));
  return {};
}

}  // namespace micropay
