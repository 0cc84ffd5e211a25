#include "app/cluster/settings.h"

#include "libs/contract/model.h"

namespace micropay::app {
namespace {

std::string for_service(std::string url, std::string_view service) {
  constexpr std::string_view kPlace = "{service}";
  if (const size_t at = url.find(kPlace); at != url.npos) url.replace(at, kPlace.size(), service);
  return url;
}

}  // namespace

ClusterSettings::ClusterSettings(Settings& settings)
    : on(settings.choice("profile", "embedded", {"embedded", "cluster"},
                         "embedded: every service in this process, with a data folder; cluster: those of "
                         "--services, over a database each and Kafka") == "cluster"),
      store_url(
          settings.text("store.url", "postgres://micropay_app@127.0.0.1:5432/micropay_{service}_db",
                        "Database of each service, postgres:// or mysql://, as the application's role")),
      store_owner_url(
          settings.text("store.owner_url", "",
                        "The same as the role that owns the tables and makes them at start; empty: "
                        "the application's, or all is there")),
      store_password(settings.secret("store.password", "Password of both roles")),
      store_lease(settings.duration("store.lease", 5 * kSecond,
                                    "How long an instance may say nothing before others take over")),
      start_patience(settings.duration("start.patience", kMinute,
                                       "How long a process waits at its start for database and broker")),
      start_compare(settings.flag(
          "start.compare", true,
          "Whether a process compares topics with the logs of their services before it begins; for which it "
          "reads the databases of the services that it hears of. Off: where it may not")),
      tick_interval(
          settings.duration("store.tick_interval", 6 * kMillisecond,
                            "Least time between two commits of an instance: a busy one makes few and "
                            "large ones; 0s: as many as it can")),
      store_readers(settings.integer("store.readers", 4, 1, 100, "Connections for queries")),
      cache_rows(settings.integer("store.cluster_cache_rows", 100'000, 1'000, 100'000'000,
                                  "Rows that a service's engine keeps in memory")),
      instance(
          settings.text("instance.id", "", "Name of this instance in its databases; empty: one of its own")),
      listen(settings.text("rpc.listen", "",
                           "Where this process serves calls of others; empty: the ports of "
                           "its services on 127.0.0.1")),
      advertise(settings.text("rpc.advertise", "",
                              "The host that others find this process by; empty: the "
                              "one it listens on")),
      targets(settings.text("rpc.targets", "",
                            "Instances when there is no discovery, "
                            "payment=HOST:PORT+HOST:PORT,balance=HOST:PORT")),
      plaintext(settings.flag("rpc.plaintext", false, "Calls without TLS, on this machine only; for tests")),
      tls{.certificate = settings.text("rpc.tls.certificate", "", "Certificate chain of this process, PEM"),
          .key = settings.text("rpc.tls.key", "", "Its private key, PEM"),
          .authority =
              settings.text("rpc.tls.authority", "", "The authority that others' certificates are of, PEM")},
      keys_folder(settings.text("user.keys", "",
                                "Folder of the keys that sign access tokens, shared by the "
                                "instances of user; empty: the data folder")),
      kafka(settings),
      redis(RedisSettings::read(settings)),
      trace(TraceSettings::read(settings)) {}

Result<ServerStoreOptions> ClusterSettings::store_of(const std::string& service) const {
  ServerStoreOptions options;
  options.address = TRY(parse_sql_address(for_service(store_url, service), store_password));
  if (!store_owner_url.empty())
    options.owner = TRY(parse_sql_address(for_service(store_owner_url, service), store_password));
  options.services = {service};
  options.instance = instance;
  options.lease = store_lease;
  options.cache_rows = size_t(cache_rows);
  options.readers = size_t(store_readers);
  return options;
}

Result<std::shared_ptr<rpc::TlsKeys>> ClusterSettings::open_keys() const {
  if (plaintext) return nullptr;
  return rpc::TlsKeys::open(tls);
}

std::string ClusterSettings::rpc_listen(const std::string& service, bool alone) const {
  const uint32_t port = contract::model().service(service)->port;
  if (listen.empty()) return fmt::format("127.0.0.1:{}", port);
  if (alone) return listen;
  return fmt::format("{}:{}", listen.substr(0, listen.rfind(':')), port);
}

}  // namespace micropay::app
