#include "app/cluster/config_news.h"

#include <pthread.h>

#include <algorithm>
#include <ranges>

#include "libs/base/ids.h"
#include "libs/base/log.h"
#include "libs/base/metrics.h"
#include "libs/kafka/publisher.h"
#include "libs/kafka/topics.h"

namespace micropay::app {
namespace {

constexpr std::string_view kConfig = "config";
constexpr size_t kMostWaiting = 100;
constexpr Duration kPause = 2 * kSecond;    // between attempts
constexpr Duration kOverlap = 5 * kSecond;  // news of just before the start are looked at, too

Counter& announcements(std::string_view outcome) {
  return counter("micropay_config_announcements_total", "config.changed events, by outcome",
                 {{"outcome", std::string(outcome)}});
}

}  // namespace

bool concerns(std::string_view told, std::string_view own) {
  return told == "*" || std::ranges::any_of(std::views::split(own, ','),
                                            [&](const auto& name) { return std::string_view(name) == told; });
}

ConfigAnnouncer::ConfigAnnouncer(kafka::KafkaSettings settings) : settings_(std::move(settings)) {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "config-news");
    run();
  });
}

ConfigAnnouncer::~ConfigAnnouncer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void ConfigAnnouncer::tell(const config::Changed& changed) {
  {
    const std::lock_guard lock(mutex_);
    for (const config::Change& change : changed.changes) {
      ConfigChanged& event = waiting_.emplace_back();
      event.set_application(change.application);
      event.set_profile(change.profile);
      event.set_label(changed.label);
      event.set_version(changed.version);
    }
    // Of many versions the last ones tell what there is to tell: go and ask.
    for (; waiting_.size() > kMostWaiting; waiting_.pop_front()) announcements("dropped").add();
  }
  wake_.notify_all();
}

void ConfigAnnouncer::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    const ConfigChanged change = std::move(waiting_.front());
    waiting_.pop_front();
    for (bool said = false;; said = true) {
      lock.unlock();
      const auto published = publish(change);
      if (published) announcements("published").add();
      else if (!said)
        log_warn("config.not_announced",
                 "A new version is not announced yet: processes find it at their next look",
                 {{"reason", published.error().reason}, {"error.message", published.error().detail}});
      lock.lock();
      if (published) break;
      if (wake_.wait_for(lock, std::chrono::microseconds(kPause), [this] { return stopping_; })) return;
    }
  }
}

Result<void> ConfigAnnouncer::publish(const ConfigChanged& change) {
  if (!publisher_) publisher_ = TRY(kafka::Publisher::open(settings_, "micropay-config"));
  // One that was handed over and is not acknowledged is waited for: to hand it over again could double it.
  if (publisher_->unacknowledged() == 0) TRY(hand_over(change));
  std::optional<Error> refused;
  const auto acknowledged = [&](uint64_t, const Error* error) {
    if (error != nullptr) refused = *error;
  };
  if (!publisher_->flush(acknowledged, kPause))
    return fail(Code::kUnavailable, "kafka_timeout", "no broker has taken it in time");
  if (refused) return std::unexpected(*refused);
  return {};
}

// Positions are times in microseconds, made to grow: there is no log that they could be places of, and a
// restart must not begin anew.
Result<void> ConfigAnnouncer::hand_over(const ConfigChanged& change) {
  const Time now = system_clock().now();
  position_ = std::max(position_ + 1, uint64_t(now));
  EventRecord event;
  event.type = contract::model().event("config.changed");
  Envelope& envelope = event.envelope;
  envelope.set_id(derived_uuid(fmt::format("{}/{}/{}", change.version(), change.application(), position_)));
  envelope.set_type(*event.type);
  envelope.set_time(now);
  envelope.set_key(change.application());
  envelope.set_correlation_id(envelope.id());
  envelope.set_actor("system");
  envelope.set_position(position_);
  envelope.set_data(change.SerializeAsString());
  kafka::EventWriter writer;
  // Services make the topic, with as many partitions as they are told: settings of theirs, not known here.
  return publisher_->publish({kafka::topic_of(settings_, kConfig)}, writer.write(event), position_);
}

ConfigFollower::ConfigFollower(const kafka::KafkaSettings& settings, RemoteSettings& remote)
    : remote_(remote),
      feed_(settings, {kafka::topic_of(settings, kConfig)}, system_clock().now() - kOverlap) {
  feed_.on_any([this](const gateway::EventBatch& events) { look(events); });
}

void ConfigFollower::look(const gateway::EventBatch& events) {
  for (const auto& event : events) {
    const auto* change = dynamic_cast<const ConfigChanged*>(event->message.get());
    if (change == nullptr || !concerns(change->application(), remote_.application()) ||
        !concerns(change->profile(), remote_.profile()))
      continue;
    log_info("config_client.told", "There is a new version of the settings",
             {{"version", change->version()}, {"application", change->application()}});
    return remote_.look_now();
  }
}

}  // namespace micropay::app
