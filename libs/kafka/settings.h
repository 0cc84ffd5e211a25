// How to reach Kafka, and how topics are made. Read once, at start; given by value to whoever needs a client.
#pragma once

#include <string>

#include "libs/base/settings.h"
#include "libs/base/time.h"

namespace micropay::kafka {

struct KafkaSettings {
  std::string brokers = "127.0.0.1:9092";  // host:port, host:port
  std::string prefix;                      // of topics and groups: platforms that share a Kafka cluster
  uint32_t partitions = 8;
  uint32_t replication = 1;
  Duration retention = 7 * kDay;
  Duration session_timeout = 6 * kSecond;  // after it the partitions of a dead instance go to others
  std::string assignment = "range";        // or cooperative-sticky
  // PEM files; with an authority the connection is TLS, with a certificate both sides prove who they are.
  std::string tls_ca, tls_certificate, tls_key;

  KafkaSettings() = default;
  explicit KafkaSettings(Settings& settings);
};

}  // namespace micropay::kafka
