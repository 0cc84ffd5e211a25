// SHA-256 by OpenSSL, which has it for the instructions of x86-64 and ARM.
#include "libs/security/sha256.h"

#include <openssl/evp.h>

#include "libs/base/check.h"

namespace micropay {

struct Sha256::Context {
  EVP_MD* algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~Context() {
    EVP_MD_CTX_free(context);
    EVP_MD_free(algorithm);
  }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  CHECK(context_->algorithm != nullptr && context_->context != nullptr);
}
Sha256::~Sha256() = default;

Sha256::Hash Sha256::operator()(std::string_view first, std::string_view second) {
  Hash hash;
  EVP_MD_CTX* context = context_->context;
  CHECK(EVP_DigestInit_ex2(context, context_->algorithm, nullptr) == 1 &&
        EVP_DigestUpdate(context, first.data(), first.size()) == 1 &&
        EVP_DigestUpdate(context, second.data(), second.size()) == 1 &&
        EVP_DigestFinal_ex(context, reinterpret_cast<uint8_t*>(hash.data()), nullptr) == 1);
  return hash;
}

}  // namespace micropay
