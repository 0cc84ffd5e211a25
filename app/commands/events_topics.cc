// events tail --kafka: the events of all services as their topics have them. Joins no group, so it disturbs
// nobody.
#include "app/commands/event_printer.h"
#include "app/console.h"
#include "app/instance.h"
#include "libs/kafka/tail.h"
#include "libs/kafka/topics.h"

namespace micropay::app {
namespace {

using kafka::KafkaSettings;
using kafka::Tail;

constexpr uint32_t kLastEvents = 20;  // without --from
constexpr Duration kWait = 200 * kMillisecond;

Result<KafkaSettings> settings_of(const Arguments& arguments) {
  Settings settings;
  TRY(load_settings(settings, arguments.text("--config"), arguments.all("--set")));
  settings.give("kafka.brokers", arguments.text("--kafka"), "--kafka");
  return KafkaSettings(settings);
}

Result<Tail::Options> options_of(const Arguments& arguments, const KafkaSettings& settings) {
  Tail::Options options{.topics = arguments.all("--topic"), .from = Tail::From::kLast, .last = kLastEvents};
  if (options.topics.empty())
    for (const kafka::TopicInfo& topic : TRY(kafka::event_topics(settings)))
      options.topics.push_back(topic.name);
  if (options.topics.empty()) return fail(Code::kNotFound, "kafka_no_topic", "there are no topics of events");
  const std::string from = arguments.text("--from");
  if (from.empty()) return options;
  const std::optional<Time> since = parse_time(from);
  if (!since && from != "beginning")
    return fail(Code::kInvalidArgument, "",
                "of topics, --from expects \"beginning\" or a time such as "
                "2026-11-21T01:39:47Z");
  options.from = since ? Tail::From::kTime : Tail::From::kBeginning;
  options.since = since.value_or(0);
  return options;
}

// The last ones of all partitions in the order of their times.
void print_last(Tail& tail, const EventPrinter& printer) {
  std::vector<std::shared_ptr<const EventRecord>> last;
  while (!tail.at_end())
    if (const auto consumed = tail.next(kWait); consumed && printer.wanted(consumed->event->envelope))
      last.push_back(consumed->event);
  std::ranges::stable_sort(last, {}, [](const auto& event) { return event->envelope.time(); });
  for (size_t i = last.size() - std::min<size_t>(last.size(), kLastEvents); i < last.size(); ++i)
    printer.print(last[i]->envelope);
}

Result<void> tail(const Arguments& arguments) {
  const EventPrinter printer(arguments);
  const KafkaSettings settings = TRY(settings_of(arguments));
  const Tail::Options options = TRY(options_of(arguments, settings));
  const auto tail = TRY(Tail::open(settings, options));
  if (options.from == Tail::From::kLast) print_last(*tail, printer);
  while (!tail->at_end() || arguments.has("--follow")) {
    if (const auto consumed = tail->next(kWait)) {
      if (printer.wanted(consumed->event->envelope)) printer.print(consumed->event->envelope);
    } else if (std::fflush(stdout) != 0) {
      return {};  // nobody reads any more
    }
  }
  if (tail->unreadable() > 0)
    tell(fmt::format("{} records were left out: no events of this platform, or of a newer one\n",
                     tail->unreadable()));
  return {};
}

}  // namespace

int tail_topics(const Arguments& arguments) {
  const auto done = tail(arguments);
  std::fflush(stdout);
  if (done) return kOk;
  print_error("events tail", done.error());
  return kUsage;
}

}  // namespace micropay::app
