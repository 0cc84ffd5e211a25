// top: what a running platform is doing, read from its operations port once a second.
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "app/commands/commands.h"
#include "app/console.h"
#include "app/ops_client.h"
#include "app/top_screen.h"

namespace micropay::app {
namespace {

constexpr Duration kRefresh = kSecond;
constexpr Duration kAnswerWithin = 5 * kSecond;

volatile sig_atomic_t g_ended = 0;

// Signals end the wait between two screens, so that the terminal is put back before the process ends.
void end_on_signals() {
  struct sigaction action{};
  action.sa_handler = [](int) { g_ended = 1; };
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
}

// A screen of its own without cursor or echo; put back at the end.
class Terminal {
 public:
  Terminal() {
    if (tcgetattr(STDIN_FILENO, &before_) == 0) {
      termios quiet = before_;
      quiet.c_lflag &= ~tcflag_t(ICANON | ECHO);
      typing_ = tcsetattr(STDIN_FILENO, TCSANOW, &quiet) == 0;
    }
    put("\033[?1049h\033[?25l");
  }
  ~Terminal() {
    put("\033[?25h\033[?1049l");
    if (typing_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  bool typing() const { return typing_; }

  // Lines that do not fit the window are left out; a long one is cut by the terminal (no wrapping).
  void show(const std::vector<std::string>& lines) const {
    winsize window{};
    const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_row > 0;
    const size_t fitting = std::min(lines.size(), known ? size_t(window.ws_row) : lines.size());
    std::string out = "\033[?7l\033[H";
    for (size_t i = 0; i < fitting; ++i) out += lines[i] + "\033[K" + (i + 1 < fitting ? "\r\n" : "");
    put(out + "\033[J\033[?7h");
  }

 private:
  static void put(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  }

  termios before_{};
  bool typing_ = false;
};

Result<TopReading> read(const std::string& address) {
  TopReading reading{.metrics = parse_metrics(TRY(get_from_ops(address, "/metrics", kAnswerWithin))),
                     .at = system_clock().monotonic(),
                     .wall = system_clock().now()};
  if (reading.metrics.empty())
    return fail(Code::kUnavailable, "no_metrics", fmt::format("{} has no metrics", address));
  return reading;
}

// Waits for the time of the next screen; false when q was typed or a signal came.
bool wait_for_next(bool typing) {
  const Time until = system_clock().monotonic() + kRefresh;
  while (g_ended == 0) {
    const Duration left = until - system_clock().monotonic();
    if (left <= 0) return true;
    pollfd input{.fd = typing ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0};
    if (poll(&input, 1, int(left / kMillisecond) + 1) <= 0) continue;
    char key = 0;
    if (::read(STDIN_FILENO, &key, 1) <= 0) typing = false;
    if (key == 'q' || key == 'Q') return false;
  }
  return false;
}

int refuse(const Error& error) {
  print_error(
      "top", error,
      error.code == Code::kInvalidArgument
          ? "See: micropay top --help"
          : "Is a platform running? It says its operations address when it starts; give that with --ops");
  return kUsage;
}

// Text or JSON, a reading after the other, for scripts and for files.
int print_screens(const std::string& address, TopReading before, bool json, bool once) {
  while (wait_for_next(false)) {
    auto now = read(address);
    if (!now) {
      print_error("top", now.error());
      return kFailed;
    }
    const TopFigures figures = top_figures(before, *now);
    if (json) fmt::print("{}\n", top_json(address, figures));
    else fmt::print("{}\n{}", fmt::join(top_screen(address, figures, false), "\n"), once ? "\n" : "\n\n");
    if (std::fflush(stdout) != 0 || once) return kOk;
    before = std::move(*now);
  }
  return kOk;
}

// On a terminal; a platform that is being restarted is waited for.
int refresh(const std::string& address, TopReading before) {
  Terminal terminal;
  terminal.show({fmt::format("MicroPay at {}: reading ...", address)});
  while (wait_for_next(terminal.typing())) {
    auto now = read(address);
    if (!now) {
      terminal.show({now.error().detail, "", "Trying again every second; q ends"});
      continue;
    }
    auto lines = top_screen(address, top_figures(before, *now), true);
    lines.insert(lines.end(), {"", "q ends"});
    terminal.show(lines);
    before = std::move(*now);
  }
  return kOk;
}

int top(const Arguments& arguments) {
  const std::string address = arguments.text("--ops");
  const bool json = arguments.has("--json"), once = arguments.has("--once");
  end_on_signals();
  auto first = read(address);
  if (!first) return refuse(first.error());
  if (json || once || isatty(STDOUT_FILENO) != 1)
    return print_screens(address, std::move(*first), json, once);
  return refresh(address, std::move(*first));
}

}  // namespace

const CommandInfo kTopCommand{
    .path = "top",
    .summary = "Shows what a running platform is doing, every second",
    .description =
        "Payments a second and how long they take, ticks with their handlers, commits and fsyncs, what waits "
        "in queues, how far tables and projections are behind the log, memory and CPU: worked out from two "
        "readings of /metrics at the operations address, where the same numbers are for Prometheus. "
        "Percentiles are straight lines within the histograms' buckets. q or Ctrl-C ends. Where standard "
        "output is no terminal, a plain screen is printed every second.\n\n"
        "--json prints one object a second: rates end in PerSecond, times in Seconds, sizes in Bytes; "
        "projectionLagTicks has one number a service.",
    .options = {{.name = "--ops",
                 .value = "HOST:PORT",
                 .help = "Operations address of the platform, as serve was given it",
                 .standard = "127.0.0.1:9080"},
                {.name = "--once", .help = "One screen, over one second, and end"},
                {.name = "--json", .help = "JSON, an object a line, instead of a screen"}},
    .examples = "micropay top\nmicropay top --ops 127.0.0.1:9081 --once --json | jq .paymentP99Seconds",
    .exit_codes =
        "0 shown, 1 the platform was gone before the next reading, 2 nothing answers at the address",
    .run = top};

}  // namespace micropay::app
