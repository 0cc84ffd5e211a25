// TLS for the HTTP server (1.2 and 1.3): certificates from PEM files, read again when they change.
//
//   auto tls = TRY(HttpTls::open({.certificate = "config.crt", .key = "config.key"}));
//   HttpServer server({.listen = …, .tls = tls}, handler);
//
// With an authority, clients have to show a certificate of it. WebSockets are not served over it.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "libs/base/error.h"

struct ssl_st;
struct ssl_ctx_st;

namespace micropay {

struct HttpTlsFiles {
  std::string certificate;  // PEM, the chain
  std::string key;
  std::string authority = {};  // of clients; empty: they need no certificate
  bool on() const { return !certificate.empty(); }
};

// One connection's side of it. On the loop's thread.
class TlsSession {
 public:
  enum class Step : uint8_t { kDone, kWantsRead, kWantsWrite, kEnded };

  TlsSession(ssl_st* ssl, int fd);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // `count` bytes were read or written when kDone.
  Step read(char* to, size_t most, size_t& count);
  Step write(std::string_view bytes, size_t& count);
  bool has_more() const;  // decrypted already: the socket will not tell of it
  void say_goodbye();     // close_notify, as far as the socket takes it

 private:
  Step step_of(int result);
  ssl_st* ssl_;
};

class HttpTls {
 public:
  // Errors: certificate_unreadable, key_mismatch.
  static Result<std::shared_ptr<HttpTls>> open(HttpTlsFiles files);
  ~HttpTls();

  std::unique_ptr<TlsSession> session(int fd);  // null when there is no memory
  // Looks whether the files are others; those that are wrong are logged, and the old ones stay in use.
  void reload_when_changed();

 private:
  explicit HttpTls(HttpTlsFiles files) : files_(std::move(files)) {}
  Result<ssl_ctx_st*> load() const;
  std::string stamp() const;

  const HttpTlsFiles files_;
  std::mutex mutex_;
  ssl_ctx_st* context_ = nullptr;  // guarded by mutex_
  std::string stamp_;              // of the thread that reloads
};

}  // namespace micropay
