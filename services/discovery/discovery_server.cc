#include "services/discovery/discovery_server.h"

#include <pthread.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <thread>

#include "libs/base/log.h"
#include "libs/http/error_response.h"
#include "libs/http/operations.h"
#include "libs/http/server.h"
#include "services/discovery/api.h"
#include "services/discovery/replication.h"

namespace micropay::discovery {

struct DiscoveryServer::Impl {
  Impl(DiscoverySettings given, Parts with)
      : settings(std::move(given)),
        parts(with),
        api(settings, {.clock = parts.clock,
                       .replicate = [this](const Replica& replica) { replication.tell(replica); }}),
        replication(settings, api, parts.clock) {}

  Result<void> start();
  void read_snapshot();
  void write_snapshot();
  void keep_house();
  void stop_house();

  DiscoverySettings settings;
  Parts parts;
  Api api;
  Replication replication;
  std::atomic<bool> ready = false;
  std::unique_ptr<HttpServer> server;
  std::unique_ptr<HttpServer> operations;
  std::mutex mutex;
  std::condition_variable wake;
  bool stopped = false;  // guarded by mutex
  uint64_t written = 0;  // version of the snapshot
  std::thread house;     // evicts, writes the snapshot
};

void DiscoveryServer::Impl::read_snapshot() {
  if (settings.snapshot.empty()) return;
  std::ifstream file(settings.snapshot, std::ios::binary);
  if (!file) return;
  const auto taken = api.take_in(std::string(std::istreambuf_iterator<char>(file), {}));
  if (taken) log_info("discovery.restored", "The registry of the last run was read", {{"instances", *taken}});
  else
    log_warn("discovery.snapshot", "The snapshot cannot be read; instances will register again",
             {{"file.path", settings.snapshot}, {"reason", taken.error().reason}});
}

void DiscoveryServer::Impl::write_snapshot() {
  const uint64_t version = api.version();
  if (settings.snapshot.empty() || version == written) return;
  const std::string beside = settings.snapshot + ".new";
  {
    std::ofstream file(beside, std::ios::binary | std::ios::trunc);
    file << api.all_json();
    if (!file.flush()) {
      log_warn("discovery.snapshot", "The snapshot cannot be written", {{"file.path", beside}});
      return;
    }
  }
  std::error_code error;
  std::filesystem::rename(beside, settings.snapshot, error);
  if (!error) written = version;
}

void DiscoveryServer::Impl::keep_house() {
  pthread_setname_np(pthread_self(), "discovery");
  std::unique_lock lock(mutex);
  Time evicted_at = parts.clock.monotonic();
  while (!stopped) {
    wake.wait_for(lock, std::chrono::microseconds(std::min(settings.eviction_interval, kSecond)),
                  [this] { return stopped; });
    lock.unlock();
    if (parts.clock.monotonic() - evicted_at >= settings.eviction_interval) {
      evicted_at = parts.clock.monotonic();
      api.evict();
    }
    write_snapshot();
    lock.lock();
  }
}

Result<void> DiscoveryServer::Impl::start() {
  TRY(settings.check());
  HttpOptions options{
      .listen = settings.listen, .max_connections = 10'000, .max_body_bytes = kMaxDocumentBytes};
  options.problem = malformed_response;
  if (settings.tls.on()) {
    options.tls = TRY(HttpTls::open(settings.tls));
    options.on_second = [tls = options.tls](size_t) { tls->reload_when_changed(); };
  }
  server = std::make_unique<HttpServer>(
      std::move(options),
      [this](HttpRequest&& request, const Responder& responder) { responder.send(api.answer(request)); });
  operations = std::make_unique<HttpServer>(
      HttpOptions{.listen = settings.ops_listen, .max_connections = 200},
      operations_handler([this] { return Health{.started = true, .ready = ready.load()}; }));
  TRY(operations->start());
  if (!replication.take_over()) read_snapshot();
  TRY(server->start());
  replication.start();
  house = std::thread([this] { keep_house(); });
  ready = true;
  log_info("discovery.started", "The discovery service serves",
           {{"address", server->address()}, {"peers", settings.peers.size()}});
  return {};
}

void DiscoveryServer::Impl::stop_house() {
  {
    std::scoped_lock lock(mutex);
    stopped = true;
  }
  wake.notify_all();
  if (house.joinable()) house.join();
}

DiscoveryServer::DiscoveryServer(DiscoverySettings settings, Parts parts)
    : impl_(std::make_unique<Impl>(std::move(settings), parts)) {}
DiscoveryServer::~DiscoveryServer() { stop(0); }

Result<void> DiscoveryServer::start() { return impl_->start(); }
void DiscoveryServer::refuse_new() { impl_->ready = false; }

void DiscoveryServer::stop(Duration grace) {
  impl_->ready = false;
  if (impl_->server) impl_->server->stop(grace);
  impl_->replication.stop();
  impl_->stop_house();
  if (impl_->operations) impl_->operations->stop(0);
}

std::string DiscoveryServer::address() const {
  return impl_->server ? impl_->server->address() : std::string();
}
std::string DiscoveryServer::ops_address() const {
  return impl_->operations ? impl_->operations->address() : std::string();
}

}  // namespace micropay::discovery
