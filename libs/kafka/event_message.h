// An event as a Kafka record: CloudEvents 1.0, Kafka protocol binding, binary mode. The attributes are
// headers (ce_id, ce_source "/payment", ce_type, …, traceparent), the key is the partition key, the value the
// event's message in protobuf.
//
//   EventWriter writer;
//   const EventMessage& message = writer.write(*event, previous);
//   auto read = read_event(message, contract::model());   // anybody's bytes: an event of ours, or an Error
//
// Errors of reading: see the reasons beside read_event. Nothing here knows librdkafka.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/error.h"
#include "libs/store/store.h"

namespace micropay::kafka {

constexpr size_t kMaxValueBytes = 4 << 20;
constexpr size_t kMaxKeyBytes = 1024;
constexpr size_t kMaxHeaderBytes = 1024;  // of one value
constexpr size_t kMaxHeaders = 48;        // ours are 14; brokers and tracers in between may add theirs

struct MessageHeader {
  std::string_view name, value;
};

// Views: of an EventWriter or of the record that was received.
struct EventMessage {
  std::string_view key, value;
  std::vector<MessageHeader> headers;
};

class EventWriter {
 public:
  // Valid until the next call, and as long as the event lives. Its position has to be set. `previous`:
  // position of the source's event before it in its partition, so that a reader sees when one is missing; 0:
  // not known. `traceparent`: of the span that publishes it, in place of the event's own.
  const EventMessage& write(const EventRecord& event, uint64_t previous = 0,
                            std::string_view traceparent = {});

 private:
  void add(std::string_view name, std::string_view value);
  EventMessage message_;
  std::string source_, time_, sequence_, previous_, traceparent_, data_;
};

constexpr std::string_view kUnknownType = "unknown_event_type";  // well-formed, of a service of ours

// kTooLarge record_too_large; kInvalidArgument missing_header, duplicate_header, bad_header,
// too_many_headers, foreign_source, unreadable_event, key_mismatch; kUnimplemented unknown_event_type.
// `field` names the header.
struct ReadEvent {
  std::shared_ptr<const EventRecord> event;
  uint64_t previous = 0;  // ce_previous
};
Result<ReadEvent> read_event(const EventMessage& message, const contract::Model& model);

// Of a record that read_event refuses, where it stands: when its headers are whole and say that it is of the
// service. It is an event of a newer version, or one that was damaged.
struct Place {
  uint64_t position = 0, previous = 0;
};
std::optional<Place> place_of(const EventMessage& message, std::string_view service);

}  // namespace micropay::kafka
