// Events as records: every attribute comes back, and what is no event of ours is an Error.
#include "libs/kafka/event_message.h"

#include <gtest/gtest.h>

#include "libs/kafka/kafka_twin.h"

namespace micropay::kafka {
namespace {

using test::initiated;
using test::key_of;

struct Owned {
  std::string key, value;
  std::vector<std::pair<std::string, std::string>> headers;

  explicit Owned(const EventMessage& message) : key(message.key), value(message.value) {
    for (const MessageHeader& header : message.headers) headers.emplace_back(header.name, header.value);
  }
  std::string* header(std::string_view name) {
    for (auto& [each, value] : headers)
      if (each == name) return &value;
    return nullptr;
  }
  void remove(std::string_view name) {
    std::erase_if(headers, [&](const auto& header) { return header.first == name; });
  }
  EventMessage view() const {
    EventMessage message{.key = key, .value = value, .headers = {}};
    for (const auto& [name, value] : headers) message.headers.push_back({name, value});
    return message;
  }
  std::string reason() const {
    const auto event = read_event(view(), contract::model());
    return event ? "" : event.error().reason;
  }
};

Owned good() {
  EventWriter writer;
  return Owned(writer.write(*initiated(7, 1)));
}

TEST(EventMessage, AllAttributesComeBack) {
  const auto event = initiated(7, 1);
  EventWriter writer;
  const auto read = read_event(writer.write(*event), contract::model());
  ASSERT_TRUE(read.has_value());
  const Envelope &a = event->envelope, &b = read->event->envelope;
  EXPECT_EQ(a.id(), b.id());
  EXPECT_EQ(a.type(), b.type());
  EXPECT_EQ(a.service(), b.service());
  EXPECT_EQ(a.time(), b.time());
  EXPECT_EQ(a.key(), b.key());
  EXPECT_EQ(a.correlation_id(), b.correlation_id());
  EXPECT_EQ(a.causation_id(), b.causation_id());
  EXPECT_EQ(a.traceparent(), b.traceparent());
  EXPECT_EQ(a.actor(), b.actor());
  EXPECT_EQ(a.data(), b.data());
  EXPECT_EQ(a.position(), b.position());
  EXPECT_EQ(read->event->type, event->type);
  EXPECT_EQ(read->event->message->SerializeAsString(), event->message->SerializeAsString());
}

TEST(EventMessage, HasTheNamesOfTheKafkaBinding) {
  Owned message = good();
  EXPECT_EQ(message.key, key_of(1));
  EXPECT_EQ(*message.header("ce_specversion"), "1.0");
  EXPECT_EQ(*message.header("ce_source"), "/payment");
  EXPECT_EQ(*message.header("ce_type"), "payment.initiated");
  EXPECT_EQ(*message.header("ce_time"), "2023-11-14T22:13:20.123463Z");
  EXPECT_EQ(*message.header("ce_subject"), key_of(1));
  EXPECT_EQ(*message.header("ce_partitionkey"), key_of(1));
  EXPECT_EQ(*message.header("ce_sequence"), "7");
  EXPECT_EQ(*message.header("content-type"), "application/protobuf");
  EXPECT_EQ(message.headers.size(), 13u);
}

TEST(EventMessage, WhatIsNotThereIsNoHeader) {
  auto event = std::make_shared<EventRecord>(*initiated(7, 1));
  event->envelope.set_correlation_id("");
  event->envelope.set_causation_id("");
  event->envelope.set_traceparent("");
  event->envelope.set_actor("");
  EventWriter writer;
  Owned message(writer.write(*event));
  EXPECT_EQ(message.header("ce_actor"), nullptr);
  EXPECT_EQ(message.headers.size(), 9u);
  const auto read = read_event(message.view(), contract::model());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->event->envelope.actor(), "");
}

TEST(EventMessage, AnEventThatIsNotStoredYetIsWritten) {
  auto event = std::make_shared<EventRecord>(*initiated(7, 1));
  event->envelope.set_data("");
  EventWriter writer;
  EXPECT_EQ(writer.write(*event).value, initiated(7, 1)->envelope.data());
}

TEST(EventMessage, EachRequiredHeaderIsRequired) {
  for (const char* name : {"ce_id", "ce_source", "ce_specversion", "ce_type", "ce_time", "ce_subject",
                           "ce_partitionkey", "ce_sequence", "content-type"}) {
    Owned message = good();
    message.remove(name);
    EXPECT_EQ(message.reason(), "missing_header") << name;
    message = good();
    message.headers.emplace_back(name, *message.header(name));
    EXPECT_EQ(message.reason(), "duplicate_header") << name;
  }
}

TEST(EventMessage, HeadersAreJudged) {
  const struct {
    const char *name, *value, *reason;
  } cases[] = {
      {"ce_id", "7", "bad_header"},
      {"ce_specversion", "0.3", "bad_header"},
      {"ce_time", "yesterday", "bad_header"},
      {"ce_sequence", "0", "bad_header"},
      {"ce_sequence", "-1", "bad_header"},
      {"ce_sequence", "7x", "bad_header"},
      {"ce_sequence", "18446744073709551616", "bad_header"},
      {"ce_previous", "7", "bad_header"},
      {"ce_previous", "0", "bad_header"},
      {"ce_subject", "other", "bad_header"},
      {"ce_partitionkey", "other", "bad_header"},
      {"content-type", "application/json", "bad_header"},
      {"ce_actor", "a\nb", "bad_header"},
      {"ce_source", "payment", "foreign_source"},
      {"ce_source", "/acme", "foreign_source"},
      {"ce_source", "/account", "foreign_source"},
      {"ce_type", "payment.teleported", "unknown_event_type"},
      {"ce_type", "Com.Acme/Order", "bad_header"},
      {"ce_type", "", "bad_header"},
      {"ce_type", "payment.completed", "key_mismatch"},
  };
  for (const auto& [name, value, reason] : cases) {
    Owned message = good();
    if (message.header(name) == nullptr) message.headers.emplace_back(name, "");
    *message.header(name) = value;
    // payment.completed has its key in the same field: made to differ there.
    if (std::string_view(reason) == "key_mismatch") message.value = "";
    EXPECT_EQ(message.reason(), reason) << name << ": " << value;
  }
}

TEST(EventMessage, SaysWhichEventWasBefore) {
  EventWriter writer;
  const auto event = initiated(7, 1);
  EXPECT_EQ(read_event(writer.write(*event), contract::model())->previous, 0u);
  Owned message(writer.write(*event, 5));
  EXPECT_EQ(*message.header("ce_previous"), "5");
  EXPECT_EQ(read_event(message.view(), contract::model())->previous, 5u);
  const auto place = place_of(message.view(), "payment");
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(place->position, 7u);
  EXPECT_EQ(place->previous, 5u);
  *message.header("ce_type") = "payment.teleported";
  message.value = "damaged";
  EXPECT_TRUE(place_of(message.view(), "payment").has_value()) << "it is ours, whatever is in it";
  EXPECT_FALSE(place_of(message.view(), "account").has_value());
  message.remove("ce_id");
  EXPECT_FALSE(place_of(message.view(), "payment").has_value());
}

TEST(EventMessage, DataAreJudged) {
  Owned message = good();
  message.value = "{\"order\": 1}";
  EXPECT_EQ(message.reason(), "unreadable_event");
  message = good();
  message.value = initiated(7, 2)->envelope.data();
  EXPECT_EQ(message.reason(), "key_mismatch");
  message = good();
  message.key = key_of(2);
  EXPECT_EQ(message.reason(), "bad_header");
  EXPECT_EQ(Owned(EventMessage{}).reason(), "missing_header");
}

TEST(EventMessage, SizesHaveLimits) {
  Owned message = good();
  message.value.assign(kMaxValueBytes + 1, 'x');
  EXPECT_EQ(message.reason(), "record_too_large");
  message = good();
  message.key.assign(kMaxKeyBytes + 1, 'x');
  EXPECT_EQ(message.reason(), "record_too_large");
  message = good();
  message.header("ce_actor")->assign(kMaxHeaderBytes + 1, 'x');
  EXPECT_EQ(message.reason(), "bad_header");
  message = good();
  while (message.headers.size() <= kMaxHeaders) message.headers.emplace_back("x", "y");
  EXPECT_EQ(message.reason(), "too_many_headers");
  message.headers.pop_back();
  EXPECT_EQ(message.reason(), "") << "headers of others are none of our business";
}

}  // namespace
}  // namespace micropay::kafka
