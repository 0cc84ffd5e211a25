#include "libs/remote/discovery_client.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <thread>

#include "libs/base/log.h"
#include "libs/base/metrics.h"
#include "libs/http/message.h"
#include "libs/remote/addresses.h"
#include "libs/remote/http_client.h"
#include "libs/remote/registry_copy.h"
#include "libs/remote/watched_instances.h"

namespace micropay {
namespace {

using eureka::Instance;
using eureka::Status;

Counter& calls(std::string_view outcome) {
  return counter("micropay_discovery_client_calls_total", "Calls of the discovery service, by outcome",
                 {{"outcome", std::string(outcome)}});
}

Gauge& stale() {
  return gauge("micropay_discovery_client_stale",
               "1 while no discovery server answers: the last known copy is used");
}

Instance instance_of(const DiscoveryClientSettings& settings, const OwnInstance& own) {
  Instance instance{.id = fmt::format("{}:{}:{}", settings.host, own.service, own.port),
                    .app = eureka::upper(own.service),
                    .host = settings.host,
                    .ip = settings.host,
                    .port = {own.port, true},
                    .vip = own.service,
                    .metadata = own.metadata};
  instance.lease.renewal_s = std::max<int64_t>(1, settings.heartbeat / kSecond);
  instance.lease.duration_s = std::max<int64_t>(1, settings.lease / kSecond);
  instance.metadata["grpc.port"] = std::to_string(own.port);
  if (!settings.zone.empty()) instance.metadata["zone"] = settings.zone;
  if (own.ops_port == 0) return instance;
  instance.metadata["management.port"] = std::to_string(own.ops_port);
  instance.health_check = fmt::format("http://{}:{}/health/ready", settings.host, own.ops_port);
  instance.status_page = fmt::format("http://{}:{}/metrics", settings.host, own.ops_port);
  return instance;
}

}  // namespace

struct DiscoveryClient::Impl {
  Impl(DiscoveryClientSettings given, const std::vector<OwnInstance>& with)
      : settings(std::move(given)),
        http({.user = settings.user,
              .password = settings.password,
              .ca_file = settings.ca_file,
              .connect_timeout = settings.timeout,
              .timeout = settings.timeout}) {
    for (const OwnInstance& one : with) own.push_back(instance_of(settings, one));
  }

  Result<RemoteAnswer> send(const std::string& method, const std::string& path, const std::string& body = {});
  bool renew_all();
  bool register_one(const Instance& instance);
  void refresh();
  void say_stale(bool now, std::string_view why);
  void run();
  static std::string path_of(const Instance& instance) {
    return fmt::format("/apps/{}/{}", percent_encode(instance.app), percent_encode(instance.id));
  }

  const DiscoveryClientSettings settings;
  HttpClient http;
  size_t server = 0;  // the one that answered last
  std::vector<Instance> own;
  RegistryCopy copy;
  bool whole = false;  // the copy has been whole once
  WatchedInstances known;
  std::atomic<bool> up{true};
  std::atomic<bool> registered{false};
  std::mutex mutex;
  std::condition_variable wake;
  bool stopped = false;        // guarded by mutex
  bool status_changed = true;  // guarded by mutex: register, rather than renew
  std::thread thread;
};

DiscoveryClientSettings DiscoveryClientSettings::read(Settings& settings) {
  DiscoveryClientSettings values;
  values.uris = split_addresses(
      settings.text("discovery_client.uris", "",
                    "Discovery servers, http://host:8761/eureka, with commas; none: no registry"));
  values.user = settings.text("discovery_client.user", values.user, "User name at the discovery servers");
  values.password = settings.secret("discovery_client.password", "Password at the discovery servers");
  values.ca_file =
      settings.text("discovery_client.ca_file", "", "Certificates of authorities, PEM, for https://");
  values.host = settings.text("discovery_client.host", values.host,
                              "Name or address at which others reach this process");
  values.zone =
      settings.text("discovery_client.zone", "", "The zone that this process tells others it is in");
  values.heartbeat = settings.duration("discovery_client.heartbeat", values.heartbeat,
                                       "How often our registration is renewed");
  values.lease =
      settings.duration("discovery_client.lease", values.lease, "How long it lives without being renewed");
  values.refresh =
      settings.duration("discovery_client.refresh", values.refresh, "How often we ask who else is there");
  values.timeout =
      settings.duration("discovery_client.timeout", values.timeout, "How long one call may take");
  return values;
}

// To the server that answered last, then to the others. An answer is one that is not of 5xx.
Result<RemoteAnswer> DiscoveryClient::Impl::send(const std::string& method, const std::string& path,
                                                 const std::string& body) {
  static Counter& answered = calls("answered");
  static Counter& failed = calls("failed");
  Result<RemoteAnswer> answer =
      fail(Code::kUnavailable, "remote_unavailable", "there is no discovery server");
  for (size_t i = 0; i < settings.uris.size(); ++i) {
    const size_t at = (server + i) % settings.uris.size();
    answer = http.send({.method = method,
                        .url = settings.uris[at] + path,
                        .headers = {"Accept: application/json", "Content-Type: application/json"},
                        .body = body});
    if (answer && answer->status < 500) {
      server = at;
      answered.add();
      return answer;
    }
    failed.add();
    if (answer)
      answer = fail(Code::kUnavailable, "remote_unavailable", fmt::format("status {}", answer->status));
  }
  return answer;
}

bool DiscoveryClient::Impl::register_one(const Instance& instance) {
  eureka::Node root{.kind = eureka::Node::Kind::kObject};
  write_instance(instance, root.object("instance"));
  const auto answer = send("POST", "/apps/" + percent_encode(instance.app), eureka::write_json(root));
  if (answer && answer->ok()) {
    log_info("discovery_client.registered", "Registered",
             {{"application", instance.app}, {"instance", instance.id}, {"server", settings.uris[server]}});
    return true;
  }
  if (answer)
    log_error("discovery_client.refused", "The discovery service refuses us",
              {{"instance", instance.id}, {"http.response.status_code", answer->status}});
  return false;
}

bool DiscoveryClient::Impl::renew_all() {
  bool anew = false;
  {
    std::scoped_lock lock(mutex);
    anew = std::exchange(status_changed, false);
  }
  bool all = true;
  for (Instance& instance : own) {
    bool done = false;
    if (anew) {
      instance.status = up ? Status::kUp : Status::kDown;
      instance.dirty_ms = std::max(instance.dirty_ms + 1, system_clock().now() / kMillisecond);
    } else {
      const auto answer = send("PUT", fmt::format("{}?status={}&lastDirtyTimestamp={}", path_of(instance),
                                                  eureka::status_text(instance.status), instance.dirty_ms));
      if (!answer) return false;
      done = answer->ok();
    }
    all &= done || register_one(instance);
  }
  if (anew && !all) {
    std::scoped_lock lock(mutex);
    status_changed = true;
  }
  return all;
}

void DiscoveryClient::Impl::say_stale(bool now, std::string_view why) {
  if ((stale().value() != 0) == now) return;
  stale().set(now);
  if (now)
    log_warn("discovery_client.away", "No discovery server answers; the last known instances are used",
             {{"error.message", why}, {"instances", copy.size()}});
  else log_info("discovery_client.back", "Discovery answers again", {{"server", settings.uris[server]}});
}

void DiscoveryClient::Impl::refresh() {
  bool fits = false;
  if (whole && !copy.withheld()) {
    const auto delta = send("GET", "/apps/delta");
    if (!delta) return say_stale(true, delta.error().detail);
    fits = delta->ok() && copy.take_delta(delta->body).value_or(false);
  }
  if (!fits) {
    const auto all = send("GET", "/apps");
    if (!all || !all->ok())
      return say_stale(true, all ? fmt::format("status {}", all->status) : all.error().detail);
    if (const auto taken = copy.take_all(all->body, system_clock().monotonic(), 2 * settings.lease); !taken)
      return say_stale(true, taken.error().detail);
    whole = true;
  }
  say_stale(false, {});
  if (known.set(copy.instances()))
    log_info("discovery_client.changed", "Services have other instances",
             {{"source", settings.uris[server]}, {"instances", copy.size()}, {"hash", copy.hash_code()}});
}

void DiscoveryClient::Impl::run() {
  pthread_setname_np(pthread_self(), "discovery");
  Time beat_at = 0;
  std::unique_lock lock(mutex);
  while (!stopped) {
    const bool beat = status_changed || system_clock().monotonic() >= beat_at;
    lock.unlock();
    if (beat) {
      registered = renew_all();
      beat_at = system_clock().monotonic() +
                (registered ? settings.heartbeat : std::min(settings.heartbeat, kSecond));
    }
    refresh();
    lock.lock();
    const bool at_once = registered && status_changed;
    if (!at_once)
      wake.wait_for(lock, std::chrono::microseconds(std::min(settings.refresh, settings.heartbeat)),
                    [this] { return stopped || (registered && status_changed); });
  }
}

DiscoveryClient::DiscoveryClient(DiscoveryClientSettings settings, std::vector<OwnInstance> own)
    : impl_(std::make_unique<Impl>(std::move(settings), own)) {}
DiscoveryClient::~DiscoveryClient() { stop(); }

void DiscoveryClient::start() {
  if (!impl_->settings.on()) return;
  impl_->thread = std::thread([this] { impl_->run(); });
}

void DiscoveryClient::set_up(bool up) {
  if (impl_->up.exchange(up) == up) return;
  {
    std::scoped_lock lock(impl_->mutex);
    impl_->status_changed = true;
  }
  impl_->wake.notify_all();
}

void DiscoveryClient::stop() {
  {
    std::scoped_lock lock(impl_->mutex);
    impl_->stopped = true;
  }
  impl_->wake.notify_all();
  if (!impl_->thread.joinable()) return;
  impl_->thread.join();
  for (const Instance& instance : impl_->own)
    if (!impl_->send("DELETE", Impl::path_of(instance)))
      break;  // nobody is there to be told: the lease will end
  impl_->registered = false;
}

bool DiscoveryClient::registered() const { return impl_->registered; }
void DiscoveryClient::watch(std::function<void(const ServiceInstances&)> changed) {
  impl_->known.watch(std::move(changed));
}
ServiceInstances DiscoveryClient::instances() const { return impl_->known.get(); }

}  // namespace micropay
