#include "libs/remote/dns_directory.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <optional>
#include <thread>

#include "libs/base/log.h"
#include "libs/base/metrics.h"
#include "libs/remote/addresses.h"
#include "libs/remote/watched_instances.h"

namespace micropay {
namespace {

constexpr size_t kMaxInstances = 1'000;  // of one name

// "10.0.0.1", "[fd00::1]": as an address is written before a port.
std::string host_of(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof text);
    return text;
  }
  inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text, sizeof text);
  return "[" + std::string(text) + "]";
}

// The instances behind "name:port", none when it cannot be resolved.
std::optional<std::vector<ServiceInstance>> resolve(const std::string& name) {
  const size_t colon = name.rfind(':');
  const std::string host = name.substr(0, colon);
  uint16_t port = 0;
  std::from_chars(name.data() + colon + 1, name.data() + name.size(), port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return {};
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, freeaddrinfo);
  std::vector<ServiceInstance> instances;
  for (const addrinfo* one = found; one != nullptr && instances.size() < kMaxInstances; one = one->ai_next) {
    ServiceInstance instance{.host = host_of(one->ai_addr), .port = port};
    instance.id = instance.address();
    instances.push_back(std::move(instance));
  }
  std::ranges::sort(instances, {}, &ServiceInstance::id);
  const auto same = std::ranges::unique(instances);
  instances.erase(same.begin(), same.end());
  return instances;
}

bool is_name(std::string_view name) {
  const size_t colon = name.rfind(':');
  uint16_t port = 0;
  if (colon == name.npos || colon == 0) return false;
  const char* last = name.data() + name.size();
  return std::from_chars(name.data() + colon + 1, last, port).ptr == last && port != 0;
}

}  // namespace

struct DnsDirectory::Impl {
  DnsSettings settings;
  WatchedInstances known;
  std::mutex mutex;
  std::condition_variable wake;
  bool stopped = false;  // guarded by mutex
  std::thread thread;

  void look();
  void run();
};

DnsSettings DnsSettings::read(Settings& settings) {
  DnsSettings values;
  for (const std::string& entry : split_addresses(
           settings.text("discovery_client.dns", "",
                         "Services by DNS instead of a registry: payment=payment.svc:8083, with commas"))) {
    const size_t equals = entry.find('=');
    const bool good =
        equals != entry.npos && equals > 0 && is_name(std::string_view(entry).substr(equals + 1));
    if (good) values.names[entry.substr(0, equals)] = entry.substr(equals + 1);
    else values.problems.push_back(fmt::format("discovery_client.dns: {} is not service=name:port", entry));
  }
  values.interval = settings.duration("discovery_client.dns_interval", values.interval,
                                      "How often names are resolved again");
  return values;
}

DnsDirectory::DnsDirectory(DnsSettings settings) : impl_(std::make_unique<Impl>()) {
  impl_->settings = std::move(settings);
}
DnsDirectory::~DnsDirectory() { stop(); }

void DnsDirectory::Impl::look() {
  static Counter& failures =
      counter("micropay_discovery_client_dns_failures_total", "Names that could not be resolved");
  ServiceInstances now = known.get();
  for (const auto& [service, name] : settings.names) {
    if (auto instances = resolve(name)) now[service] = *std::move(instances);
    else failures.add();
  }
  if (known.set(now))
    log_info("discovery_client.changed", "Services have other instances",
             {{"source", "dns"}, {"services", now.size()}});
}

void DnsDirectory::Impl::run() {
  pthread_setname_np(pthread_self(), "dns");
  std::unique_lock lock(mutex);
  while (!wake.wait_for(lock, std::chrono::microseconds(settings.interval), [this] { return stopped; })) {
    lock.unlock();
    look();
    lock.lock();
  }
}

void DnsDirectory::start() {
  impl_->look();
  impl_->thread = std::thread([this] { impl_->run(); });
}

void DnsDirectory::stop() {
  {
    std::scoped_lock lock(impl_->mutex);
    impl_->stopped = true;
  }
  impl_->wake.notify_all();
  if (impl_->thread.joinable()) impl_->thread.join();
}

void DnsDirectory::watch(std::function<void(const ServiceInstances&)> changed) {
  impl_->known.watch(std::move(changed));
}
ServiceInstances DnsDirectory::instances() const { return impl_->known.get(); }

}  // namespace micropay
