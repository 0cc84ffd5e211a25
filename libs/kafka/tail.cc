#include "libs/kafka/tail.h"

#include <librdkafka/rdkafka.h>

#include "libs/base/log.h"
#include "libs/base/metrics.h"
#include "libs/kafka/client.h"
#include "libs/kafka/partition_reader.h"
#include "libs/kafka/topics.h"

namespace micropay::kafka {
namespace {

constexpr Duration kComplainInterval = 10 * kSecond;

Result<ConfPtr> conf_of(const KafkaSettings& settings, Duration patience) {
  const Fetching fetching(patience);
  return make_conf(settings, "micropay-tail",
                   {{"group.id", settings.prefix + "micropay-tail"},  // asked for, though no group is joined
                    {"enable.auto.commit", "false"},
                    {"enable.auto.offset.store", "false"},
                    {"auto.offset.reset", "earliest"},
                    {"allow.auto.create.topics", "false"},
                    {"enable.partition.eof", "true"},
                    {"fetch.min.bytes", fetching.min_bytes},
                    {"fetch.wait.max.ms", fetching.wait_ms},
                    {"fetch.error.backoff.ms", "50"},
                    {"queued.min.messages", "5000"},
                    {"queued.max.messages.kbytes", "16384"}});
}

int64_t offset_of(const Tail::Options& options) {
  return options.from == Tail::From::kLast ? RD_KAFKA_OFFSET_TAIL(int64_t(options.last))
                                           : RD_KAFKA_OFFSET_BEGINNING;
}

}  // namespace

struct Tail::Impl {
  struct State {
    PartitionReader reader;
    bool ended = false;
    int64_t end = -1;  // offset; of fixed_end
  };
  std::map<Partition, State, ByPartition> partitions;
  size_t open_ends = 0;
  uint64_t unreadable = 0;
  Part part;
  Time complained_at = 0;
  ClientPtr client;

  Result<void> find_partitions(const KafkaSettings& settings, const Options& options, Duration timeout);
  Result<PartitionListPtr> offsets_at(int64_t time_ms, Duration timeout) const;
  Result<PartitionListPtr> starts_of(const Options& options, Duration timeout) const;
  Result<void> assign(const Options& options, Duration timeout);
  Result<void> fix_ends(Duration timeout);
  void reached_end(const rd_kafka_message_t& message);
  void end(State& state);
  std::optional<Consumed> read(const rd_kafka_message_t& message);
};

Result<void> Tail::Impl::find_partitions(const KafkaSettings& settings, const Options& options,
                                         Duration timeout) {
  const auto present = TRY(partitions_of(client.get(), timeout));
  for (const std::string& topic : options.topics) {
    const auto found = present.find(topic);
    if (found == present.end())
      return fail(Code::kNotFound, "kafka_no_topic", fmt::format("there is no topic {}", topic));
    for (uint32_t number = 0; number < found->second; ++number)
      partitions.emplace(Partition{topic, number}, State{{service_of(settings, topic), {}}});
  }
  open_ends = partitions.size();
  return {};
}

// Of each partition the offset of a time in milliseconds; of -1 its end.
Result<PartitionListPtr> Tail::Impl::offsets_at(int64_t time_ms, Duration timeout) const {
  PartitionListPtr list(rd_kafka_topic_partition_list_new(int(partitions.size())));
  for (const auto& [partition, state] : partitions)
    rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), int32_t(partition.number))
        ->offset = time_ms;
  auto response = rd_kafka_offsets_for_times(client.get(), list.get(), int(timeout / kMillisecond));
  for (int i = 0; i < list->cnt && response == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) response = list->elems[i].err;
  if (response != RD_KAFKA_RESP_ERR_NO_ERROR)
    return std::unexpected(error_of(response, "finding the offsets of a time"));
  return list;
}

// The end is where it is now: what comes before the first fetch is not passed over.
Result<PartitionListPtr> Tail::Impl::starts_of(const Options& options, Duration timeout) const {
  if (options.from == From::kEnd || options.from == From::kTime) {
    PartitionListPtr ends = TRY(offsets_at(RD_KAFKA_OFFSET_END, timeout));
    if (options.from == From::kEnd) return ends;
    PartitionListPtr list = TRY(offsets_at(options.since / kMillisecond, timeout));
    for (int i = 0; i < list->cnt; ++i)
      if (list->elems[i].offset < 0) list->elems[i].offset = ends->elems[i].offset;
    return list;
  }
  PartitionListPtr list(rd_kafka_topic_partition_list_new(int(partitions.size())));
  for (const auto& [partition, state] : partitions)
    rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), int32_t(partition.number))
        ->offset = offset_of(options);
  return list;
}

Result<void> Tail::Impl::assign(const Options& options, Duration timeout) {
  const PartitionListPtr list = TRY(starts_of(options, timeout));
  for (int i = 0; i < list->cnt; ++i) {
    rd_kafka_topic_partition_t& element = list->elems[i];
    const auto given = options.offsets.find({element.topic, uint32_t(element.partition)});
    if (given != options.offsets.end()) element.offset = int64_t(given->second);
  }
  if (const auto response = rd_kafka_assign(client.get(), list.get()); response != RD_KAFKA_RESP_ERR_NO_ERROR)
    return std::unexpected(error_of(response, "reading topics"));
  return {};
}

// Of partitions that are read from where they are: those that are empty have ended.
Result<void> Tail::Impl::fix_ends(Duration timeout) {
  const PartitionListPtr ends = TRY(offsets_at(RD_KAFKA_OFFSET_END, timeout));
  const PartitionListPtr starts = TRY(offsets_at(RD_KAFKA_OFFSET_BEGINNING, timeout));
  for (int i = 0; i < ends->cnt; ++i) {
    const rd_kafka_topic_partition_t& element = ends->elems[i];
    State& state = partitions.find(PartitionView{element.topic, uint32_t(element.partition)})->second;
    state.end = std::max<int64_t>(element.offset, 0);
    part.all += uint64_t(state.end - std::clamp<int64_t>(starts->elems[i].offset, 0, state.end));
    if (state.end <= starts->elems[i].offset) end(state);
  }
  return {};
}

Tail::Tail(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tail::~Tail() { rd_kafka_consumer_close(impl_->client.get()); }

Result<std::unique_ptr<Tail>> Tail::open(const KafkaSettings& settings, const Options& options,
                                         Duration timeout) {
  auto impl = std::make_unique<Impl>();
  impl->client = TRY(make_client(TRY(conf_of(settings, options.patience)), Role::kConsumer));
  rd_kafka_poll_set_consumer(impl->client.get());
  TRY(impl->find_partitions(settings, options, timeout));
  if (options.fixed_end) TRY(impl->fix_ends(timeout));
  TRY(impl->assign(options, timeout));
  return std::unique_ptr<Tail>(new Tail(std::move(impl)));
}

std::optional<Consumed> Tail::next(Duration wait) {
  const Time deadline = system_clock().monotonic() + wait;
  while (true) {
    const Duration left = std::max<Duration>(deadline - system_clock().monotonic(), 0);
    const MessagePtr message(rd_kafka_consumer_poll(impl_->client.get(), int(left / kMillisecond)));
    if (!message) {
      if (left < kMillisecond) return {};
      continue;
    }
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (auto consumed = impl_->read(*message)) return consumed;
    } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      impl_->reached_end(*message);
      if (at_end()) return {};  // so that the caller may see it
    } else if (const Time now = system_clock().monotonic(); now - impl_->complained_at > kComplainInterval) {
      impl_->complained_at = now;
      log_warn("kafka.tail_failed", rd_kafka_message_errstr(message.get()));
    }
  }
}

void Tail::Impl::reached_end(const rd_kafka_message_t& message) {
  const auto at =
      partitions.find(PartitionView{rd_kafka_topic_name(message.rkt), uint32_t(message.partition)});
  if (at != partitions.end()) end(at->second);
}

void Tail::Impl::end(State& state) {
  if (!std::exchange(state.ended, true)) --open_ends;
}

std::optional<Consumed> Tail::Impl::read(const rd_kafka_message_t& message) {
  const auto at =
      partitions.find(PartitionView{rd_kafka_topic_name(message.rkt), uint32_t(message.partition)});
  if (at == partitions.end()) return {};
  ++part.given;
  if (at->second.end >= 0 && message.offset + 1 >= at->second.end) end(at->second);
  const Reading reading = at->second.reader.read(view_of(message), uint64_t(message.offset));
  if (reading.kind == Reading::Kind::kRepeated || reading.kind == Reading::Kind::kAhead) return {};
  at->second.reader.taken(reading);
  if (reading.kind == Reading::Kind::kPoison) {
    ++unreadable;
    static Counter& left_out =
        counter("micropay_kafka_tail_unreadable_total", "Records that a reader of topics left out");
    left_out.add();
    return {};
  }
  return Consumed{.event = reading.event,
                  .topic = at->first.topic,
                  .partition = at->first.number,
                  .offset = uint64_t(message.offset)};
}

Tail::Part Tail::part() const { return impl_->part; }
bool Tail::at_end() const { return impl_->open_ends == 0; }
uint64_t Tail::unreadable() const { return impl_->unreadable; }

}  // namespace micropay::kafka
