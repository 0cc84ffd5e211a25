#include "libs/http/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <csignal>

#include "libs/base/log.h"
#include "libs/base/metrics.h"

namespace micropay {
namespace {

std::string reason() {
  char text[256] = "";
  ERR_error_string_n(ERR_peek_last_error(), text, sizeof text);
  ERR_clear_error();
  return text;
}

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

}  // namespace

TlsSession::TlsSession(ssl_st* ssl, int fd) : ssl_(ssl) {
  SSL_set_fd(ssl_, fd);
  SSL_set_accept_state(ssl_);
}
TlsSession::~TlsSession() { SSL_free(ssl_); }

TlsSession::Step TlsSession::step_of(int result) {
  const int error = SSL_get_error(ssl_, result);
  if (error == SSL_ERROR_WANT_READ) return Step::kWantsRead;
  if (error == SSL_ERROR_WANT_WRITE) return Step::kWantsWrite;
  if (!SSL_is_init_finished(ssl_)) {
    static Counter& failed =
        counter("micropay_http_tls_failures_total", "TLS handshakes that did not succeed");
    failed.add();
    log_debug("http.tls", "A TLS handshake failed", {{"error.message", reason()}});
  }
  ERR_clear_error();
  return Step::kEnded;
}

TlsSession::Step TlsSession::read(char* to, size_t most, size_t& count) {
  ERR_clear_error();
  const int result = SSL_read_ex(ssl_, to, most, &count);
  return result == 1 ? Step::kDone : step_of(result);
}

TlsSession::Step TlsSession::write(std::string_view bytes, size_t& count) {
  ERR_clear_error();
  const int result = SSL_write_ex(ssl_, bytes.data(), bytes.size(), &count);
  return result == 1 ? Step::kDone : step_of(result);
}

bool TlsSession::has_more() const { return SSL_pending(ssl_) > 0; }

void TlsSession::say_goodbye() {
  if (SSL_is_init_finished(ssl_)) SSL_shutdown(ssl_);
  ERR_clear_error();
}

Result<std::shared_ptr<HttpTls>> HttpTls::open(HttpTlsFiles files) {
  // OpenSSL writes to sockets as to files: a client that has gone would end the process.
  std::signal(SIGPIPE, SIG_IGN);
  std::shared_ptr<HttpTls> tls(new HttpTls(std::move(files)));
  tls->stamp_ = tls->stamp();
  tls->context_ = TRY(tls->load());
  return tls;
}
HttpTls::~HttpTls() { SSL_CTX_free(context_); }

Result<ssl_ctx_st*> HttpTls::load() const {
  std::unique_ptr<SSL_CTX, FreeContext> context(SSL_CTX_new(TLS_server_method()));
  const auto unreadable = [](const std::string& path) {
    return fail(Code::kInvalidArgument, "certificate_unreadable", fmt::format("{}: {}", path, reason()),
                "tls");
  };
  if (!context) return unreadable("OpenSSL");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
  constexpr unsigned char kSessions[] = "micropay";
  SSL_CTX_set_session_id_context(context.get(), kSessions, sizeof kSessions - 1);
  if (SSL_CTX_use_certificate_chain_file(context.get(), files_.certificate.c_str()) != 1)
    return unreadable(files_.certificate);
  if (SSL_CTX_use_PrivateKey_file(context.get(), files_.key.c_str(), SSL_FILETYPE_PEM) != 1)
    return unreadable(files_.key);
  if (SSL_CTX_check_private_key(context.get()) != 1)
    return fail(Code::kInvalidArgument, "key_mismatch",
                fmt::format("{} is not the key of the certificate", files_.key), "tls");
  if (!files_.authority.empty()) {
    if (SSL_CTX_load_verify_locations(context.get(), files_.authority.c_str(), nullptr) != 1)
      return unreadable(files_.authority);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return context.release();
}

std::unique_ptr<TlsSession> HttpTls::session(int fd) {
  std::scoped_lock lock(mutex_);
  SSL* ssl = SSL_new(context_);
  return ssl == nullptr ? nullptr : std::make_unique<TlsSession>(ssl, fd);
}

std::string HttpTls::stamp() const {
  std::string stamp;
  for (const std::string* path : {&files_.certificate, &files_.key, &files_.authority}) {
    struct stat info{};
    if (path->empty() || ::stat(path->c_str(), &info) != 0) continue;
    stamp +=
        fmt::format("{} {} {} {};", info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
  }
  return stamp;
}

void HttpTls::reload_when_changed() {
  std::string now = stamp();
  if (now == stamp_) return;
  stamp_ = std::move(now);
  const auto loaded = load();
  if (!loaded) {
    log_error("http.certificate", "A new certificate cannot be used; the old one stays",
              {{"reason", loaded.error().reason}, {"error.message", loaded.error().detail}});
    return;
  }
  SSL_CTX* old = nullptr;
  {
    std::scoped_lock lock(mutex_);
    old = std::exchange(context_, *loaded);
  }
  SSL_CTX_free(old);  // connections that use it hold it
  log_info("http.certificate", "A new certificate is in use", {{"file.path", files_.certificate}});
}

}  // namespace micropay
