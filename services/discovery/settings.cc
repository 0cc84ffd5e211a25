#include "services/discovery/settings.h"

#include "libs/base/settings.h"
#include "libs/remote/addresses.h"

namespace micropay::discovery {
DiscoverySettings DiscoverySettings::read(Settings& settings) {
  DiscoverySettings values;
  values.listen =
      settings.text("discovery.listen", values.listen, "Address of the discovery service, host:port");
  values.ops_listen = settings.text("discovery.ops_listen", values.ops_listen,
                                    "Address of metrics and health of the discovery service, host:port");
  values.peers = split_addresses(settings.text(
      "discovery.peers", "", "The other discovery servers, http://host:8761/eureka, with commas"));
  values.user = settings.text("discovery.user", values.user, "The user name of clients and peers");
  values.password = settings.secret(
      "discovery.password", "The password of clients and peers; without one, only loopback is served");
  values.tls = {.certificate = settings.text("discovery.tls.certificate", "",
                                             "Certificate chain, PEM; empty: plain HTTP"),
                .key = settings.text("discovery.tls.key", "", "Its private key, PEM"),
                .authority = settings.text("discovery.tls.client_authority", "",
                                           "Authority, PEM, of certificates that clients show")};
  values.snapshot = settings.text("discovery.snapshot", "", "A file that keeps the registry over a restart");
  values.ca_file =
      settings.text("discovery.ca_file", "", "Certificates of authorities, PEM, for peers with https://");
  values.registry.self_preservation =
      settings.flag("discovery.self_preservation", true,
                    "Whether nobody is evicted while more than 15 % of the expected renewals are missing");
  values.registry.preserved_from =
      size_t(settings.integer("discovery.preserved_from", int64_t(values.registry.preserved_from), 1, 100'000,
                              "Instances from which on self-preservation makes sense"));
  values.registry.max_instances =
      size_t(settings.integer("discovery.max_instances", int64_t(values.registry.max_instances), 1, 1'000'000,
                              "Instances at most; more are refused"));
  values.eviction_interval = settings.duration("discovery.eviction_interval", values.eviction_interval,
                                               "How often leases that ended are looked for");
  values.sync_timeout = settings.duration("discovery.sync_timeout", values.sync_timeout,
                                          "How long the peers are asked for their registry at start");
  return values;
}

Result<void> DiscoverySettings::check() const {
  const auto wrong = [](const char* field, std::string detail) {
    return fail(Code::kInvalidArgument, "invalid_setting", std::move(detail), field);
  };
  const bool loopback =
      listen.starts_with("127.") || listen.starts_with("[::1]") || listen.starts_with("localhost:");
  if (password.empty() && !loopback)
    return wrong("discovery.password",
                 "beyond loopback, clients need a password: who registers is sent requests");
  for (const std::string& peer : peers)
    if (!peer.starts_with("http://") && !peer.starts_with("https://"))
      return wrong("discovery.peers", fmt::format("{} is no http:// or https:// address", peer));
  return {};
}

}  // namespace micropay::discovery
