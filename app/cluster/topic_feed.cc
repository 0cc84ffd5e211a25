#include "app/cluster/topic_feed.h"

#include <pthread.h>

#include <algorithm>
#include <map>

#include "libs/base/log.h"

namespace micropay::app {
namespace {

constexpr size_t kRemembered = 50'000;  // events
constexpr size_t kMostAtOnce = 500;
constexpr Duration kPatience = 15 * kMillisecond;  // live streams are for people
constexpr Duration kWait = 100 * kMillisecond, kRetry = kSecond;

using Lanes = std::map<kafka::Partition, std::deque<std::shared_ptr<const EventRecord>>>;

// One partition comes before the other in what a broker sends: put together by time, each in its order.
gateway::EventBatch by_time(Lanes& lanes) {
  gateway::EventBatch events;
  while (true) {
    Lanes::value_type* first = nullptr;
    for (auto& lane : lanes)
      if (!lane.second.empty() &&
          (first == nullptr || lane.second.front()->envelope.time() < first->second.front()->envelope.time()))
        first = &lane;
    if (first == nullptr) return events;
    events.push_back(std::move(first->second.front()));
    first->second.pop_front();
  }
}

}  // namespace

TopicFeed::TopicFeed(const kafka::KafkaSettings& settings, std::vector<std::string> topics, Time since)
    : settings_(settings), topics_(std::move(topics)), since_(since), began_(system_clock().now()) {
  next_ = uint64_t(began_);
}

TopicFeed::~TopicFeed() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void TopicFeed::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "topics");
    run();
  });
}

void TopicFeed::run() {
  std::unique_ptr<kafka::Tail> tail;
  while (!stopping_) {
    if (!tail) {
      auto opened = kafka::Tail::open(
          settings_,
          {.topics = topics_, .from = kafka::Tail::From::kTime, .since = since_, .patience = kPatience});
      if (opened) {
        tail = std::move(*opened);
      } else {
        log_warn("topics.unreachable", opened.error().detail, {{"reason", opened.error().reason}});
        for (Time until = system_clock().monotonic() + kRetry;
             !stopping_ && system_clock().monotonic() < until;)
          std::this_thread::sleep_for(std::chrono::milliseconds(50));
        continue;
      }
    }
    if (const auto consumed = tail->next(kWait)) take(*tail, *consumed);
  }
}

// An event with what follows it at once.
void TopicFeed::take(kafka::Tail& tail, const kafka::Consumed& first) {
  Lanes lanes;
  lanes[{std::string(first.topic), first.partition}].push_back(first.event);
  for (size_t count = 1; count < kMostAtOnce; ++count) {
    const auto more = tail.next(0);
    if (!more) break;
    lanes[{std::string(more->topic), more->partition}].push_back(more->event);
  }
  gateway::EventBatch events = by_time(lanes);
  if (any_) any_(events);
  std::erase_if(events, [this](const auto& event) { return event->envelope.time() < began_; });
  for (auto& event : events) {
    auto placed = std::make_shared<EventRecord>(*event);
    const uint64_t position = std::max(next_.load(), uint64_t(event->envelope.time()));
    placed->envelope.set_position(position);
    next_ = position + 1;
    event = std::move(placed);
  }
  if (events.empty()) return;
  remember(events);
  if (fresh_) fresh_(events);
}

void TopicFeed::remember(const gateway::EventBatch& events) {
  const std::lock_guard lock(mutex_);
  recent_.insert(recent_.end(), events.begin(), events.end());
  while (recent_.size() > kRemembered) recent_.pop_front();
}

Result<gateway::EventBatch> TopicFeed::read_events(uint64_t position, size_t limit) const {
  const std::lock_guard lock(mutex_);
  const auto from = std::ranges::lower_bound(recent_, position, {},
                                             [](const auto& event) { return event->envelope.position(); });
  const auto count = std::min<ptrdiff_t>(recent_.end() - from, ptrdiff_t(limit));
  return gateway::EventBatch(from, from + count);
}

}  // namespace micropay::app
