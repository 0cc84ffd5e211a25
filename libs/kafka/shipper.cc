#include "libs/kafka/shipper.h"

#include <atomic>
#include <deque>
#include <thread>

#include "libs/base/check.h"
#include "libs/base/log.h"
#include "libs/base/metrics.h"
#include "libs/base/span_names.h"
#include "libs/kafka/key_partition.h"
#include "libs/kafka/publisher.h"
#include "libs/kafka/topics.h"
#include "libs/kafka/wakeup.h"

namespace micropay::kafka {
namespace {

constexpr size_t kReadAtOnce = 1'000;
constexpr Duration kFirstBackoff = 100 * kMillisecond;
constexpr Duration kLongestBackoff = 10 * kSecond;
// Between two rounds of publishing: each request makes work for the broker and for every consumer.
constexpr Duration kPace = 4 * kMillisecond;
constexpr Duration kAwaitingLease = 200 * kMillisecond;
constexpr Duration kStalledAfter = 5 * kSecond;  // brokers that are there and take nothing

struct Shipment {
  uint64_t position = 0;
  size_t bytes = 0;
  Time handed_over = 0;
  bool acknowledged = false;
  Span span = {};  // until it is acknowledged
};

}  // namespace

struct Shipper::Impl {
  Impl(const KafkaSettings& settings, const Store& store, ShipperOptions options)
      : settings_(settings),
        store_(store),
        options_(std::move(options)),
        topic_(topic_of(settings, options_.service)) {}

  void loop();
  void step();
  void finish(Duration timeout);
  Result<void> begin();
  void end(std::string_view why);
  Result<void> fill();
  Result<bool> hand_over(const EventRecord& event);
  void take_acknowledgements();
  void advance();
  void say_when_stalled();
  void save_if_due(bool at_once);
  void back_off(const Error& error);
  Duration until_next() const;

  const KafkaSettings settings_;
  const Store& store_;
  const ShipperOptions options_;
  const std::string topic_;
  const Clock& clock_ = system_clock();
  Wakeup wakeup_;
  std::thread thread_;
  std::atomic<bool> stopping_{false}, shipping_{false};
  std::atomic<bool> ours_{false};  // to ship; also while it cannot be done
  std::atomic<uint64_t> position_{0};

  // Of the thread.
  std::unique_ptr<Publisher> publisher_;  // none: not shipping
  EventWriter writer_;
  std::vector<std::shared_ptr<const EventRecord>> read_;  // next_of_read_ on: read, not handed over
  size_t next_of_read_ = 0;
  uint64_t next_ = 1;  // position to read next
  std::deque<Shipment> under_way_;
  size_t bytes_under_way_ = 0;
  std::vector<uint64_t> last_;  // by partition: position of the event handed over last
  bool careful_ = false;        // after a failure, until something is acknowledged: one at a time
  bool more_ = false;           // there was more to read than room
  std::optional<Error> refused_;
  uint64_t saved_ = 0;
  Time shipped_at_ = 0, saved_at_ = 0, blocked_until_ = 0;
  Duration backoff_ = kFirstBackoff;
  bool stalled_ = false;

  Counter& published_ =
      counter("micropay_kafka_published_total", "Events acknowledged by Kafka", {{"topic", topic_}});
  Counter& failures_ = counter("micropay_kafka_publish_failures_total",
                               "Times that publishing broke off and began again", {{"topic", topic_}});
  Counter& stalls_ = counter("micropay_kafka_publish_stalls_total",
                             "Times that a topic took no event for seconds", {{"topic", topic_}});
  Histogram& seconds_ =
      duration_histogram("micropay_kafka_publish_seconds",
                         "From handing an event over to its acknowledgement", {{"topic", topic_}});
  GaugeCallback lag_;
};

void Shipper::Impl::loop() {
  while (!stopping_) {
    step();
    wakeup_.wait(until_next());
    if (const Duration early = shipped_at_ + kPace - clock_.monotonic(); early > 0 && !stopping_)
      std::this_thread::sleep_for(std::chrono::microseconds(std::min(early, kPace)));
  }
}

// The thread has ended: the rest, here.
void Shipper::Impl::finish(Duration timeout) {
  const Time deadline = clock_.monotonic() + timeout;
  while (publisher_ && clock_.monotonic() < deadline && position_ < store_.end().next_position) {
    step();
    wakeup_.wait(std::min<Duration>(until_next(), 100 * kMillisecond));
  }
  if (!publisher_) return;
  take_acknowledgements();
  save_if_due(true);
  end("the service stops");
}

void Shipper::Impl::step() {
  if (clock_.monotonic() < blocked_until_) return;
  if (!options_.may_ship()) {
    if (publisher_ || ours_) end("the lease is another's now");
    return;
  }
  if (!publisher_)
    if (const auto begun = begin(); !begun) return back_off(begun.error());
  do {
    take_acknowledgements();
    if (refused_) return back_off(*std::exchange(refused_, {}));
    // One round at a time: beyond five records in flight, an idempotent client of librdkafka cannot send, and
    // spins until it may.
    if (publisher_->unacknowledged() == 0) {
      if (const auto filled = fill(); !filled) return back_off(filled.error());
      if (publisher_->unacknowledged() != 0) publisher_->send();
    }
    advance();
  } while (publisher_->unacknowledged() == 0 && more_);
  say_when_stalled();
  save_if_due(false);
}

// A topic that is read-only for now (too few replicas in sync), a disk that is full there, a broker that is
// away: the client tries on and on, and says nothing.
void Shipper::Impl::say_when_stalled() {
  const bool now = !under_way_.empty() && clock_.monotonic() - under_way_.front().handed_over > kStalledAfter;
  if (std::exchange(stalled_, now) == now) return;
  if (!now)
    return log_info("kafka.publishing_resumed", "Events get to their topic again", {{"topic", topic_}});
  stalls_.add();
  log_warn("kafka.publishing_stalled", "The topic takes no events; they wait for it",
           {{"topic", topic_}, {"position", position_.load()}, {"waiting", under_way_.size()}});
}

Result<void> Shipper::Impl::begin() {
  next_ = std::max<uint64_t>(TRY(options_.load()), 1);
  publisher_ = TRY(Publisher::open(settings_, "micropay-" + options_.service, [this] { wakeup_.notify(); }));
  position_ = saved_ = next_;
  saved_at_ = clock_.monotonic();
  read_.clear();
  next_of_read_ = 0;
  under_way_.clear();
  bytes_under_way_ = 0;
  last_.assign(settings_.partitions, 0);
  shipping_ = ours_ = true;
  log_info("kafka.shipping", "This instance publishes the service's events",
           {{"topic", topic_}, {"position", next_}});
  return {};
}

void Shipper::Impl::end(std::string_view why) {
  log_info("kafka.shipping_ended", why, {{"topic", topic_}, {"position", position_.load()}});
  shipping_ = ours_ = false;
  publisher_.reset();
}

// Hands over what there is, as long as there is room.
Result<void> Shipper::Impl::fill() {
  while (true) {
    for (; next_of_read_ < read_.size(); ++next_of_read_) {
      more_ = true;
      if (publisher_->unacknowledged() >= (careful_ ? 1 : options_.max_unacknowledged) ||
          under_way_.size() >= options_.max_unacknowledged ||
          bytes_under_way_ >= options_.max_unacknowledged_bytes || !TRY(hand_over(*read_[next_of_read_])))
        return {};
    }
    read_.clear();
    next_of_read_ = 0;
    more_ = false;
    // No more than is there: what was committed last is in memory, what is behind it would be asked for.
    const uint64_t end = store_.end().next_position;
    if (next_ >= end) return {};
    read_ = TRY(store_.read_events(next_, std::min<uint64_t>(kReadAtOnce, end - next_)));
    if (read_.empty()) return {};
    next_ = read_.back()->envelope.position() + 1;
  }
}

// False: there is no room. Events that came from other services are theirs to publish.
Result<bool> Shipper::Impl::hand_over(const EventRecord& event) {
  Shipment shipment{.position = event.envelope.position(), .handed_over = clock_.monotonic()};
  if (event.envelope.service() != options_.service) {
    shipment.acknowledged = true;
  } else {
    const uint32_t partition = key_partition(event.envelope.key(), settings_.partitions);
    Span span = begin_span(options_.traces, {.name = topic_,
                                             .service = options_.service,
                                             .kind = SpanKind::kProducer,
                                             .parent = event.envelope.traceparent(),
                                             .may_begin_trace = false});
    name_message(span, {.operation = "send",
                        .topic = topic_,
                        .event_type = event.envelope.type(),
                        .event_id = event.envelope.id()});
    const EventMessage& message = writer_.write(event, last_[partition], span.traceparent());
    if (message.value.size() > kMaxValueBytes || message.key.size() > kMaxKeyBytes)
      return fail(Code::kTooLarge, "record_too_large",
                  fmt::format("the event at {} is larger than what topics carry", shipment.position));
    if (const auto done = publisher_->publish({topic_, int32_t(partition)}, message, shipment.position);
        !done) {
      span.drop();
      if (done.error().code == Code::kResourceExhausted) return false;
      return std::unexpected(done.error());
    }
    last_[partition] = shipment.position;
    shipped_at_ = shipment.handed_over;
    shipment.bytes = message.value.size();
    shipment.span = std::move(span);
  }
  bytes_under_way_ += shipment.bytes;
  under_way_.push_back(std::move(shipment));
  return true;
}

void Shipper::Impl::take_acknowledgements() {
  const Time now = clock_.monotonic();
  publisher_->poll([&](uint64_t position, const Error* error) {
    if (error != nullptr) {
      if (!refused_) refused_ = *error;
      return;
    }
    const auto at = std::ranges::lower_bound(under_way_, position, {}, &Shipment::position);
    CHECK(at != under_way_.end() && at->position == position);
    at->acknowledged = true;
    if (at->span.recorded()) at->span.end();
    careful_ = false;
    published_.add();
    seconds_.observe(now - at->handed_over);
    backoff_ = kFirstBackoff;
  });
  advance();
}

void Shipper::Impl::advance() {
  while (!under_way_.empty() && under_way_.front().acknowledged) {
    position_ = under_way_.front().position + 1;
    bytes_under_way_ -= under_way_.front().bytes;
    under_way_.pop_front();
  }
}

void Shipper::Impl::save_if_due(bool at_once) {
  const Time now = clock_.monotonic();
  if (position_ == saved_ || (!at_once && now - saved_at_ < options_.save_interval)) return;
  saved_at_ = now;
  if (const auto saved = options_.save(position_); saved) saved_ = position_;
  else
    log_warn(
        "kafka.position_not_saved", "How far events are published could not be written down; later again",
        {{"topic", topic_}, {"error.code", saved.error().reason}, {"error.message", saved.error().detail}});
}

// From the last acknowledged event on with a new publisher, so that no key gets out of order.
void Shipper::Impl::back_off(const Error& error) {
  log_error("kafka.publishing_failed", "Events wait for their topic; it is tried again",
            {{"topic", topic_},
             {"position", position_.load()},
             {"error.code", error.reason},
             {"error.message", error.detail}});
  failures_.add();
  careful_ = true;
  for (Shipment& shipment : under_way_) shipment.span.fail(error.reason);
  if (publisher_) {
    save_if_due(true);
    publisher_.reset();
    shipping_ = false;
  }
  blocked_until_ = clock_.monotonic() + backoff_;
  backoff_ = std::min(backoff_ * 2, kLongestBackoff);
}

Duration Shipper::Impl::until_next() const {
  const Time now = clock_.monotonic();
  if (now < blocked_until_) return blocked_until_ - now;
  if (!publisher_) return kAwaitingLease;
  const bool unsaved = position_ != saved_;
  return std::min(options_.look_interval,
                  unsaved ? std::max<Duration>(saved_at_ + options_.save_interval - now, kMillisecond)
                          : options_.look_interval);
}

Shipper::Shipper(const KafkaSettings& settings, const Store& store, ShipperOptions options)
    : impl_(std::make_unique<Impl>(settings, store, std::move(options))) {}

Shipper::~Shipper() { stop(); }

void Shipper::start() {
  CHECK(!impl_->thread_.joinable());
  impl_->lag_ =
      gauge_callback("micropay_kafka_unpublished_events", "Events of the log that Kafka does not have yet",
                     {{"topic", impl_->topic_}}, [this] { return double(lag()); });
  impl_->thread_ = std::thread([this] { impl_->loop(); });
}

void Shipper::poke() { impl_->wakeup_.notify(); }

void Shipper::stop(Duration timeout) {
  if (!impl_->thread_.joinable()) return;
  impl_->stopping_ = true;
  impl_->wakeup_.notify();
  impl_->thread_.join();
  impl_->lag_ = {};
  impl_->finish(timeout);
}

uint64_t Shipper::position() const { return impl_->position_; }
bool Shipper::shipping() const { return impl_->shipping_; }
uint64_t Shipper::lag() const {
  if (!impl_->ours_) return 0;
  const uint64_t next = impl_->store_.end().next_position, position = impl_->position_;
  return next > position ? next - position : 0;
}

}  // namespace micropay::kafka
