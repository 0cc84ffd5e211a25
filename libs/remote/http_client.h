// A small blocking HTTP client over libcurl, for the calls between processes of one installation: settings,
// registrations, replication. It keeps its connection; used by one thread at a time.
//
//   HttpClient client({.user = "config", .password = password});
//   RemoteAnswer answer = TRY(client.send({.url = "http://127.0.0.1:8888/payment/eu"}));   // whatever its
//   status
//
// No redirects, no proxies, only http:// and https:// (certificates are always checked).
// Errors: remote_unavailable (no connection, broken off), remote_timeout, remote_too_large, remote_cancelled.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libs/base/error.h"
#include "libs/base/time.h"

namespace micropay {

struct HttpClientOptions {
  std::string user = {};  // HTTP Basic, when there is a password
  std::string password = {};
  std::string ca_file = {};           // authorities, PEM; empty: the system's
  std::string certificate_file = {};  // our own for mutual TLS, PEM, with key_file
  std::string key_file = {};
  Duration connect_timeout = 2 * kSecond;
  Duration timeout = 5 * kSecond;  // of a whole call
  size_t max_body_bytes = 16 << 20;
};

struct RemoteRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::string> headers = {};  // "Accept: application/json"
  std::string body = {};
};

struct RemoteAnswer {
  uint32_t status = 0;
  std::string body;
  bool ok() const { return status >= 200 && status < 300; }
};

class HttpClient {
 public:
  explicit HttpClient(HttpClientOptions options);
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;

  Result<RemoteAnswer> send(const RemoteRequest& request);
  // Any thread: a call that is under way ends within a second, later ones at once.
  void cancel();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace micropay
