#include "libs/kafka/publisher.h"

#include <librdkafka/rdkafka.h>

#include "libs/base/check.h"
#include "libs/kafka/client.h"

namespace micropay::kafka {
namespace {

constexpr int kNoticeMs = 2;
constexpr size_t kMaxQueued = 20'000;  // whoever publishes has a bound of its own, below
constexpr size_t kMaxQueuedKilobytes = 32 << 10;

}  // namespace

struct Publisher::Impl {
  std::function<void()> wake;
  ClientPtr client;
  QueuePtr queue;  // of delivery reports; ends before the client
  size_t unacknowledged = 0;

  ~Impl() {
    if (!client) return;
    rd_kafka_queue_cb_event_enable(queue.get(), nullptr, nullptr);
    rd_kafka_purge(client.get(),
                   RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
  }
};

Publisher::Publisher(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Publisher::~Publisher() = default;

Result<std::unique_ptr<Publisher>> Publisher::open(const KafkaSettings& settings, std::string_view client_id,
                                                   std::function<void()> wake) {
  auto impl = std::make_unique<Impl>();
  impl->wake = std::move(wake);
  ConfPtr conf = TRY(make_conf(settings, client_id,
                               {{"enable.idempotence", "true"},
                                {"acks", "all"},
                                // What is handed over together goes out together, at send().
                                {"linger.ms", "5"},
                                {"message.timeout.ms", "0"},  // never
                                {"retry.backoff.ms", "50"},
                                {"partitioner", "murmur2"},  // that of Kafka's own clients
                                {"message.max.bytes", std::to_string(kMaxValueBytes + (1 << 20))},
                                {"queue.buffering.max.messages", std::to_string(kMaxQueued)},
                                {"queue.buffering.max.kbytes", std::to_string(kMaxQueuedKilobytes)}}));
  rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_DR);
  impl->client = TRY(make_client(std::move(conf), Role::kProducer));
  impl->queue.reset(rd_kafka_queue_get_main(impl->client.get()));
  if (impl->wake)
    rd_kafka_queue_cb_event_enable(
        impl->queue.get(), [](rd_kafka_t*, void* self) { static_cast<Impl*>(self)->wake(); }, impl.get());
  return std::unique_ptr<Publisher>(new Publisher(std::move(impl)));
}

Result<void> Publisher::publish(const Destination& to, const EventMessage& message, uint64_t tag) {
  HeadersPtr headers(rd_kafka_headers_new(message.headers.size()));
  for (const MessageHeader& header : message.headers)
    rd_kafka_header_add(headers.get(), header.name.data(), ssize_t(header.name.size()), header.value.data(),
                        ssize_t(header.value.size()));
  const rd_kafka_resp_err_t response = rd_kafka_producev(
      impl_->client.get(), RD_KAFKA_V_TOPIC(to.topic.c_str()), RD_KAFKA_V_PARTITION(to.partition),
      RD_KAFKA_V_KEY(message.key.data(), message.key.size()),
      RD_KAFKA_V_VALUE(const_cast<char*>(message.value.data()), message.value.size()),
      RD_KAFKA_V_HEADERS(headers.get()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
      RD_KAFKA_V_OPAQUE(reinterpret_cast<void*>(tag)), RD_KAFKA_V_END);
  if (response == RD_KAFKA_RESP_ERR__QUEUE_FULL)
    return fail(Code::kResourceExhausted, "kafka_queue_full", "too many records wait for their broker");
  if (response != RD_KAFKA_RESP_ERR_NO_ERROR)
    return std::unexpected(error_of(response, "publishing to " + to.topic));
  (void)headers.release();  // the message's now
  ++impl_->unacknowledged;
  return {};
}

bool Publisher::poll(const Acknowledged& acknowledged, Duration wait) {
  bool any = false;
  while (rd_kafka_event_t* event =
             rd_kafka_queue_poll(impl_->queue.get(), any ? 0 : int(wait / kMillisecond))) {
    any = true;
    while (const rd_kafka_message_t* message = rd_kafka_event_message_next(event)) {
      CHECK(impl_->unacknowledged > 0);
      --impl_->unacknowledged;
      const auto tag = reinterpret_cast<uint64_t>(message->_private);
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        acknowledged(tag, nullptr);
      } else {
        const Error error = error_of(message->err, "publishing");
        acknowledged(tag, &error);
      }
    }
    rd_kafka_event_destroy(event);
  }
  return any;
}

// The client's flush ends what lingers; its thread has to notice before the flush is over.
void Publisher::send() { rd_kafka_flush(impl_->client.get(), kNoticeMs); }

bool Publisher::flush(const Acknowledged& acknowledged, Duration timeout) {
  const Time deadline = system_clock().monotonic() + timeout;
  while (impl_->unacknowledged > 0) {
    const Duration left = deadline - system_clock().monotonic();
    if (left <= 0) return false;
    poll(acknowledged, std::min<Duration>(left, 100 * kMillisecond));
  }
  return true;
}

size_t Publisher::unacknowledged() const { return impl_->unacknowledged; }

}  // namespace micropay::kafka
