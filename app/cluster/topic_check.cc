#include "app/cluster/topic_check.h"

#include <algorithm>

#include "libs/kafka/tail.h"
#include "libs/kafka/topics.h"

namespace micropay::app {
namespace {

using Emitted = HeardCheck::Emitted;

constexpr Duration kSilence = 15 * kSecond;  // a broker that gives nothing for so long is away
constexpr Duration kWait = 500 * kMillisecond;

std::unexpected<Error> wrong(std::string text) {
  return fail(Code::kFailedPrecondition, "topic_differs", std::move(text));
}

}  // namespace

void TopicCheck::add(Log log) {
  const auto emits = [&](const contract::Event* event) { return event->service->name == log.service; };
  if (std::ranges::none_of(contract::model().events(), emits)) return;
  std::string name = kafka::topic_of(settings_, log.service);
  topics_.push_back({std::move(log), std::move(name), std::vector<Place>(logs_.partitions())});
}

Result<void> TopicCheck::run(const std::function<void(uint64_t read, uint64_t all)>& tell) {
  kafka::Tail::Options options{.from = kafka::Tail::From::kBeginning, .fixed_end = true};
  for (const Topic& topic : topics_) options.topics.push_back(topic.name);
  const auto tail = TRY(kafka::Tail::open(settings_, options));
  Time heard_at = system_clock().monotonic();
  while (!tail->at_end()) {
    const auto consumed = tail->next(kWait);
    const Time now = system_clock().monotonic();
    tell(tail->part().given, tail->part().all);
    if (!consumed && now - heard_at > kSilence)
      return fail(Code::kUnavailable, "kafka_silent", "Kafka does not give the rest of the topics");
    if (!consumed) continue;
    heard_at = now;
    TRY(take(consumed->topic, consumed->partition, consumed->event->envelope));
  }
  if (tail->unreadable() > 0) return wrong(fmt::format("{} records cannot be read", tail->unreadable()));
  return finish();
}

Result<void> TopicCheck::finish() const {
  for (const Topic& topic : topics_) {
    TRY(check_end(topic));
    TRY(check_beyond(topic));
  }
  return {};
}

Result<void> TopicCheck::take(std::string_view name, uint32_t partition, const Envelope& event) {
  Topic& topic = *std::ranges::find(topics_, name, &Topic::name);
  const auto place_text = [&] { return fmt::format("{}, partition {}", topic.name, partition); };
  if (partition >= topic.places.size())
    return wrong(fmt::format("{} has more partitions than the settings say", topic.name));
  if (event.position() >= topic.log.next) {  // of after the log was read
    topic.beyond = std::max(topic.beyond, event.position());
    return {};
  }
  const auto& list = logs_.emitted(topic.log.service, partition);
  Place& place = topic.places[partition];
  if (!place.begun)
    place.next =
        size_t(std::ranges::lower_bound(list, event.position(), {}, &Emitted::position) - list.begin());
  place.begun = true;
  if (place.next < list.size() && event.position() > list[place.next].position)
    return wrong(fmt::format("event {} ({}) is missing in {}", list[place.next].position,
                             list[place.next].type->type, place_text()));
  if (place.next == list.size() || list[place.next].position != event.position() ||
      list[place.next].id != logs_.hash(event.id()))
    return wrong(fmt::format("event {} in {} is not one of the log", event.position(), place_text()));
  ++place.next;
  ++events_;
  return {};
}

// What came while all was read is of the log, too; or it is of nobody.
Result<void> TopicCheck::check_beyond(const Topic& topic) const {
  if (topic.beyond == 0 || topic.beyond < TRY(topic.log.next_now())) return {};
  return wrong(fmt::format("event {} in {} is not one of the log", topic.beyond, topic.name));
}

// What was published is there; retention may have taken all.
Result<void> TopicCheck::check_end(const Topic& topic) const {
  for (uint32_t i = 0; i < topic.places.size(); ++i) {
    const auto& list = logs_.emitted(topic.log.service, i);
    if (!topic.places[i].begun || topic.places[i].next == list.size()) continue;
    const Emitted& missing = list[topic.places[i].next];
    if (missing.position <= topic.log.published)
      return wrong(fmt::format("event {} ({}) was published, and is missing at the end of {}, partition {}",
                               missing.position, missing.type->type, topic.name, i));
  }
  return {};
}

}  // namespace micropay::app
