#include "libs/remote/config_client.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "libs/base/log.h"
#include "libs/base/metrics.h"
#include "libs/http/message.h"
#include "libs/remote/addresses.h"
#include "libs/remote/http_client.h"

namespace micropay {
namespace {

constexpr Duration kFirstPause = 200 * kMillisecond;
constexpr Duration kLastPause = 2 * kSecond;

Counter& fetches(std::string_view outcome) {
  return counter("micropay_config_client_fetches_total", "Questions to the config server, by outcome",
                 {{"outcome", std::string(outcome)}});
}

Gauge& stale() {
  return gauge("micropay_config_client_stale",
               "1 while the settings in force are the last known ones from disk");
}

// Slashes of a label are told apart from those of the path.
std::string label_segment(std::string label) {
  for (size_t at = 0; (at = label.find('/', at)) != label.npos; at += 3) label.replace(at, 1, "(_)");
  return percent_encode(label);
}

// Whole or not at all, and for its owner only.
bool write_private(const std::string& path, std::string_view content) {
  const std::string beside = path + ".new";
  ::unlink(beside.c_str());
  const int fd = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return false;
  while (!content.empty()) {
    const ssize_t count = ::write(fd, content.data(), content.size());
    if (count <= 0) break;
    content.remove_prefix(size_t(count));
  }
  const bool written = content.empty() && ::fsync(fd) == 0;
  const bool closed = ::close(fd) == 0;
  return written && closed && ::rename(beside.c_str(), path.c_str()) == 0;
}

bool worth_another_try(const Error& error) {
  return error.code == Code::kUnavailable || error.code == Code::kDeadlineExceeded;
}

}  // namespace

struct ConfigClient::Impl {
  explicit Impl(ConfigClientSettings given)
      : settings(std::move(given)),
        http({.user = settings.user,
              .password = settings.password,
              .ca_file = settings.ca_file,
              .timeout = settings.timeout,
              .max_body_bytes = 4 << 20}) {}

  Result<RemoteValues> ask(const std::string& uri);
  Result<RemoteValues> ask_all();
  Result<RemoteValues> last_known(const Error& why) const;
  void keep(const RemoteValues& values, const std::string& json);
  void run();
  void look();

  const ConfigClientSettings settings;
  HttpClient http;
  std::function<void(const RemoteValues&)> on_changed;
  std::string version;   // in force
  bool reached = false;  // the server, at the last look
  std::mutex mutex;
  std::condition_variable wake;
  bool stopped = false;  // guarded by mutex
  bool asked = false;    // guarded by mutex
  std::thread thread;
};

ConfigClientSettings ConfigClientSettings::read(Settings& settings, const std::string& application) {
  ConfigClientSettings values;
  values.uris = split_addresses(
      settings.text("config_client.uris", "",
                    "Config servers, http://host:8888, with commas; none: settings are local only"));
  values.application = settings.text("config_client.application", application,
                                     "Whose settings these are; several with commas, the last the strongest");
  values.profile =
      settings.text("config_client.profile", values.profile,
                    "Environments such as production; several with commas, the last the strongest");
  values.label =
      settings.text("config_client.label", "", "Branch, tag or commit of the settings; empty: the server's");
  values.user = settings.text("config_client.user", values.user, "User name at the config server");
  values.password = settings.secret("config_client.password", "Password at the config server");
  values.ca_file =
      settings.text("config_client.ca_file", "", "Certificates of authorities, PEM, for https://");
  values.cache = settings.text("config_client.cache", fmt::format("data/config-{}.json", application),
                               "The file that keeps the last known settings");
  values.optional = settings.flag("config_client.optional", false,
                                  "Whether to start without the config server when there is no copy either");
  values.patience = settings.duration("config_client.patience", values.patience,
                                      "How long a start waits for the config server");
  values.timeout =
      settings.duration("config_client.timeout", values.timeout, "How long one question may take");
  values.interval = settings.duration("config_client.interval", values.interval,
                                      "How often the config server is asked for changes");
  return values;
}

Result<RemoteValues> ConfigClient::Impl::ask(const std::string& uri) {
  std::string url =
      fmt::format("{}/{}/{}", uri, percent_encode(settings.application), percent_encode(settings.profile));
  if (!settings.label.empty()) url += "/" + label_segment(settings.label);
  const auto answer = TRY(http.send({.url = url, .headers = {"Accept: application/json"}}));
  if (answer.status == 401 || answer.status == 403 || answer.status == 404)
    return fail(Code::kFailedPrecondition, "config_refused",
                fmt::format("{} answers {}", uri, answer.status));
  if (!answer.ok())
    return fail(Code::kUnavailable, "config_unavailable", fmt::format("{} answers {}", uri, answer.status));
  RemoteValues values = TRY(read_environment(answer.body));
  values.source = uri;
  keep(values, answer.body);
  return values;
}

// The first that answers.
Result<RemoteValues> ConfigClient::Impl::ask_all() {
  static Counter& fetched = fetches("answered");
  static Counter& failed = fetches("failed");
  Result<RemoteValues> values = fail(Code::kUnavailable, "config_unavailable", "there is no config server");
  for (const std::string& uri : settings.uris) {
    values = ask(uri);
    (values ? fetched : failed).add();
    if (values) break;
  }
  return values;
}

void ConfigClient::Impl::keep(const RemoteValues& values, const std::string& json) {
  if (settings.cache.empty() || (values.version == version && !version.empty())) return;
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(settings.cache).parent_path(), ignored);
  if (!write_private(settings.cache, json))
    log_warn("config_client.cache", "The last known settings cannot be kept",
             {{"file.path", settings.cache}});
}

Result<RemoteValues> ConfigClient::Impl::last_known(const Error& why) const {
  std::ifstream file(settings.cache, std::ios::binary);
  if (settings.cache.empty() || !file) return std::unexpected(why);
  auto values = read_environment(std::string(std::istreambuf_iterator<char>(file), {}));
  if (!values) return std::unexpected(why);
  values->source = settings.cache;
  values->last_known = true;
  log_warn("config_client.last_known", "The config server does not answer: the last known settings are used",
           {{"reason", why.reason},
            {"error.message", why.detail},
            {"version", values->version},
            {"file.path", settings.cache}});
  stale().set(1);
  return values;
}

Result<RemoteValues> ConfigClient::fetch() {
  Impl& impl = *impl_;
  const Time end = system_clock().monotonic() + impl.settings.patience;
  Result<RemoteValues> values = impl.ask_all();
  for (Duration pause = kFirstPause; !values && worth_another_try(values.error());
       pause = std::min(2 * pause, kLastPause)) {
    const Duration left = end - system_clock().monotonic();
    if (left <= 0) break;
    std::this_thread::sleep_for(std::chrono::microseconds(std::min(left, pause)));
    values = impl.ask_all();
  }
  impl.reached = values.has_value();
  if (values) {
    stale().set(0);
    log_info("config_client.fetched", "The settings are the config server's",
             {{"source", values->source}, {"version", values->version}, {"count", values->values.size()}});
  } else {
    values = impl.last_known(values.error());
  }
  if (values) impl.version = values->version;
  return values;
}

void ConfigClient::Impl::run() {
  pthread_setname_np(pthread_self(), "config-client");
  std::unique_lock lock(mutex);
  while (true) {
    wake.wait_for(lock, std::chrono::microseconds(settings.interval), [this] { return stopped || asked; });
    if (stopped) return;
    asked = false;
    lock.unlock();
    look();
    lock.lock();
  }
}

void ConfigClient::Impl::look() {
  auto values = ask_all();
  if (!values && values.error().reason == "remote_cancelled") return;
  if (std::exchange(reached, values.has_value()) != values.has_value()) {
    if (values)
      log_info("config_client.back", "The config server answers again", {{"source", values->source}});
    else
      log_warn("config_client.away", "The config server does not answer; the settings in force stay",
               {{"reason", values.error().reason}, {"error.message", values.error().detail}});
  }
  if (!values) return;
  stale().set(0);
  if (values->version == version && !values->version.empty()) return;
  version = values->version;
  log_info("config_client.changed", "The settings have a new version",
           {{"source", values->source}, {"version", version}});
  on_changed(*values);
}

ConfigClient::ConfigClient(ConfigClientSettings settings)
    : impl_(std::make_unique<Impl>(std::move(settings))) {}
ConfigClient::~ConfigClient() { stop(); }

void ConfigClient::start(std::function<void(const RemoteValues&)> on_changed) {
  impl_->on_changed = std::move(on_changed);
  impl_->thread = std::thread([this] { impl_->run(); });
}

void ConfigClient::look_now() {
  {
    std::scoped_lock lock(impl_->mutex);
    impl_->asked = true;
  }
  impl_->wake.notify_all();
}

void ConfigClient::stop() {
  {
    std::scoped_lock lock(impl_->mutex);
    impl_->stopped = true;
  }
  impl_->http.cancel();
  impl_->wake.notify_all();
  if (impl_->thread.joinable()) impl_->thread.join();
}

}  // namespace micropay
