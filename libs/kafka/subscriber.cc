#include "libs/kafka/subscriber.h"

#include <librdkafka/rdkafka.h>

#include <cstring>

#include "libs/base/check.h"
#include "libs/base/log.h"
#include "libs/kafka/subscriber_impl.h"

namespace micropay::kafka {
namespace {

constexpr int kPollMs = 100;
// How long an answer of the broker is waited for: one that was just started may never answer what it got
// before it knew its groups, and a member whose commit waits cannot join again. The client's own standard is
// a minute.
constexpr Duration kAnswer = 10 * kSecond;
constexpr Duration kOfferAgain = kMillisecond;
// Shorter fullness than this is sat out: pausing throws away what was fetched.
constexpr Duration kPauseAfter = 50 * kMillisecond;
constexpr Duration kOfferAgainPaused = 10 * kMillisecond;
constexpr Duration kReportInterval = kSecond;
constexpr Duration kComplainInterval = 10 * kSecond;
constexpr Duration kHeldUpAfter = 5 * kSecond;  // what is published again comes sooner

Result<ConfPtr> conf_of(const KafkaSettings& settings, const SubscriberOptions& options) {
  const Duration session = settings.session_timeout;
  const Duration heartbeat = std::clamp<Duration>(session / 6, 100 * kMillisecond, kSecond);
  const Fetching fetching(options.patience);
  const auto ms = [](Duration duration) { return std::to_string(duration / kMillisecond); };
  ConfPtr conf = TRY(make_conf(settings, "micropay-" + options.group,
                               {{"group.id", settings.prefix + options.group},
                                {"group.instance.id", options.member},
                                {"partition.assignment.strategy", settings.assignment},
                                {"session.timeout.ms", ms(session)},
                                {"heartbeat.interval.ms", ms(heartbeat)},
                                {"max.poll.interval.ms", ms(std::max<Duration>(session, kMinute))},
                                {"socket.timeout.ms", ms(std::max(session, kAnswer))},
                                {"enable.auto.commit", "false"},
                                {"enable.auto.offset.store", "false"},
                                {"auto.offset.reset", "earliest"},
                                {"allow.auto.create.topics", "false"},
                                {"fetch.min.bytes", fetching.min_bytes},
                                {"fetch.wait.max.ms", fetching.wait_ms},
                                {"fetch.error.backoff.ms", "50"},
                                // What is fetched ahead is the bound of memory.
                                {"queued.min.messages", "2000"},
                                {"queued.max.messages.kbytes", "16384"}}));
  return conf;
}

}  // namespace

Subscriber::Impl::Impl(const KafkaSettings& settings, SubscriberOptions options)
    : settings_(settings),
      options_(std::move(options)),
      dead_letters_(settings, options_.group),
      rebalances_(counter("micropay_kafka_rebalances_total", "Times that partitions were assigned or revoked",
                          {{"group", options_.group}})),
      pauses_(counter("micropay_kafka_pauses_total",
                      "Times that consumption paused because the service was full",
                      {{"group", options_.group}})),
      skipped_(counter("micropay_kafka_unknown_types_total",
                       "Events skipped because no contract here has them", {{"group", options_.group}})) {}

Result<void> Subscriber::Impl::open() {
  ConfPtr conf = TRY(conf_of(settings_, options_));
  rd_kafka_conf_set_opaque(conf.get(), this);
  rd_kafka_conf_set_rebalance_cb(
      conf.get(), [](rd_kafka_t* client, rd_kafka_resp_err_t response, rd_kafka_topic_partition_list_t* list,
                     void* self) { rebalance(client, response, list, self); });
  client_ = TRY(make_client(std::move(conf), Role::kConsumer));
  rd_kafka_poll_set_consumer(client_.get());
  const PartitionListPtr topics(rd_kafka_topic_partition_list_new(int(options_.topics.size())));
  for (const std::string& topic : options_.topics)
    rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  if (const auto response = rd_kafka_subscribe(client_.get(), topics.get());
      response != RD_KAFKA_RESP_ERR_NO_ERROR)
    return std::unexpected(error_of(response, "subscribing"));
  thread_ = std::thread([this] { loop(); });
  return {};
}

void Subscriber::Impl::loop() {
  while (!stopping_) {
    if (!held_.empty()) {
      offer_held();
      if (!held_.empty()) wakeup_.wait(paused_ ? kOfferAgainPaused : kOfferAgain);
    }
    if (held_.empty() && paused_) set_paused(false);
    // What was fetched before the pause took hold comes, too; and rebalances are served here.
    if (held_.empty() || paused_)
      if (rd_kafka_message_t* message = rd_kafka_consumer_poll(client_.get(), held_.empty() ? kPollMs : 0))
        take_in(MessagePtr(message));
    report();
  }
  commit_offsets();
  held_.clear();
  rd_kafka_consumer_close(client_.get());
}

void Subscriber::Impl::take_in(MessagePtr message) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
    return failed_poll(message->err, rd_kafka_message_errstr(message.get()));
  if (!held_.empty() || !offer(*message)) hold(std::move(message));
}

// True when the record is done with, one way or the other.
bool Subscriber::Impl::offer(const rd_kafka_message_s& message) {
  Assigned* assigned = assigned_of(message);
  if (assigned == nullptr) return true;  // fetched before it was revoked
  const auto offset = uint64_t(message.offset);
  const EventMessage view = view_of(message);
  if (assigned->expected && check_first(*assigned, offset, view) != First::kGoOn) return true;
  const Reading reading = assigned->reader.read(view, offset);
  if (!settle(*assigned, reading, view, offset)) return false;
  assigned->next_offset = message.offset + 1;
  return true;
}

bool Subscriber::Impl::settle(Assigned& assigned, const Reading& reading, const EventMessage& message,
                              uint64_t offset) {
  switch (reading.kind) {
    case Reading::Kind::kRepeated: assigned.repeated->add(); return true;
    case Reading::Kind::kAhead:
      assigned.ahead->add();
      note_ahead(assigned, reading.position);
      if (const Time now = clock_.monotonic(); missed_at_ == 0 || now - missed_at_ > kComplainInterval) {
        missed_at_ = now;
        log_error("kafka.event_missing", "An event before this one is missing; it has to be published again",
                  {{"group", options_.group},
                   {"topic", assigned.partition.topic},
                   {"partition", assigned.partition.number},
                   {"offset", offset},
                   {"position", reading.position}});
      }
      return true;
    case Reading::Kind::kPoison:
      if (reading.error.reason == kUnknownType && options_.skip_unknown_types) skipped_.add();
      else dead_letters_.add(message, assigned.partition, offset, reading.error);
      break;
    case Reading::Kind::kNext:
      dead_letters_.settle();
      if (!options_.take({.event = reading.event,
                          .topic = assigned.partition.topic,
                          .partition = assigned.partition.number,
                          .offset = offset}))
        return false;
      assigned.consumed->add();
      if (assigned.ahead_since != 0) note_ahead(assigned, 0);
  }
  assigned.reader.taken(reading);
  return true;
}

// 0: no event is missing any more.
void Subscriber::Impl::note_ahead(Assigned& assigned, uint64_t position) {
  const std::lock_guard lock(mutex_);
  if (position == 0) assigned.ahead_since = 0;
  else if (assigned.ahead_since == 0) assigned.ahead_since = clock_.monotonic();
  assigned.ahead_position = position;
}

void Subscriber::Impl::hold(MessagePtr message) {
  if (held_.empty()) held_since_ = clock_.monotonic();
  held_.push_back(std::move(message));
}

void Subscriber::Impl::offer_held() {
  while (!held_.empty() && offer(*held_.front())) held_.pop_front();
  if (held_.empty() || paused_ || clock_.monotonic() - held_since_ < kPauseAfter) return;
  set_paused(true);
  pauses_.add();
}

void Subscriber::Impl::set_paused(bool paused) {
  const PartitionListPtr all(rd_kafka_topic_partition_list_new(int(assigned_.size())));
  for (const auto& [partition, assigned] : assigned_)
    rd_kafka_topic_partition_list_add(all.get(), partition.topic.c_str(), int32_t(partition.number));
  if (paused) rd_kafka_pause_partitions(client_.get(), all.get());
  else rd_kafka_resume_partitions(client_.get(), all.get());
  paused_ = paused;
}

void Subscriber::Impl::failed_poll(int response, const char* words) {
  if (response == RD_KAFKA_RESP_ERR__FATAL || rd_kafka_fatal_error(client_.get(), nullptr, 0) != 0) {
    char why[512] = "";
    rd_kafka_fatal_error(client_.get(), why, sizeof why);
    log_error("kafka.consumer_failed", "Consumption ends: another member has the same identity, or worse",
              {{"group", options_.group}, {"member", options_.member}, {"error.message", why}});
    stopping_ = true;
    if (options_.failed) options_.failed({.code = Code::kInternal, .reason = "kafka_fatal", .detail = why});
    return;
  }
  const Time now = clock_.monotonic();
  if (now - complained_at_ < kComplainInterval) return;
  complained_at_ = now;
  const Error error = error_of(response, words);
  log_warn("kafka.consuming_failed", "Consumption is held up; it is tried again",
           {{"group", options_.group}, {"error.code", error.reason}, {"error.message", error.detail}});
}

// Now and then: lag for the metrics, offsets for the tools.
void Subscriber::Impl::report() {
  const Time now = clock_.monotonic();
  if (now - reported_at_ < kReportInterval) return;
  reported_at_ = now;
  for (auto& [partition, assigned] : assigned_) {
    int64_t low = 0, high = 0;
    if (rd_kafka_get_watermark_offsets(client_.get(), partition.topic.c_str(), int32_t(partition.number),
                                       &low, &high) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        high < 0)
      continue;
    const int64_t next = assigned.next_offset >= 0 ? assigned.next_offset
                         : assigned.expected       ? int64_t(assigned.expected->offset) + 1
                                                   : std::max<int64_t>(low, 0);
    assigned.lag->set(std::max<int64_t>(high - next, 0));
  }
  commit_offsets();
}

void Subscriber::Impl::commit_offsets() {
  PartitionListPtr list(rd_kafka_topic_partition_list_new(int(assigned_.size())));
  for (auto& [partition, assigned] : assigned_) {
    if (assigned.next_offset == assigned.reported_offset) continue;
    assigned.reported_offset = assigned.next_offset;
    rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), int32_t(partition.number))
        ->offset = assigned.next_offset;
  }
  if (list->cnt > 0) rd_kafka_commit(client_.get(), list.get(), 1);
}

Subscriber::Subscriber(const KafkaSettings& settings, SubscriberOptions options)
    : impl_(std::make_unique<Impl>(settings, std::move(options))) {}

Subscriber::~Subscriber() { close(); }

Result<void> Subscriber::open() {
  CHECK(!impl_->thread_.joinable());
  return impl_->open();
}

void Subscriber::poke() { impl_->wakeup_.notify(); }

void Subscriber::close() {
  if (!impl_->thread_.joinable()) return;
  impl_->stopping_ = true;
  impl_->wakeup_.notify();
  const QueuePtr queue(rd_kafka_queue_get_consumer(impl_->client_.get()));
  if (queue) rd_kafka_queue_yield(queue.get());
  impl_->thread_.join();
}

std::vector<Partition> Subscriber::partitions() const {
  const std::lock_guard lock(impl_->mutex_);
  std::vector<Partition> partitions;
  for (const auto& [partition, assigned] : impl_->assigned_) partitions.push_back(assigned.partition);
  return partitions;
}

bool Subscriber::paused() const { return impl_->paused_; }

std::optional<Error> Subscriber::held_up() const {
  const Time now = system_clock().monotonic();
  const std::lock_guard lock(impl_->mutex_);
  for (const auto& [partition, assigned] : impl_->assigned_)
    if (assigned.ahead_since != 0 && now - assigned.ahead_since > kHeldUpAfter)
      return Error{.code = Code::kUnavailable,
                   .reason = "event_missing",
                   .detail = fmt::format("{}, partition {}: an event before {} is missing", partition.topic,
                                         partition.number, assigned.ahead_position)};
  return {};
}

}  // namespace micropay::kafka
