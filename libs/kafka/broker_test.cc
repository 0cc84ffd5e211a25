// A broker that is killed, and one that asks for certificates: both the tests' own.
#include <gtest/gtest.h>

#include <cstdlib>

#include "libs/kafka/kafka_twin.h"
#include "libs/kafka/tail.h"

namespace micropay::kafka {
namespace {

using namespace test;

// Everything is published and taken, keys in order, though the broker is killed twice in the middle; and what
// the process holds meanwhile is bounded.
TEST(Broker, KilledInTheMiddleLosesNothing) {
  SETTINGS_OR_SKIP(of_shared);
  OwnBroker broker;
  broker.start();
  KafkaSettings settings = of_shared;
  settings.brokers = broker.address();
  Source source(settings);
  Consumer consumer;
  Subscriber subscriber(settings, consumer.options("balance", {source.topic}));
  ASSERT_TRUE(subscriber.open().has_value());
  source.add(1'000);
  ASSERT_TRUE(becomes_true([&] { return consumer.size() > 100; }, kMinute));
  size_t events = 1'000;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 100; ++i) source.add(100);
    events += 10'000;
    ASSERT_TRUE(becomes_true([&] { return source.shipper.position() > events - 9'000; }, kMinute));
    broker.kill();
    for (int i = 0; i < 100; ++i) source.add(10);
    events += 1'000;
    EXPECT_GT(source.shipper.lag(), 0u);
    broker.start();
  }
  EXPECT_TRUE(becomes_true([&] { return source.shipper.position() == events + 1; }, kMinute))
      << source.shipper.position();
  EXPECT_TRUE(becomes_true([&] { return consumer.size() == events; }, kMinute)) << consumer.size();
  expect_all(consumer, events);
  EXPECT_EQ(source.shipper.lag(), 0u);
}

// An authority and certificates of it, as openssl makes them; `folder`/NAME.pem and NAME.key.
void make_certificates(const std::string& folder) {
  const std::string script = fmt::format(
      "set -e; cd {}; "
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority "
      "-keyout ca.key -out ca.pem; "
      "for name in broker payment; do "
      "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$name -keyout $name.key -out "
      "$name.csr; "
      "printf 'subjectAltName=DNS:localhost,IP:127.0.0.1' > $name.ext; "
      "openssl x509 -req -days 2 -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile $name.ext "
      "-out "
      "$name.pem; done; "
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=stranger "
      "-keyout stranger.key -out stranger.pem",
      folder);
  ASSERT_EQ(std::system(fmt::format("({}) > {}/openssl.log 2>&1", script, folder).c_str()), 0);
}

TEST(Broker, WithCertificatesTakesOnlyItsOwn) {
  SETTINGS_OR_SKIP(of_shared);
  OwnBroker broker;
  make_certificates(broker.folder());
  const auto file = [&](std::string_view name) { return fmt::format("{}/{}", broker.folder(), name); };
  broker.set_arguments({file("ca.pem"), file("broker.pem"), file("broker.key")});
  broker.start();
  KafkaSettings settings = of_shared;
  settings.brokers = broker.address();
  settings.tls_ca = file("ca.pem");
  settings.tls_certificate = file("payment.pem");
  settings.tls_key = file("payment.key");
  {
    Source source(settings);
    Consumer consumer;
    Subscriber subscriber(settings, consumer.options("balance", {source.topic}));
    ASSERT_TRUE(subscriber.open().has_value());
    source.add(100);
    EXPECT_TRUE(becomes_true([&] { return consumer.size() == 100; }, kMinute));
  }
  KafkaSettings other = settings;
  other.tls_certificate = file("stranger.pem");
  other.tls_key = file("stranger.key");
  EXPECT_FALSE(event_topics(other, 2 * kSecond).has_value()) << "a certificate of nobody known";
  other.tls_certificate = other.tls_key = "";
  EXPECT_FALSE(event_topics(other, 2 * kSecond).has_value()) << "no certificate";
  other = settings;
  other.tls_ca = file("stranger.pem");
  EXPECT_FALSE(event_topics(other, 2 * kSecond).has_value()) << "a broker of nobody known";
  other.tls_ca = file("missing.pem");
  const auto topics = event_topics(other, 2 * kSecond);
  ASSERT_FALSE(topics.has_value());
  EXPECT_EQ(topics.error().reason, "kafka_settings");
}

}  // namespace
}  // namespace micropay::kafka
