// Declares the keys rpc.*.
#include "libs/rpc/settings.h"

#include "libs/base/settings.h"

namespace micropay::rpc {

RpcSettings RpcSettings::read(Settings& settings) {
  RpcSettings values;
  const auto count = [&](std::string_view key, auto standard, int64_t min, int64_t max,
                         std::string_view help) {
    return decltype(standard)(settings.integer(key, int64_t(standard), min, max, help));
  };
  values.server.listen = settings.text(
      "rpc.listen", "", "Address for calls of other processes, host:port; empty: the service's own port");
  values.files.certificate =
      settings.text("rpc.certificate", "", "Certificate of this process, PEM; it names the service");
  values.files.key = settings.text("rpc.key", "", "Its private key, PEM");
  values.files.authority =
      settings.text("rpc.authority", "", "Certificate of the authority that signed everybody's, PEM");
  values.files.trust_domain = settings.text("rpc.trust_domain", values.files.trust_domain,
                                            "Certificates name services as spiffe://DOMAIN/SERVICE");
  values.plaintext = settings.flag(
      "rpc.plaintext", false, "Calls without certificates, on this machine's own address only: for tests");
  values.targets = settings.text(
      "rpc.targets", "",
      "Instances by service, where there is no discovery: payment=host:port+host:port,balance=host:port");
  values.client.timeout = settings.duration("rpc.timeout", values.client.timeout,
                                            "How long a call may take, its retries included");
  values.client.connect_timeout = settings.duration("rpc.connect_timeout", values.client.connect_timeout,
                                                    "How long a connection may take to be made");
  values.client.attempts = count("rpc.attempts", values.client.attempts, 1, 10,
                                 "Attempts of a call that may be repeated, each on another instance");
  values.client.retry_percent =
      count("rpc.retry_percent", values.client.retry_percent, 0, 100, "Retries at most, of a hundred calls");
  values.client.breaker.failures = count("rpc.breaker_failures", values.client.breaker.failures, 1, 1'000,
                                         "Failures in a row after which an instance is not called");
  values.client.breaker.open = settings.duration("rpc.breaker_open", values.client.breaker.open,
                                                 "How long it is not called, until one call tries");
  values.client.max_calls =
      count("rpc.max_outgoing_calls", values.client.max_calls, 1, 1'000'000,
            "Calls to others that run at once, on each I/O thread; more are answered 503");
  values.client.max_message_bytes = count("rpc.max_message_bytes", values.client.max_message_bytes, 1 << 10,
                                          256 << 20, "Size of a message at most");
  values.server.max_message_bytes = values.client.max_message_bytes;
  values.server.max_calls = count("rpc.max_calls", values.server.max_calls, 1, 1'000'000,
                                  "Calls of others that run at once; more are answered 503");
  values.server.threads =
      count("rpc.threads", values.server.threads, 1, 64, "Threads that read calls and write answers");
  values.server.query_threads =
      count("rpc.query_threads", values.server.query_threads, 1, 64, "Threads that answer lists and exports");
  return values;
}

Result<std::shared_ptr<TlsKeys>> RpcSettings::open_keys() const {
  if (plaintext) return std::shared_ptr<TlsKeys>();
  if (files.certificate.empty() || files.key.empty() || files.authority.empty()) {
    return fail(Code::kInvalidArgument, "no_certificate",
                "Set rpc.certificate, rpc.key and rpc.authority; micropay certs makes them.",
                "rpc.certificate");
  }
  return TlsKeys::open(files);
}

ServerOptions RpcSettings::server_options(std::shared_ptr<TlsKeys> keys) const {
  ServerOptions options = server;
  options.keys = std::move(keys);
  options.plaintext = plaintext;
  return options;
}

ClientOptions RpcSettings::client_options(std::shared_ptr<TlsKeys> keys, std::string caller) const {
  ClientOptions options = client;
  options.keys = std::move(keys);
  options.plaintext = plaintext;
  options.caller = std::move(caller);
  return options;
}

}  // namespace micropay::rpc
