#include "libs/kafka/dead_letters.h"

#include "libs/base/log.h"
#include "libs/base/metrics.h"
#include "libs/kafka/publisher.h"
#include "libs/kafka/topics.h"

namespace micropay::kafka {
namespace {

constexpr Duration kPatience = 10 * kSecond;

}  // namespace

DeadLetters::DeadLetters(const KafkaSettings& settings, std::string group)
    : settings_(settings), group_(std::move(group)) {}
DeadLetters::~DeadLetters() = default;

void DeadLetters::add(const EventMessage& message, const Partition& partition, uint64_t offset,
                      const Error& cause) {
  log_error("kafka.poison", "A record cannot be read; it goes to the dead-letter topic",
            {{"topic", partition.topic},
             {"partition", partition.number},
             {"offset", offset},
             {"error.code", cause.reason},
             {"error.message", cause.detail},
             {"header", cause.field}});
  counter("micropay_kafka_poison_total", "Records that could not be read",
          {{"topic", partition.topic}, {"group", group_}, {"reason", cause.reason}})
      .add();
  const std::string number = std::to_string(partition.number), at = std::to_string(offset);
  const std::string detail = cause.field.empty() ? cause.detail : cause.field + ": " + cause.detail;
  EventMessage letter{.key = message.key.substr(0, kMaxKeyBytes), .value = message.value, .headers = {}};
  for (const MessageHeader& header : message.headers)
    letter.headers.push_back(
        {header.name.substr(0, kMaxHeaderBytes), header.value.substr(0, kMaxHeaderBytes)});
  for (const auto& [name, value] : std::initializer_list<MessageHeader>{{"dlt_topic", partition.topic},
                                                                        {"dlt_partition", number},
                                                                        {"dlt_offset", at},
                                                                        {"dlt_group", group_},
                                                                        {"dlt_reason", cause.reason},
                                                                        {"dlt_detail", detail}})
    letter.headers.push_back({name, value});
  if (letter.value.size() > kMaxValueBytes) {
    letter.value = letter.value.substr(0, kMaxValueBytes);
    letter.headers.push_back({"dlt_truncated", "true"});
  }
  send(letter, partition);
}

void DeadLetters::send(const EventMessage& message, const Partition& partition) {
  if (!publisher_) {
    auto opened = Publisher::open(settings_, "micropay-" + group_ + "-dlt");
    if (!opened) return lost(opened.error());
    publisher_ = std::move(*opened);
  }
  const std::string topic = dead_letter_topic_of(partition.topic);
  auto done = publisher_->publish({topic}, message, 0);
  if (!done && done.error().code == Code::kResourceExhausted) {
    settle();
    done = publisher_->publish({topic}, message, 0);
  }
  if (!done) lost(done.error());
}

void DeadLetters::settle() {
  if (!publisher_ || publisher_->unacknowledged() == 0) return;
  const bool all = publisher_->flush(
      [this](uint64_t, const Error* error) {
        if (error != nullptr) lost(*error);
      },
      kPatience);
  if (all) return;
  lost({.code = Code::kUnavailable, .reason = "kafka_timeout", .detail = "no acknowledgement in time"});
  publisher_.reset();
}

void DeadLetters::lost(const Error& error) {
  log_error("kafka.dead_letter_failed",
            "The dead-letter topic did not take a record; it is in its own topic only",
            {{"group", group_}, {"error.code", error.reason}, {"error.message", error.detail}});
  counter("micropay_kafka_dead_letter_failures_total", "Records that the dead-letter topic did not take",
          {{"group", group_}})
      .add();
}

}  // namespace micropay::kafka
