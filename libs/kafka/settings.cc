#include "libs/kafka/settings.h"

namespace micropay::kafka {

KafkaSettings::KafkaSettings(Settings& settings) {
  brokers = settings.text("kafka.brokers", brokers, "Kafka brokers to begin with: host:port,host:port");
  prefix =
      settings.text("kafka.prefix", "",
                    "Before the names of topics and groups, where platforms share a Kafka cluster: test.");
  partitions =
      uint32_t(settings.integer("kafka.partitions", partitions, 1, 1000,
                                "Partitions of a topic that is made; instances beyond them consume nothing"));
  replication = uint32_t(settings.integer("kafka.replication", replication, 1, 10,
                                          "Copies of a topic that is made; 3 where there are three brokers"));
  retention = settings.duration("kafka.retention", retention,
                                "How long topics keep events; the services' own logs keep them for ever");
  session_timeout = settings.duration(
      "kafka.session_timeout", session_timeout,
      "Silence after which the partitions of an instance go to others; brokers allow 6s and more");
  assignment =
      settings.choice("kafka.assignment", assignment, {"range", "cooperative-sticky"},
                      "range gives partition N of all topics to one instance, so that a key has one home; "
                      "cooperative-sticky moves fewer partitions when instances come and go");
  tls_ca = settings.text("kafka.tls.ca", "", "PEM file of the authority of the brokers; empty: no TLS");
  tls_certificate =
      settings.text("kafka.tls.certificate", "", "PEM file of the certificate shown to brokers");
  tls_key = settings.text("kafka.tls.key", "", "PEM file of the key of kafka.tls.certificate");
}

}  // namespace micropay::kafka
