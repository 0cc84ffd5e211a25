#include "libs/rpc/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "libs/base/log.h"
#include "libs/base/metrics.h"

namespace micropay::rpc {
namespace {

constexpr unsigned char kProtocols[] = "\x02h2";

constexpr Duration kRenewBefore = 7 * kDay;

struct ContextDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using ContextPtr = std::unique_ptr<SSL_CTX, ContextDeleter>;
struct CertificateDeleter {
  void operator()(X509* certificate) const { X509_free(certificate); }
};

std::string last_error() {
  char text[256] = "unknown";
  const unsigned long code = ERR_peek_last_error();
  if (code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* in,
                    unsigned in_length, void*) {
  unsigned char* chosen = nullptr;
  const int found =
      SSL_select_next_proto(&chosen, out_length, kProtocols, sizeof kProtocols - 1, in, in_length);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

Time time_of(const ASN1_TIME* time) {
  tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  return Time(timegm(&parts)) * kSecond;
}

std::string_view verify_reason(long result) {
  switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID: return "expired";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: return "unknown_authority";
    default: return "bad_certificate";
  }
}

std::string_view alert_reason(int reason) {
  switch (reason) {
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED: return "expired";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA: return "unknown_authority";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED: return "no_certificate";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR: return "bad_certificate";
    default: return {};
  }
}

}  // namespace

void SslDeleter::operator()(ssl_st* ssl) const { SSL_free(ssl); }

struct TlsKeys::Loaded {
  ContextPtr client, server;
  Time expires_at = 0;
  std::vector<std::string> names;
};

TlsKeys::~TlsKeys() = default;

Result<std::shared_ptr<TlsKeys>> TlsKeys::open(TlsFiles files) {
  auto keys = std::shared_ptr<TlsKeys>(new TlsKeys(std::move(files)));
  keys->stamp_ = keys->stamp();
  keys->use(TRY(keys->load()));
  return keys;
}

void TlsKeys::use(std::shared_ptr<const Loaded> loaded) {
  std::scoped_lock lock(mutex_);
  gauge("micropay_rpc_certificate_expires_timestamp_seconds", "When this process's certificate ends")
      .set(loaded->expires_at / kSecond);
  if (loaded->expires_at < system_clock().now() + kRenewBefore) {
    log_warn("rpc.certificate_ends", "The certificate of this process ends soon: renew it",
             {{"certificate", files_.certificate}, {"expires_at", format_time(loaded->expires_at)}});
  }
  expires_at_ = loaded->expires_at;
  loaded_ = std::move(loaded);
  generation_.fetch_add(1);
}

Result<std::shared_ptr<const TlsKeys::Loaded>> TlsKeys::load() const {
  auto loaded = std::make_shared<Loaded>();
  const auto make = [&](const SSL_METHOD* method, ContextPtr& context) -> Result<void> {
    context.reset(SSL_CTX_new(method));
    SSL_CTX* raw = context.get();
    SSL_CTX_set_min_proto_version(raw, TLS1_3_VERSION);
    SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(raw, 0);
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    const auto unreadable = [](const std::string& path) {
      return fail(Code::kInvalidArgument, "certificate_unreadable",
                  fmt::format("{}: {}", path, last_error()));
    };
    if (SSL_CTX_use_certificate_chain_file(raw, files_.certificate.c_str()) != 1)
      return unreadable(files_.certificate);
    if (SSL_CTX_use_PrivateKey_file(raw, files_.key.c_str(), SSL_FILETYPE_PEM) != 1)
      return unreadable(files_.key);
    if (SSL_CTX_load_verify_file(raw, files_.authority.c_str()) != 1) return unreadable(files_.authority);
    if (SSL_CTX_check_private_key(raw) != 1)
      return fail(Code::kInvalidArgument, "key_mismatch",
                  fmt::format("{} is not the key of {}", files_.key, files_.certificate));
    return {};
  };
  TRY(make(TLS_server_method(), loaded->server));
  TRY(make(TLS_client_method(), loaded->client));
  SSL_CTX_set_alpn_select_cb(loaded->server.get(), choose_protocol, nullptr);
  SSL_CTX_set_alpn_protos(loaded->client.get(), kProtocols, sizeof kProtocols - 1);
  X509* own = SSL_CTX_get0_certificate(loaded->client.get());
  loaded->expires_at = time_of(X509_get0_notAfter(own));
  loaded->names = names_in(own);
  if (loaded->expires_at <= system_clock().now())
    return fail(Code::kInvalidArgument, "certificate_expired",
                fmt::format("{} ended on {}", files_.certificate, format_time(loaded->expires_at)));
  return loaded;
}

SslPtr TlsKeys::make(Side side) const {
  std::shared_ptr<const Loaded> loaded;
  {
    std::scoped_lock lock(mutex_);
    loaded = loaded_;
  }
  SslPtr ssl(SSL_new(side == Side::kServer ? loaded->server.get() : loaded->client.get()));
  if (side == Side::kServer) SSL_set_accept_state(ssl.get());
  else SSL_set_connect_state(ssl.get());
  return ssl;
}

std::string TlsKeys::stamp() const {
  std::string stamp;
  for (const std::string* path : {&files_.certificate, &files_.key, &files_.authority}) {
    struct stat status{};
    if (stat(path->c_str(), &status) != 0) return {};
    fmt::format_to(std::back_inserter(stamp), "{}.{}.{}.{};", status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                   status.st_ino, status.st_size);
  }
  return stamp;
}

void TlsKeys::reload_when_changed() {
  std::scoped_lock lock(reload_mutex_);
  std::string now = stamp();
  if (now.empty() || now == stamp_) return;
  stamp_ = std::move(now);
  auto loaded = load();
  if (!loaded) {
    log_warn("rpc.certificate_rejected", "The changed certificate is not usable: the present one stays",
             {{"error.code", loaded.error().reason}, {"error.message", loaded.error().detail}});
    return;
  }
  use(*loaded);
  log_info("rpc.certificate_loaded", "A changed certificate is in use",
           {{"certificate", files_.certificate}, {"expires_at", format_time(expires_at_)}});
}

std::vector<std::string> TlsKeys::own_names() const {
  std::scoped_lock lock(mutex_);
  return loaded_->names;
}

std::vector<std::string> TlsKeys::peer_names(ssl_st* ssl) const {
  const std::unique_ptr<X509, CertificateDeleter> peer(SSL_get1_peer_certificate(ssl));
  return peer ? names_in(peer.get()) : std::vector<std::string>();
}

std::vector<std::string> TlsKeys::names_in(x509_st* certificate) const {
  const std::string prefix = "spiffe://" + files_.trust_domain + "/", suffix = "." + files_.trust_domain;
  std::vector<std::string> names;
  auto* all =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(all); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(all, i);
    if (name->type != GEN_URI && name->type != GEN_DNS) continue;
    const ASN1_IA5STRING* text = name->d.ia5;
    std::string_view view(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                          size_t(ASN1_STRING_length(text)));
    if (name->type == GEN_URI && view.starts_with(prefix)) names.emplace_back(view.substr(prefix.size()));
    if (name->type == GEN_DNS && view.ends_with(suffix) && view.find('.') == view.size() - suffix.size())
      names.emplace_back(view.substr(0, view.size() - suffix.size()));
  }
  GENERAL_NAMES_free(all);
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

// What OpenSSL knows of a failed handshake, or of the alert that ended a connection.
Loss TlsKeys::handshake_loss(ssl_st* ssl) {
  const long verified = SSL_get_verify_result(ssl);
  const unsigned long code = ERR_peek_last_error();
  const int reason = ERR_GET_REASON(code);
  if (verified != X509_V_OK) {
    ERR_clear_error();
    return {std::string(verify_reason(verified)), X509_verify_cert_error_string(verified), false};
  }
  if (const auto alert = alert_reason(reason); !alert.empty())
    return {std::string(alert), last_error(), true};
  if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) return {"no_certificate", last_error(), false};
  if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
      reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
    return {reason == SSL_R_UNEXPECTED_EOF_WHILE_READING ? "lost" : "not_tls", last_error(), false};
  return {code == 0 ? "lost" : "tls", last_error(), false};
}

}  // namespace micropay::rpc
