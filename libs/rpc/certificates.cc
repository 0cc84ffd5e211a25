#include "libs/rpc/certificates.h"

#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace micropay::rpc {
namespace {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Buffer = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using Number = std::unique_ptr<BIGNUM, Deleter<BN_free>>;
using Instant = std::unique_ptr<ASN1_TIME, Deleter<ASN1_TIME_free>>;

constexpr Duration kAuthorityLife = 3650 * kDay;
constexpr Duration kEarlier = kHour;  // clocks of other machines may be behind
constexpr long kVersion3 = 2;
constexpr int kSerialBits = 120;

struct Pair {
  Key key;
  Certificate certificate;
};

std::unexpected<Error> broken() {
  char text[200] = "";
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  return fail(Code::kInternal, "openssl_failed", text);
}

std::string text_of(const Buffer& buffer) {
  char* bytes = nullptr;
  const long length = BIO_get_mem_data(buffer.get(), &bytes);
  return {bytes, size_t(length)};
}

Result<void> write_file(const std::string& path, const std::string& text, mode_t mode) {
  const std::string beside = path + ".new";
  ::unlink(beside.c_str());
  const int fd = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  const bool written = fd >= 0 && ::write(fd, text.data(), text.size()) == ssize_t(text.size());
  const bool closed = fd >= 0 && ::close(fd) == 0;
  if (written && closed && ::rename(beside.c_str(), path.c_str()) == 0) return {};
  return fail(Code::kUnavailable, "cannot_write", fmt::format("{}: {}", path, std::strerror(errno)));
}

Result<std::vector<std::string>> write_pair(const std::string& stem, const Pair& pair) {
  Buffer key(BIO_new(BIO_s_mem())), certificate(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PrivateKey(key.get(), pair.key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      PEM_write_bio_X509(certificate.get(), pair.certificate.get()) != 1)
    return broken();
  // The certificate is written last: whoever looks whether it changed finds the key that belongs to it.
  TRY(write_file(stem + ".key", text_of(key), 0600));
  TRY(write_file(stem + ".crt", text_of(certificate), 0644));
  return std::vector<std::string>{stem + ".crt", stem + ".key"};
}

// An authority signs itself.
struct Wanted {
  std::string common_name;
  Time from = 0, until = 0;
  std::vector<std::pair<int, std::string>> extensions;
};

Result<Pair> make_pair(const Wanted& wanted, const Pair* authority) {
  Pair pair{Key(EVP_EC_gen("P-256")), Certificate(X509_new())};
  X509* raw = pair.certificate.get();
  const Number serial(BN_new());
  if (!pair.key || raw == nullptr ||
      BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) != 1)
    return broken();
  X509_set_version(raw, kVersion3);
  BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(raw));
  const Instant from(ASN1_TIME_set(nullptr, wanted.from / kSecond)),
      until(ASN1_TIME_set(nullptr, wanted.until / kSecond));
  X509_set1_notBefore(raw, from.get());
  X509_set1_notAfter(raw, until.get());
  X509_set_pubkey(raw, pair.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(raw), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(wanted.common_name.c_str()), -1, -1, 0);
  X509* issuer = authority == nullptr ? raw : authority->certificate.get();
  X509_set_issuer_name(raw, X509_get_subject_name(issuer));
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, raw, nullptr, nullptr, 0);
  for (const auto& [id, value] : wanted.extensions) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
    if (extension == nullptr) return broken();
    X509_add_ext(raw, extension, -1);
    X509_EXTENSION_free(extension);
  }
  EVP_PKEY* signer = authority == nullptr ? pair.key.get() : authority->key.get();
  if (X509_sign(raw, signer, EVP_sha256()) == 0) return broken();
  return pair;
}

Result<Pair> read_pair(const std::string& stem) {
  Buffer key(BIO_new_file((stem + ".key").c_str(), "r")),
      certificate(BIO_new_file((stem + ".crt").c_str(), "r"));
  Pair pair;
  if (key) pair.key.reset(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr));
  if (certificate) pair.certificate.reset(PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr));
  if (pair.key && pair.certificate && X509_check_private_key(pair.certificate.get(), pair.key.get()) == 1)
    return pair;
  ERR_clear_error();
  return fail(
      Code::kInvalidArgument, "authority_unreadable",
      fmt::format("{0}.crt and {0}.key are no certificate with its key; remove both to have new ones", stem));
}

std::vector<std::string> split(const std::string& name) {
  std::vector<std::string> parts(1);
  for (const char c : name) {
    if (c == '+') parts.emplace_back();
    else parts.back().push_back(c);
  }
  return parts;
}

bool is_name(const std::string& text) {
  return !text.empty() && text.size() <= 63 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

bool is_host(const std::string& text) {
  return !text.empty() && text.size() <= 253 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == ':';
  });
}

bool is_numeric(const std::string& host) {
  return host.find(':') != host.npos || host.find_first_not_of("0123456789.") == host.npos;
}

Result<Wanted> wanted_for(const CertificateOptions& options, const std::string& name) {
  std::string alternatives;
  const auto add = [&](std::string_view kind, const std::string& value) {
    fmt::format_to(std::back_inserter(alternatives), "{}{}:{}", alternatives.empty() ? "" : ",", kind, value);
  };
  for (const std::string& service : split(name)) {
    if (!is_name(service))
      return fail(Code::kInvalidArgument, "invalid_name", fmt::format("'{}' is not a service's name", name));
    add("URI", "spiffe://" + options.trust_domain + "/" + service);
    add("DNS", service + "." + options.trust_domain);
  }
  std::vector<std::string> hosts = {"localhost", "127.0.0.1", "::1"};
  hosts.insert(hosts.end(), options.hosts.begin(), options.hosts.end());
  for (const std::string& host : hosts) {
    if (!is_host(host))
      return fail(Code::kInvalidArgument, "invalid_name", fmt::format("'{}' is not a host", host));
    add(is_numeric(host) ? "IP" : "DNS", host);
  }
  return Wanted{.common_name = name.substr(0, 60),
                .from = options.now - kEarlier,
                .until = options.now + options.life,
                .extensions = {{NID_basic_constraints, "critical,CA:FALSE"},
                               {NID_key_usage, "critical,digitalSignature"},
                               {NID_ext_key_usage, "serverAuth,clientAuth"},
                               {NID_subject_alt_name, alternatives},
                               {NID_authority_key_identifier, "keyid:always"}}};
}

}  // namespace

Result<std::vector<std::string>> make_certificates(const CertificateOptions& options) {
  std::vector<std::pair<std::string, Wanted>> all;  // nothing is written when a name is wrong
  all.reserve(options.names.size());
  for (const std::string& name : options.names) all.emplace_back(name, TRY(wanted_for(options, name)));
  if (::mkdir(options.folder.c_str(), 0755) != 0 && errno != EEXIST)
    return fail(Code::kUnavailable, "cannot_write",
                fmt::format("{}: {}", options.folder, std::strerror(errno)));
  std::vector<std::string> written;
  const auto add = [&](std::vector<std::string> paths) {
    written.insert(written.end(), paths.begin(), paths.end());
  };
  const std::string stem = options.folder + "/authority";
  Pair authority;
  if (::access((stem + ".crt").c_str(), F_OK) == 0) {
    authority = TRY(read_pair(stem));
  } else {
    authority = TRY(make_pair({.common_name = options.trust_domain + " authority",
                               .from = options.now - kEarlier,
                               .until = options.now + kAuthorityLife,
                               .extensions = {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                                              {NID_key_usage, "critical,keyCertSign,cRLSign"},
                                              {NID_subject_key_identifier, "hash"}}},
                              nullptr));
    add(TRY(write_pair(stem, authority)));
  }
  for (const auto& [name, wanted] : all)
    add(TRY(write_pair(options.folder + "/" + name, TRY(make_pair(wanted, &authority)))));
  return written;
}

}  // namespace micropay::rpc
