// Mutual TLS between processes. A process shows its certificate and demands one, both of the same authority;
// who the other is stands in the certificate: "spiffe://micropay/payment" as a URI of its subject alternative
// names, or the DNS name "payment.micropay". A process of several services has several of them.
//
//   auto keys = TRY(TlsKeys::open({.certificate = "payment.crt", .key = "payment.key", .authority =
//   "ca.crt"})); keys->reload_when_changed();     // every few seconds, any thread: renewed files serve new
//   connections
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "libs/base/error.h"
#include "libs/base/time.h"

struct ssl_st;
struct ssl_ctx_st;
struct x509_st;

namespace micropay::rpc {

struct TlsFiles {
  std::string certificate;  // PEM, the chain
  std::string key;
  std::string authority;
  std::string trust_domain = "micropay";
};

// Why a connection could not be made or was lost. `reason` is a closed set, for metrics: expired,
// unknown_authority, no_certificate, wrong_identity, bad_certificate, not_tls, tls, refused, timeout, lost,
// protocol, closed.
struct Loss {
  std::string reason = "lost";
  std::string detail;
  bool told_by_peer = false;  // the other side refused, and said so
};

struct SslDeleter {
  void operator()(ssl_st* ssl) const;
};
using SslPtr = std::unique_ptr<ssl_st, SslDeleter>;

class TlsKeys {
 public:
  // Errors: certificate_unreadable, key_mismatch, certificate_expired (it says since when).
  static Result<std::shared_ptr<TlsKeys>> open(TlsFiles files);
  ~TlsKeys();

  enum class Side : uint8_t { kClient, kServer };
  SslPtr make(Side side) const;
  // Files that are half written or wrong are logged, and what was there stays in use.
  void reload_when_changed();
  uint64_t generation() const { return generation_; }  // counts the reloads
  Time expires_at() const { return expires_at_; }      // of our own certificate
  std::vector<std::string> own_names() const;          // services of our own certificate

  // Services that the peer's certificate names.
  std::vector<std::string> peer_names(ssl_st* ssl) const;
  static Loss handshake_loss(ssl_st* ssl);

 private:
  struct Loaded;
  explicit TlsKeys(TlsFiles files) : files_(std::move(files)) {}
  Result<std::shared_ptr<const Loaded>> load() const;
  std::string stamp() const;  // changes when a file does
  std::vector<std::string> names_in(x509_st* certificate) const;
  void use(std::shared_ptr<const Loaded> loaded);

  const TlsFiles files_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Loaded> loaded_;  // guarded by mutex_
  std::mutex reload_mutex_;
  std::string stamp_;  // of the files as they were last read; guarded by reload_mutex_
  std::atomic<uint64_t> generation_{0};
  std::atomic<Time> expires_at_{0};
};

}  // namespace micropay::rpc
