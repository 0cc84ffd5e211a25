#include "services/config/config_server.h"

#include "libs/base/log.h"
#include "libs/http/error_response.h"
#include "libs/http/operations.h"
#include "libs/http/server.h"
#include "libs/http/worker_pool.h"
#include "services/config/api.h"

namespace micropay::config {
namespace {

constexpr size_t kMaxQueued = 500;
constexpr size_t kMaxBody = 64 << 10;

std::unique_ptr<Backend> backend_of(const ConfigSettings& settings) {
  if (!settings.directory.empty()) return directory_backend(settings.directory);
  return git_backend({.repository = settings.git, .label = settings.git_label, .work = settings.work});
}

}  // namespace

struct ConfigServer::Impl {
  Impl(ConfigSettings given, Parts with)
      : settings(std::move(given)), parts(std::move(with)), pool(settings.threads, kMaxQueued) {}

  Result<void> start();
  void handle(HttpRequest&& request, Responder&& responder);

  ConfigSettings settings;
  Parts parts;
  Cipher cipher;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Watcher> watcher;
  std::unique_ptr<Api> api;
  WorkerPool pool;
  std::atomic<bool> ready = false;
  std::unique_ptr<HttpServer> server;
  std::unique_ptr<HttpServer> operations;
};

Result<void> ConfigServer::Impl::start() {
  TRY(settings.check());
  if (!settings.key_file.empty()) cipher = TRY(Cipher::from_file(settings.key_file));
  backend = backend_of(settings);
  watcher = std::make_unique<Watcher>(*backend, settings.watch_interval, [this](const Changed& changed) {
    if (parts.on_changed) parts.on_changed(changed);
  });
  api = std::make_unique<Api>(
      settings, Api::Parts{.backend = *backend,
                           .cipher = cipher,
                           .clock = parts.clock,
                           .refresh = [this] { watcher->look_now(); },
                           .asked = [this](const std::string& label) { watcher->watch(label); }});
  HttpOptions options{.listen = settings.listen, .max_connections = 2'000, .max_body_bytes = kMaxBody};
  options.problem = malformed_response;
  if (settings.tls.on()) {
    options.tls = TRY(HttpTls::open(settings.tls));
    options.on_second = [tls = options.tls](size_t) { tls->reload_when_changed(); };
  }
  server =
      std::make_unique<HttpServer>(std::move(options), [this](HttpRequest&& request, Responder responder) {
        handle(std::move(request), std::move(responder));
      });
  operations = std::make_unique<HttpServer>(
      HttpOptions{.listen = settings.ops_listen, .max_connections = 200},
      operations_handler([this] { return Health{.started = true, .ready = ready.load()}; }));
  TRY(operations->start());
  TRY(server->start());
  watcher->start();
  ready = true;
  log_info("config.started", "The config service serves",
           {{"address", server->address()},
            {"backend", settings.git.empty() ? settings.directory : settings.git},
            {"encrypts", cipher.has_key()}});
  return {};
}

void ConfigServer::Impl::handle(HttpRequest&& request, Responder&& responder) {
  auto held = std::make_shared<HttpRequest>(std::move(request));
  const bool taken = pool.submit([this, held, responder] { responder.send(api->answer(*held)); });
  if (!taken)
    responder.send(error_response({.code = Code::kUnavailable,
                                   .reason = "overloaded",
                                   .detail = "Too many requests wait.",
                                   .retry_after_s = 1}));
}

ConfigServer::ConfigServer(ConfigSettings settings, Parts parts)
    : impl_(std::make_unique<Impl>(std::move(settings), std::move(parts))) {}
ConfigServer::~ConfigServer() { stop(0); }

Result<void> ConfigServer::start() { return impl_->start(); }
void ConfigServer::refuse_new() { impl_->ready = false; }

void ConfigServer::stop(Duration grace) {
  impl_->ready = false;
  if (impl_->watcher) impl_->watcher->stop();
  if (impl_->server) impl_->server->stop(grace);
  impl_->pool.stop();
  if (impl_->operations) impl_->operations->stop(0);
}

std::string ConfigServer::address() const { return impl_->server ? impl_->server->address() : std::string(); }
std::string ConfigServer::ops_address() const {
  return impl_->operations ? impl_->operations->address() : std::string();
}

}  // namespace micropay::config
