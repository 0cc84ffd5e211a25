// Topics are read before the logs, and what was taken in before the logs, too: a log is ahead of both, so
// what comes meanwhile is no misfit.
#include "app/cluster/alignment.h"

#include <algorithm>

#include "app/cluster/service_node.h"
#include "libs/base/log.h"
#include "libs/base/metrics.h"
#include "libs/kafka/topics.h"

namespace micropay::app {
namespace {

using Kind = Misfit::Kind;

class Comparison {
 public:
  Comparison(const std::vector<AlignmentFacts>& all, const kafka::TopicEnds& ends,
             const kafka::KafkaSettings& settings, const EventIdAt& event_id)
      : all_(all), ends_(ends), settings_(settings), event_id_(event_id) {}

  Result<std::vector<Misfit>> run() {
    for (const AlignmentFacts& source : all_) TRY(judge_topic(source));
    for (const AlignmentFacts& consumer : all_)
      for (const LogLook::Mark& mark : consumer.marks) judge_mark(consumer.service, mark);
    return std::move(found_);
  }

 private:
  void add(Kind kind, const std::string& service, std::string text) {
    found_.push_back({.kind = kind, .service = service, .text = std::move(text)});
  }

  // Does the topic end with an event of the log?
  Result<void> judge_topic(const AlignmentFacts& source) {
    const std::string topic = kafka::topic_of(settings_, source.service);
    bool written = false;
    for (auto at = ends_.lower_bound({topic, 0}); at != ends_.end() && at->first.topic == topic; ++at) {
      const kafka::TopicEnd& end = at->second;
      written |= !end.never_written();
      if (!end.event) continue;
      const bool there = end.event->position < source.end.next_position &&
                         TRY(event_id_(source.service, end.event->position)) == end.event->id;
      if (there) continue;
      add(Kind::kTopicAhead, source.service,
          fmt::format(
              "{}, partition {}, ends with event {} ({}), which the log of {} does not have: that ends "
              "at {}",
              topic, at->first.number, end.event->position, end.event->id, source.service,
              source.end.next_position - 1));
      return {};
    }
    if (!written && source.published_some)
      add(Kind::kTopicBehind, source.service,
          fmt::format("{} is empty, and {} has published its log up to {}", topic, source.service,
                      source.published));
    return {};
  }

  void judge_mark(const std::string& consumer, const LogLook::Mark& mark) {
    const auto source = std::ranges::find(all_, mark.source, &AlignmentFacts::service);
    if (source == all_.end() || mark.position == 0) return;
    if (mark.position >= source->end.next_position)
      return add(Kind::kConsumerAhead, mark.source,
                 fmt::format("{} has taken in event {} of {}, whose log ends at {}", consumer, mark.position,
                             mark.source, source->end.next_position - 1));
    const std::string topic = kafka::topic_of(settings_, mark.source);
    const auto at = ends_.find(kafka::Partition{topic, mark.partition});
    const kafka::TopicEnd end = at == ends_.end() ? kafka::TopicEnd() : at->second;
    // What its service has still to publish (again) comes; what retention has taken is not missed, and leaves
    // the offsets as they are.
    if (source->published < mark.position) return;
    const bool behind = end.place != 0 ? end.place < mark.position : end.high <= mark.offset;
    if (behind && std::ranges::find(found_, mark.source, &Misfit::service) == found_.end())
      add(Kind::kTopicBehind, mark.source,
          fmt::format("{}, partition {}, ends before event {}, which {} has taken from it", topic,
                      mark.partition, mark.position, consumer));
  }

  const std::vector<AlignmentFacts>& all_;
  const kafka::TopicEnds& ends_;
  const kafka::KafkaSettings& settings_;
  const EventIdAt& event_id_;
  std::vector<Misfit> found_;
};

}  // namespace

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::kTopicAhead: return "topic_ahead";
    case Kind::kTopicBehind: return "topic_behind";
    case Kind::kConsumerAhead: return "consumer_ahead";
  }
  return "";
}

Result<std::vector<Misfit>> compare(const std::vector<AlignmentFacts>& all, const kafka::TopicEnds& ends,
                                    const kafka::KafkaSettings& settings, const EventIdAt& event_id) {
  return Comparison(all, ends, settings, event_id).run();
}

Result<Alignment> Alignment::open(const ClusterSettings& settings, const std::vector<std::string>& services,
                                  const Needed& needed) {
  Alignment alignment(settings, {});
  for (const std::string& service : services) {
    auto look = LogLook::open(TRY(settings.store_of(service)).address);
    if (look) {
      alignment.logs_[service] = std::move(*look);
      alignment.services_.push_back(service);
    } else if (needed(service)) {
      return fail(look.error().code, look.error().reason,
                  fmt::format("the database of {}: {}", service, look.error().detail));
    }
  }
  return alignment;
}

Result<std::vector<Misfit>> Alignment::look() {
  const kafka::TopicEnds ends = TRY(kafka::topic_ends(settings_->kafka, services_));
  std::vector<AlignmentFacts> all;
  for (const std::string& service : services_)
    all.push_back({.service = service, .marks = TRY(log_of(service).marks())});
  for (AlignmentFacts& facts : all) {
    LogLook& log = log_of(facts.service);
    facts.published = TRY(log.position(kShippingDuty));
    facts.end = TRY(log.end());
    const std::string topic = kafka::topic_of(settings_->kafka, facts.service);
    const bool empty = std::ranges::none_of(
        ends, [&](const auto& end) { return end.first.topic == topic && !end.second.never_written(); });
    if (empty && facts.published > 0) facts.published_some = TRY(log.emitted(facts.service, facts.published));
  }
  return compare(all, ends, settings_->kafka, [this](const std::string& service, uint64_t position) {
    return log_of(service).event_id(position);
  });
}

// ---- at the start of a process ----

namespace {

constexpr Duration kLookAgain = 2 * kSecond, kSayAgain = kMinute;
constexpr std::string_view kNext = "stop all services and run: micropay topics align";

// One sentence about all of them.
Error error_of(const std::vector<Misfit>& misfits) {
  const auto worst = std::ranges::find_if_not(misfits, &Misfit::topics_mend_it);
  const Misfit& told = worst == misfits.end() ? misfits.front() : *worst;
  const std::string more = misfits.size() == 1 ? "" : fmt::format(" (and {} more)", misfits.size() - 1);
  const std::string next = worst == misfits.end()
                               ? std::string(kNext)
                               : "restore all databases to one moment (docs/operations.md, Restoring)";
  return {
      .code = Code::kUnavailable,
      .reason = std::string(name_of(told.kind)),
      .detail = fmt::format("databases and topics do not belong together, so nothing is taken in: {}{}; {}",
                            told.text, more, next)};
}

void count(const std::vector<Misfit>& misfits, bool compared) {
  static Gauge& aligned = gauge("micropay_topics_aligned",
                                "Whether databases and topics were found to belong together at the start");
  aligned.set(compared && misfits.empty() ? 1 : 0);
  for (const Kind kind : {Kind::kTopicAhead, Kind::kTopicBehind, Kind::kConsumerAhead})
    gauge("micropay_topics_misfits", "Places where databases and topics do not belong together",
          {{"kind", std::string(name_of(kind))}})
        .set(std::ranges::count(misfits, kind, &Misfit::kind));
}

Result<std::vector<Misfit>> look_once(const ClusterSettings& settings, const StartCheck& check) {
  return TRY(Alignment::open(settings, check.services, check.needed)).look();
}

}  // namespace

Result<void> wait_until_aligned(const ClusterSettings& settings, const StartCheck& check) {
  std::string said;
  for (Time said_at = 0; true;) {
    const auto misfits = look_once(settings, check);
    count(misfits.value_or(std::vector<Misfit>()), misfits.has_value());
    if (misfits && misfits->empty()) return {};
    const Error error = misfits ? error_of(*misfits) : misfits.error();
    check.tell(error);
    const Time now = system_clock().monotonic();
    if (said != error.reason || now - said_at >= kSayAgain) {
      said = error.reason, said_at = now;
      if (misfits) log_error("process.not_aligned", error.detail, {{"reason", error.reason}});
      else
        log_warn("process.waits",
                 fmt::format("The start waits for what it has to compare with the topics: {}", error.detail),
                 {{"reason", error.reason}});
    }
    if (!check.pause) return std::unexpected(error);
    if (!check.pause(kLookAgain))
      return fail(Code::kAborted, "stopped", "the process was told to end while it waited");
  }
}

}  // namespace micropay::app
