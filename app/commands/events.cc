// events tail and events show: the log as people read it. Reads the log's files, so it works beside a running
// platform; --kafka reads topics (events_topics.cc).
#include <charconv>
#include <csignal>
#include <deque>
#include <thread>

#include "app/commands/commands.h"
#include "app/commands/event_printer.h"
#include "app/console.h"
#include "app/data_folder.h"
#include "app/event_text.h"
#include "libs/base/ids.h"
#include "libs/store/embedded.h"

namespace micropay::app {
namespace {

constexpr size_t kLastEvents = 20;  // of tail without --from
constexpr auto kFollowInterval = std::chrono::milliseconds(200);

std::optional<uint64_t> number(const std::string& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

class Tail {
 public:
  Tail(const Arguments& arguments, std::optional<uint64_t> from)
      : data_(arguments.text("--data")), printer_(arguments), from_(from) {}

  // Prints what is there.
  Result<void> catch_up() {
    Progress progress("Reading the log");
    uint64_t read = 0;
    return read_log(data_, next_tick_, [&](const TickRecord& tick) {
      for (const Envelope& event : tick.events) take(event);
      next_tick_ = tick.tick + 1;
      progress.count(read += tick.events.size(), "events");
      return true;
    });
  }

  void finish_history() {
    from_ = 0;  // from now on all
    for (const Envelope& event : last_) printer_.print(event);
    last_.clear();
    std::fflush(stdout);
  }

 private:
  void take(const Envelope& event) {
    if (!printer_.wanted(event)) return;
    if (from_) {
      if (event.position() >= *from_) printer_.print(event);
      return;
    }
    last_.push_back(event);
    if (last_.size() > kLastEvents) last_.pop_front();
  }

  std::string data_;
  EventPrinter printer_;
  std::optional<uint64_t> from_;  // none: the last ones only
  uint64_t next_tick_ = 0;
  std::deque<Envelope> last_;
};

int tail(const Arguments& arguments) {
  if (arguments.has("--kafka")) return tail_topics(arguments);
  std::optional<uint64_t> from;
  if (arguments.has("--from") && !(from = number(arguments.text("--from")))) {
    print_error("events tail",
                {Code::kInvalidArgument, "", "--from expects a position, a whole number", "", {}});
    return kUsage;
  }
  Tail tail(arguments, from);
  auto done = require_data_folder(arguments.text("--data"));
  if (done) done = tail.catch_up();
  tail.finish_history();
  while (done && arguments.has("--follow")) {
    std::this_thread::sleep_for(kFollowInterval);
    done = tail.catch_up();
    if (std::fflush(stdout) != 0) return kOk;  // nobody reads any more
  }
  if (done) return kOk;
  print_error("events tail", done.error());
  return kUsage;
}

int show(const Arguments& arguments) {
  const std::string wanted = arguments.text("POSITION");
  const std::optional<uint64_t> position = number(wanted);
  if (!position && !is_uuid(wanted)) {
    print_error("events show", {Code::kInvalidArgument,
                                "",
                                fmt::format("\"{}\" is neither a position nor an event id", wanted),
                                "",
                                {}});
    return kUsage;
  }
  std::optional<Envelope> found;
  auto read = require_data_folder(arguments.text("--data"));
  if (read)
    read = read_log(arguments.text("--data"), 0, [&](const TickRecord& tick) {
      for (const Envelope& event : tick.events)
        if (position ? event.position() == *position : event.id() == wanted) found = event;
      return !found;
    });
  if (!read) {
    print_error("events show", read.error());
    return kUsage;
  }
  if (!found) {
    print_error("events show",
                {Code::kNotFound, "not_found", fmt::format("the log has no event {}", wanted), "", {}});
    return kFailed;
  }
  fmt::print("{}", arguments.has("--json") ? event_json(*found) + "\n" : event_page(*found));
  return kOk;
}

}  // namespace

const CommandInfo kEventsTailCommand{
    .path = "events tail",
    .summary = "Prints events of the log, the last ones or from a position on",
    .description =
        "One line an event: position, time, type, key, data. Without --from the last 20; with --follow it "
        "goes on as "
        "new ones come. Works beside a running platform and on a folder at rest. With --kafka it reads the "
        "topics "
        "of a cluster, without being a consumer; settings kafka.tls.* say how to reach brokers that ask for "
        "certificates.",
    .options = {kDataOption,
                {.name = "--from",
                 .value = "POSITION",
                 .help = "Begin with the event at this position; of topics: \"beginning\", or a time"},
                {.name = "--follow", .help = "Go on with new events until interrupted"},
                {.name = "--type",
                 .value = "TYPE",
                 .help = "Only this type, or all that begin so: \"payment.*\""},
                {.name = "--json", .help = "One CloudEvents JSON object a line"},
                {.name = "--kafka", .value = "BROKERS", .help = "Read topics: host:port,host:port"},
                {.name = "--topic",
                 .value = "TOPIC",
                 .help = "Of Kafka, this topic instead of those of all services",
                 .repeatable = true},
                kConfigOption,
                kSetOption},
    .examples =
        "micropay events tail --kafka 127.0.0.1:9092 --follow\nmicropay events tail --follow --type "
        "'payment.*'\nmicropay events tail --from 1 --json | jq -r "
        ".type | sort | uniq -c",
    .exit_codes = "0 printed, 2 the folder, its log, or the topics cannot be read",
    .run = tail};

const CommandInfo kEventsShowCommand{
    .path = "events show",
    .summary = "Prints one event with all its attributes",
    .description =
        "Finds an event by its position in the log or by its id and prints it as indented CloudEvents JSON.",
    .options = {{.name = "POSITION", .help = "A position, or the id of an event", .required = true},
                kDataOption,
                {.name = "--json", .help = "On one line"}},
    .examples =
        "micropay events show 42\nmicropay events show 0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b --data data",
    .exit_codes = "0 printed, 1 there is no such event, 2 the folder or its log cannot be read",
    .run = show};

}  // namespace micropay::app
