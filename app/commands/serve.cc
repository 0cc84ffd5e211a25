// serve: runs the platform until a signal asks it to stop.
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "app/cluster/config_news.h"
#include "app/cluster/process.h"
#include "app/cluster/settings.h"
#include "app/commands/commands.h"
#include "app/console.h"
#include "app/demo.h"
#include "app/edge_services.h"
#include "app/hardening.h"
#include "app/modules.h"
#include "app/platform.h"
#include "app/version.h"
#include "libs/base/log.h"
#include "libs/remote/remote_settings.h"

namespace micropay::app {
namespace {

// The signals that end the platform, blocked in every thread that is made after this.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

Result<void> given_settings(const Arguments& arguments, Settings& settings) {
  TRY(load_settings(settings, arguments.text("--config"), arguments.all("--set")));
  if (arguments.has("--data")) settings.give("data", arguments.text("--data"), "--data");
  if (arguments.has("--listen")) settings.give("gateway.listen", arguments.text("--listen"), "--listen");
  if (arguments.has("--ops")) settings.give("ops.listen", arguments.text("--ops"), "--ops");
  return {};
}

std::string demo_part(Platform& platform) {
  const auto demo = seed_demo(platform.engine());
  if (!demo) {
    print_error("serve --demo", demo.error(), "The platform runs; the demo data is not complete.");
    return {};
  }
  if (*demo == Demo::kForeign)
    return fmt::format("  {} has users of its own: no demo data was made.\n", platform.data());
  return demo_text(platform.address());
}

std::string banner(const Platform& platform, Duration took) {
  return fmt::format(
      "MicroPay {} is up in {} with the data in {}\n\n"
      "  http://{}        REST below /api/v1, reference at /docs, live events at /ws\n"
      "  http://{}        operations: /metrics, /health/ready\n\n",
      kVersion, seconds_text(took), platform.data(), platform.address(), platform.ops_address());
}

// The second signal ends the process without waiting.
void drain_until_done(Platform& platform, const sigset_t& signals) {
  tell("Finishing what runs; once more to stop at once.\n");
  std::thread([signals] {
    int signal = 0;
    sigwait(&signals, &signal);
    _exit(128 + signal);
  }).detach();
  platform.drain();
}

// The config server knows a process by the services that it runs; all of them are "micropay".
std::string application_of(const std::vector<std::string>& services) {
  return services.empty() ? "micropay" : fmt::format("{}", fmt::join(services, ","));
}

Result<std::unique_ptr<Platform>> make_platform(const Arguments& arguments, Settings& settings,
                                                std::unique_ptr<RemoteSettings>& remote) {
  PlatformOptions options{.services = split_names(arguments.all("--services"))};
  TRY(given_settings(arguments, settings));
  remote = TRY(RemoteSettings::load(settings, application_of(options.services)));
  options.progress = [](const std::string& line) { tell(line + "\n"); };
  return Platform::make(settings, std::move(options));
}

// What to do next, where the error itself does not say it.
std::string next_step(std::string_view reason, const std::string& data) {
  if (reason == "unknown_setting" || reason == "invalid_setting")
    return "Every setting: micropay serve --print-config";
  if (reason == "address_in_use") return "Take another port: --listen 127.0.0.1:8081 --ops 127.0.0.1:9081";
  if (reason == "log_damaged")
    return fmt::format(
        "Look at the damage: micropay verify --data {0}\n"
        "  Restore beside it:  micropay restore --from BACKUP --data {0}-restored",
        data);
  if (reason == "tables_damaged")
    return fmt::format("Have them made anew: rm {0}/state.db*; micropay serve --data {0}", data);
  if (reason == "keys_unavailable")
    return fmt::format("Take {0}/keys.json from a backup; or remove it, and everybody has to sign in again",
                       data);
  return {};
}

int refuse(const Error& error, const std::string& data) {
  print_error("serve", error, next_step(error.reason, data));
  flush_log();
  return kUsage;
}

// All mistakes at once, before anything is opened.
Result<void> finish(const Settings& settings) {
  TRY(settings.finish());
  return check_addresses(settings);
}

// config and discovery have no data folder and no engine.
int serve_edge(const Arguments& arguments, const std::vector<std::string>& names, const sigset_t& signals) {
  Settings settings;
  if (const auto given = given_settings(arguments, settings); !given) return refuse(given.error(), {});
  const EdgeStart start = declare_all_settings(settings);
  if (const auto finished = finish(settings); !finished) return refuse(finished.error(), {});
  if (arguments.has("--print-config")) {
    fmt::print("{}", settings.print());
    return kOk;
  }
  start_log(start.log);
  std::function<void(const config::Changed&)> on_config_changed;
  if (start.cluster && std::ranges::count(names, "config") != 0)
    on_config_changed = [announcer = std::make_shared<ConfigAnnouncer>(start.kafka)](const auto& changed) {
      announcer->tell(changed);
    };
  auto running =
      EdgeServices::start(start.edge, names, arguments.text("--ops"), std::move(on_config_changed));
  if (!running) return refuse(running.error(), {});
  fmt::print("MicroPay {} serves\n\n{}\n", kVersion, (*running)->text());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  (*running)->stop(5 * kSecond);
  flush_log();
  return kOk;
}

// Before the first secret is read; a mistake in the settings is told later, by who reads all of them.
void forbid_core_dumps_unless_allowed(const Arguments& arguments) {
  Settings settings;
  (void)given_settings(arguments, settings);
  if (!read_core_dumps(settings)) forbid_core_dumps();
}

bool is_cluster(const Arguments& arguments) {
  Settings settings;
  return given_settings(arguments, settings) && ClusterSettings(settings).on;
}

// A part of a cluster: what --services names.
int serve_part(const Arguments& arguments, const std::vector<std::string>& names, const sigset_t& signals) {
  const Time started = system_clock().monotonic();
  Settings settings;
  if (const auto given = given_settings(arguments, settings); !given) return refuse(given.error(), {});
  const auto pause = [&signals](Duration time) {
    const timespec wait{.tv_sec = time / kSecond, .tv_nsec = time % kSecond * 1000};
    return sigtimedwait(&signals, nullptr, &wait) < 0;
  };
  auto process = ClusterProcess::make(settings, {.services = names, .pause = pause});
  if (!process) return refuse(process.error(), arguments.text("--data"));
  if (const auto finished = finish(settings); !finished) return refuse(finished.error(), (*process)->data());
  if (arguments.has("--print-config")) {
    fmt::print("{}", settings.print());
    return kOk;
  }
  if (const auto up = (*process)->start(); !up) {
    if (up.error().reason == "stopped") return flush_log(), kOk;
    return refuse(up.error(), (*process)->data());
  }
  fmt::print("MicroPay {} is up in {}\n\n{}\n", kVersion, seconds_text(system_clock().monotonic() - started),
             (*process)->banner());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  (*process)->drain();
  return kOk;
}

int serve(const Arguments& arguments) {
  const Time started = system_clock().monotonic();
  const sigset_t signals = block_signals();
  forbid_core_dumps_unless_allowed(arguments);
  const auto names = split_names(arguments.all("--services"));
  if (EdgeServices::all_are(names)) return serve_edge(arguments, names, signals);
  if (is_cluster(arguments)) return serve_part(arguments, names, signals);
  Settings settings;
  std::unique_ptr<RemoteSettings> remote;
  auto platform = make_platform(arguments, settings, remote);
  if (!platform) return refuse(platform.error(), arguments.text("--data"));
  if (const auto finished = finish(settings); !finished) return refuse(finished.error(), (*platform)->data());
  if (arguments.has("--print-config")) {
    fmt::print("{}", settings.print());
    return kOk;
  }
  if (const auto up = (*platform)->start(); !up) return refuse(up.error(), (*platform)->data());
  const std::string demo = arguments.has("--demo") ? demo_part(**platform) : std::string();
  fmt::print("{}{}", banner(**platform, system_clock().monotonic() - started), demo);
  std::fflush(stdout);
  remote->start();
  int signal = 0;
  sigwait(&signals, &signal);
  remote->stop();
  drain_until_done(**platform, signals);
  flush_log();
  return kOk;
}

}  // namespace

const CommandInfo kServeCommand{
    .path = "serve",
    .summary = "Runs the platform",
    .description =
        "Every service in one process with one data folder, until SIGTERM or SIGINT: then new requests are "
        "refused and "
        "what runs is finished; a second signal stops at once. What was answered survives any crash.\n"
        "--demo fills an empty folder with sample users of every role, wallets with money and some history, "
        "and prints "
        "their logins and a tour with curl.",
    .options = {{.name = "--data", .value = "DIR", .help = "The data folder; made when it is missing [data]"},
                {.name = "--listen",
                 .value = "HOST:PORT",
                 .help = "Address of the public interface [127.0.0.1:8080]"},
                {.name = "--ops",
                 .value = "HOST:PORT",
                 .help = "Address of metrics and health [127.0.0.1:9080]"},
                kConfigOption,
                kSetOption,
                {.name = "--demo", .help = "Demo users and data, when the folder is empty"},
                {.name = "--services",
                 .value = "LIST",
                 .help = "Only these, with commas between; all when left out",
                 .repeatable = true},
                {.name = "--print-config", .help = "Print every setting and where it came from, and exit"}},
    .examples =
        "micropay serve --demo\n"
        "micropay serve --data /var/lib/micropay --listen 0.0.0.0:8080 --config micropay.yaml\n"
        "micropay serve --set fraud.mode=shadow --set gateway.rate_limits=off",
    .exit_codes =
        "0 stopped by a signal, 2 it could not start (wrong setting, folder in use, address in use), 130 and "
        "143 "
        "stopped at once by a second signal",
    .run = serve};

}  // namespace micropay::app
