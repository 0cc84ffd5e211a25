#include "libs/kafka/kafka_twin.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "contracts/account.pb.h"
#include "contracts/payment.pb.h"
#include "libs/base/check.h"
#include "libs/base/ids.h"
#include "libs/kafka/client.h"
#include "libs/kafka/publisher.h"

namespace micropay::kafka::test {
namespace {

Event event_of(uint64_t position, std::string key, std::unique_ptr<google::protobuf::Message> message) {
  auto event = std::make_shared<EventRecord>();
  Envelope& envelope = event->envelope;
  event->type = contract::model().event(message->GetDescriptor());
  envelope.set_id(fmt::format("0190c5b2-7e0c-7000-8000-{:012x}", position));
  envelope.set_type(*event->type);
  envelope.set_time(1'700'000'000'123'456 + Time(position));
  envelope.set_key(std::move(key));
  envelope.set_correlation_id("correlation-1");
  envelope.set_causation_id("0190c5b2-7e0c-7000-8000-0000000000ff");
  envelope.set_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  envelope.set_actor("system");
  envelope.set_position(position);
  message->SerializeToString(envelope.mutable_data());
  event->message = std::move(message);
  return event;
}

uint16_t free_port() {
  const int probe = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  socklen_t size = sizeof at;
  CHECK(bind(probe, reinterpret_cast<sockaddr*>(&at), size) == 0);
  CHECK(getsockname(probe, reinterpret_cast<sockaddr*>(&at), &size) == 0);
  close(probe);
  return ntohs(at.sin_port);
}

bool accepts(uint16_t port) {
  const int probe = socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr_in at{
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  const bool connected = connect(probe, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
  close(probe);
  return connected;
}

}  // namespace

std::string key_of(uint64_t key) { return fmt::format("0190c5b2-7e0c-7000-9000-{:012x}", key); }

Event initiated(uint64_t position, uint64_t key) {
  auto message = std::make_unique<PaymentInitiated>();
  message->set_payment_id(key_of(key));
  message->mutable_amount()->set_currency("EUR");
  message->mutable_amount()->set_minor(int64_t(position));
  return event_of(position, key_of(key), std::move(message));
}

void LogMaker::add(size_t count, size_t keys) {
  std::vector<Event> events;
  for (size_t i = 0; i < count; ++i, ++position_) events.push_back(initiated(position_, position_ % keys));
  commit(std::move(events));
}

void LogMaker::add_foreign(size_t count) {
  std::vector<Event> events;
  for (size_t i = 0; i < count; ++i, ++position_) {
    auto message = std::make_unique<AccountClosed>();
    message->set_account_id(key_of(position_));
    events.push_back(event_of(position_, key_of(position_), std::move(message)));
  }
  commit(std::move(events));
}

void LogMaker::add_large(size_t bytes) {
  auto event = std::make_shared<EventRecord>(*initiated(position_, position_ % 10));
  PaymentInitiated message;
  message.CopyFrom(*event->message);
  message.set_payee_user_id(std::string(bytes, 'x'));
  message.SerializeToString(event->envelope.mutable_data());
  event->message = std::make_shared<PaymentInitiated>(message);
  ++position_;
  commit({event});
}

void LogMaker::commit(std::vector<Event> events) {
  const uint64_t first = events.front()->envelope.position();
  CHECK(store_
            .commit({.number = ++tick_,
                     .first_position = first,
                     .time = Time(tick_),
                     .events = std::move(events),
                     .changes = {}})
            .has_value());
}

std::optional<KafkaSettings> test_settings() {
  const char* address = std::getenv("MICROPAY_TEST_KAFKA");
  if (address == nullptr) return {};
  static std::atomic<int> number{0};
  KafkaSettings settings;
  settings.brokers = address;
  settings.prefix = fmt::format("test-{}-{}.", getpid(), ++number);
  settings.partitions = 4;
  settings.session_timeout = 2 * kSecond;
  return settings;
}

bool becomes_true(const std::function<bool()>& holds, Duration deadline) {
  const Time end = system_clock().monotonic() + deadline;
  while (!holds()) {
    if (system_clock().monotonic() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

SubscriberOptions Consumer::options(std::string group, std::vector<std::string> topics) {
  SubscriberOptions options{.group = std::move(group), .topics = std::move(topics)};
  options.start = [this](const Partition& partition) -> Result<std::optional<LastTaken>> {
    const std::lock_guard lock(mutex_);
    const auto found = marks_.find(partition);
    return found == marks_.end() ? std::optional<LastTaken>() : found->second;
  };
  options.take = [this](const Consumed& consumed) {
    const std::lock_guard lock(mutex_);
    if (full_) return false;
    LastTaken& mark = marks_[{std::string(consumed.topic), consumed.partition}];
    const Envelope& envelope = consumed.event->envelope;
    if (envelope.position() <= mark.position) {
      ++repeated_;
      return true;
    }
    mark = {.offset = consumed.offset, .position = envelope.position()};
    positions_[std::string(envelope.key())].push_back(envelope.position());
    ++size_;
    return true;
  };
  return options;
}

std::vector<uint64_t> Consumer::positions_of(uint64_t key) const {
  const std::lock_guard lock(mutex_);
  const auto found = positions_.find(key_of(key));
  return found == positions_.end() ? std::vector<uint64_t>() : found->second;
}
size_t Consumer::size() const {
  const std::lock_guard lock(mutex_);
  return size_;
}
size_t Consumer::repeated() const {
  const std::lock_guard lock(mutex_);
  return repeated_;
}
std::map<Partition, LastTaken> Consumer::marks() const {
  const std::lock_guard lock(mutex_);
  return marks_;
}
void Consumer::set_full(bool full) {
  const std::lock_guard lock(mutex_);
  full_ = full;
}
void Consumer::set_mark(const Partition& partition, LastTaken mark) {
  const std::lock_guard lock(mutex_);
  marks_[partition] = mark;
}

void expect_all(const Consumer& consumer, size_t events, size_t keys) {
  for (size_t key = 0; key < keys; ++key) {
    std::vector<uint64_t> expected;
    for (uint64_t position = 1; position <= events; ++position)
      if (position % keys == key) expected.push_back(position);
    EXPECT_EQ(consumer.positions_of(key), expected) << "key " << key;
  }
}

void publish_raw(const KafkaSettings& settings, const std::string& topic, std::string key, std::string value,
                 std::vector<std::pair<std::string, std::string>> headers) {
  auto publisher = Publisher::open(settings, "test");
  CHECK(publisher.has_value());
  EventMessage message{.key = key, .value = value, .headers = {}};
  for (const auto& [name, text] : headers) message.headers.push_back({name, text});
  CHECK((*publisher)->publish({topic}, message, 1).has_value());
  CHECK((*publisher)->flush([](uint64_t, const Error* error) { CHECK(error == nullptr); }, 30 * kSecond));
}

std::vector<RawRecord> read_raw(const KafkaSettings& settings, const std::string& topic, size_t count) {
  auto conf = make_conf(settings, "test", {{"group.id", "test-raw"}, {"auto.offset.reset", "earliest"}});
  const ClientPtr client = *make_client(std::move(*conf), Role::kConsumer);
  rd_kafka_poll_set_consumer(client.get());
  const PartitionListPtr list(rd_kafka_topic_partition_list_new(1));
  for (uint32_t i = 0; i < settings.partitions; ++i)
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), int32_t(i))->offset =
        RD_KAFKA_OFFSET_BEGINNING;
  rd_kafka_assign(client.get(), list.get());
  std::vector<RawRecord> found;
  becomes_true([&] {
    const MessagePtr message(rd_kafka_consumer_poll(client.get(), 100));
    if (message && message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      const EventMessage view = view_of(*message);
      RawRecord record{.key = std::string(view.key), .value = std::string(view.value), .headers = {}};
      for (const MessageHeader& header : view.headers) record.headers.emplace(header.name, header.value);
      found.push_back(std::move(record));
    }
    return found.size() >= count;
  });
  rd_kafka_consumer_close(client.get());
  return found;
}

void set_topic_limit(const KafkaSettings& settings, const std::string& topic, size_t bytes) {
  const ClientPtr client = *make_client(*make_conf(settings, "test", {}), Role::kProducer);
  const QueuePtr queue(rd_kafka_queue_new(client.get()));
  rd_kafka_ConfigResource_t* wanted = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str());
  rd_kafka_ConfigResource_set_config(wanted, "max.message.bytes", std::to_string(bytes).c_str());
  rd_kafka_AlterConfigs(client.get(), &wanted, 1, nullptr, queue.get());
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue.get(), 30'000);
  CHECK(event != nullptr && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR);
  rd_kafka_event_destroy(event);
  rd_kafka_ConfigResource_destroy(wanted);
}

OwnBroker::OwnBroker() : port_(free_port()) {
  char name[] = "/tmp/micropay-kafka-XXXXXX";
  CHECK(mkdtemp(name) != nullptr);
  folder_ = name;
}

OwnBroker::~OwnBroker() {
  kill();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void OwnBroker::start() {
  std::vector<std::string> words = {"python3", "tests/servers/kafka.py", folder_, std::to_string(port_)};
  words.insert(words.end(), arguments_.begin(), arguments_.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const std::string log = folder_ + "/server.log";
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  CHECK(posix_spawnp(&pid_, "python3", &actions, nullptr, argv.data(), environ) == 0);
  posix_spawn_file_actions_destroy(&actions);
  CHECK(becomes_true([&] { return accepts(port_); }, 3 * kMinute));
}

void OwnBroker::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string OwnBroker::address() const { return fmt::format("127.0.0.1:{}", port_); }

}  // namespace micropay::kafka::test
