// outbox: what the platform has written to people's addresses. Until there is a channel for it, this is how a
// code reaches whoever tries the platform out.
#include <chrono>
#include <thread>

#include "app/call.h"
#include "app/commands/commands.h"
#include "app/console.h"
#include "app/control.h"
#include "app/instance.h"
#include "contracts/notification.pb.h"
#include "libs/contract/json.h"

namespace micropay::app {
namespace {

constexpr auto kFollowInterval = std::chrono::milliseconds(200);
constexpr int kShown = 20;  // without --all

class Outbox {
 public:
  explicit Outbox(const Arguments& arguments)
      : data_(arguments.text("--data")),
        to_(arguments.text("--to")),
        page_size_(arguments.has("--all") ? 500 : kShown),
        json_(arguments.has("--json")) {}

  Result<void> open(const Arguments& arguments) {
    TRY(load_settings(settings_, arguments.text("--config"), {}));
    if (arguments.has("--follow") && !ControlClient::connect(data_))
      return fail(Code::kUnavailable, "control_unavailable",
                  fmt::format("no platform is running on {}: there is nothing to follow", data_));
    return {};
  }

  // Prints what is new, oldest first.
  Result<void> print() {
    ListOutboxRequest request;
    request.set_to(to_);
    request.set_page_size(page_size_);
    ListOutboxResponse page;
    TRY(contract::parse_json(TRY(run_call(data_, settings_, request)), page));
    for (int i = page.messages_size(); i-- > 0;)
      if (page.messages(i).id() > last_) print(page.messages(i));
    if (page.messages_size() > 0) last_ = std::max(last_, page.messages(0).id());
    return {};
  }

 private:
  void print(const OutboxMessage& message) const {
    if (json_) fmt::print("{}\n", contract::to_json(message));
    else
      fmt::print("{}  {}  {}\n  {}\n  {}\n\n", format_time(message.created_at()),
                 OutboxMessage::Channel_Name(message.channel()), message.recipient(), message.subject(),
                 message.body());
  }

  std::string data_, to_;
  int page_size_;
  bool json_;
  Settings settings_;
  std::string last_;  // id of the newest that was printed
};

int run_outbox(const Arguments& arguments) {
  Outbox outbox(arguments);
  auto done = outbox.open(arguments);
  if (done) done = outbox.print();
  std::fflush(stdout);
  while (done && arguments.has("--follow")) {
    std::this_thread::sleep_for(kFollowInterval);
    done = outbox.print();
    if (std::fflush(stdout) != 0) return kOk;  // nobody reads any more
  }
  if (done) return kOk;
  print_error("outbox", done.error());
  return kUsage;
}

}  // namespace

const CommandInfo kOutboxCommand{
    .path = "outbox",
    .summary = "Prints the messages that the platform has written to e-mail addresses",
    .description =
        "Codes that prove an address and notices about security, oldest first; they are kept for seven days. "
        "Nothing leaves the platform yet, so this is where a code is read. A running platform is asked over "
        "its control socket; in a cluster that of the process with the notification service. Else the folder "
        "is opened, read and closed.",
    .options = {kDataOption,
                {.name = "--to", .value = "ADDRESS", .help = "Only messages to this address"},
                {.name = "--all", .help = "Up to 500 messages instead of the last 20"},
                {.name = "--follow", .help = "Go on with new ones until interrupted"},
                {.name = "--json", .help = "One JSON object a line"},
                kConfigOption},
    .examples = "micropay outbox --to ada@example.org\nmicropay outbox --follow",
    .exit_codes = "0 printed, 2 the folder cannot be opened, or nothing runs that could be followed",
    .run = run_outbox};

}  // namespace micropay::app
