#include "libs/kafka/client.h"

#include <librdkafka/rdkafka.h>
#include <syslog.h>

#include <algorithm>
#include <atomic>

#include "libs/base/log.h"
#include "libs/base/metrics.h"

namespace micropay::kafka {
namespace {

constexpr Duration kComplainInterval = 10 * kSecond;

// librdkafka tells of every connection that ends; it makes a new one, so that is worth a line for the
// curious.
void log_line(const rd_kafka_t* client, int level, const char* facility, const char* text) {
  const LogLevel as = level <= LOG_CRIT      ? LogLevel::kError
                      : level <= LOG_WARNING ? LogLevel::kWarn
                                             : LogLevel::kDebug;
  const bool passing = std::string_view(facility) == "FAIL" || std::string_view(facility) == "ERROR";
  if (const LogLevel wanted = passing ? LogLevel::kDebug : as; log_enabled(wanted))
    write_log(wanted, "kafka.client", text,
              {{"kafka.client", rd_kafka_name(client)}, {"kafka.facility", facility}});
}

// All clients of the process lose their brokers at once, and try again each second.
bool worth_a_line(std::atomic<Time>& last) {
  const Time now = system_clock().monotonic();
  Time before = last.load();
  return (before == 0 || now - before >= kComplainInterval) && last.compare_exchange_strong(before, now);
}

void log_error_event(rd_kafka_t* client, int response, const char* text, void*) {
  static std::atomic<Time> away{0}, distrusted{0};
  static Counter& times_away =
      counter("micropay_kafka_brokers_away_total", "Times that a client could reach no broker");
  if (response == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    times_away.add();
    if (worth_a_line(away))
      log_warn("kafka.brokers_away", "No broker can be reached; the client goes on trying",
               {{"kafka.client", rd_kafka_name(client)}});
  } else if (response == RD_KAFKA_RESP_ERR__SSL || response == RD_KAFKA_RESP_ERR__AUTHENTICATION) {
    if (worth_a_line(distrusted))
      log_error("kafka.tls_failed", "A broker and this client do not trust each other",
                {{"kafka.client", rd_kafka_name(client)}, {"error.message", text}});
  } else {
    log_debug("kafka.error", text, {{"kafka.client", rd_kafka_name(client)}});
  }
}

std::string words_of(int response) { return rd_kafka_err2str(rd_kafka_resp_err_t(response)); }

}  // namespace

void Release::operator()(rd_kafka_s* client) const { rd_kafka_destroy(client); }
void Release::operator()(rd_kafka_conf_s* conf) const { rd_kafka_conf_destroy(conf); }
void Release::operator()(rd_kafka_queue_s* queue) const { rd_kafka_queue_destroy(queue); }
void Release::operator()(rd_kafka_topic_partition_list_s* list) const {
  rd_kafka_topic_partition_list_destroy(list);
}
void Release::operator()(rd_kafka_message_s* message) const { rd_kafka_message_destroy(message); }
void Release::operator()(rd_kafka_headers_s* headers) const { rd_kafka_headers_destroy(headers); }

Fetching::Fetching(Duration patience)
    : min_bytes(patience > 0 ? "524288" : "1"),
      wait_ms(patience > 0 ? std::to_string(patience / kMillisecond) : "500") {}

Result<ConfPtr> make_conf(const KafkaSettings& settings, std::string_view client_id, Properties properties) {
  ConfPtr conf(rd_kafka_conf_new());
  char why[512] = "";
  std::string refused;
  const auto set = [&](const char* key, const std::string& value) {
    if (rd_kafka_conf_set(conf.get(), key, value.c_str(), why, sizeof why) != RD_KAFKA_CONF_OK &&
        refused.empty())
      refused = why;
  };
  set("bootstrap.servers", settings.brokers);
  set("client.id", std::string(client_id));
  set("socket.nagle.disable", "true");
  set("socket.keepalive.enable", "true");
  set("reconnect.backoff.ms", "50");
  set("reconnect.backoff.max.ms", "1000");
  set("topic.metadata.refresh.interval.ms", "60000");
  set("log.connection.close", "false");
  if (!settings.tls_ca.empty() || !settings.tls_certificate.empty()) {
    set("security.protocol", "ssl");
    if (!settings.tls_ca.empty()) set("ssl.ca.location", settings.tls_ca);
    if (!settings.tls_certificate.empty()) set("ssl.certificate.location", settings.tls_certificate);
    if (!settings.tls_key.empty()) set("ssl.key.location", settings.tls_key);
  }
  for (const auto& [key, value] : properties) set(key, value);
  if (!refused.empty()) return fail(Code::kInvalidArgument, "kafka_settings", refused);
  rd_kafka_conf_set_log_cb(conf.get(), log_line);
  rd_kafka_conf_set_error_cb(conf.get(), log_error_event);
  return conf;
}

Result<ClientPtr> make_client(ConfPtr conf, Role role) {
  char why[512] = "";
  rd_kafka_t* client = rd_kafka_new(role == Role::kProducer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER,
                                    conf.get(), why, sizeof why);
  if (client == nullptr) return fail(Code::kInvalidArgument, "kafka_settings", why);
  (void)conf.release();  // it is the client's now
  return ClientPtr(client);
}

Error error_of(int response, std::string_view doing) {
  const auto made = [&](Code code, std::string_view reason) {
    return Error{.code = code,
                 .reason = std::string(reason),
                 .detail = fmt::format("{}: {}", doing, words_of(response))};
  };
  switch (response) {
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT: return made(Code::kUnavailable, "kafka_timeout");
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE: return made(Code::kUnavailable, "kafka_unavailable");
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART: return made(Code::kNotFound, "kafka_no_topic");
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
      return made(Code::kPermissionDenied, "kafka_not_authorized");
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
      return made(Code::kFailedPrecondition, "kafka_replication");
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE: return made(Code::kTooLarge, "kafka_too_large");
    case RD_KAFKA_RESP_ERR__FATAL: return made(Code::kInternal, "kafka_fatal");
    default: return made(Code::kUnavailable, "kafka_failed");
  }
}

Result<std::map<std::string, uint32_t>> partitions_of(rd_kafka_s* client, Duration timeout) {
  const rd_kafka_metadata_t* metadata = nullptr;
  const auto response = rd_kafka_metadata(client, 1, nullptr, &metadata, int(timeout / kMillisecond));
  if (response != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(error_of(response, "listing topics"));
  std::map<std::string, uint32_t> found;
  for (int i = 0; i < metadata->topic_cnt; ++i)
    if (metadata->topics[i].err == RD_KAFKA_RESP_ERR_NO_ERROR)
      found.emplace(metadata->topics[i].topic, uint32_t(metadata->topics[i].partition_cnt));
  rd_kafka_metadata_destroy(metadata);
  return found;
}

EventMessage view_of(const rd_kafka_message_s& message) {
  const auto text = [](const void* at, size_t size) {
    return at == nullptr ? std::string_view() : std::string_view(static_cast<const char*>(at), size);
  };
  EventMessage view{
      .key = text(message.key, message.key_len), .value = text(message.payload, message.len), .headers = {}};
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return view;
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  const size_t count = std::min(rd_kafka_header_cnt(headers), kMaxHeaders + 1);
  view.headers.reserve(count);
  for (size_t i = 0; i < count && rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; ++i)
    view.headers.push_back({name, text(value, size)});
  return view;
}

}  // namespace micropay::kafka
