// Records of Kafka as anybody may have written them: an event of ours or an error; and an event that was read
// is written as a record that reads the same.
#include "contracts/runtime.pb.h"
#include "fuzz/messages.h"
#include "fuzz/target.h"
#include "libs/base/check.h"
#include "libs/kafka/event_message.h"

namespace micropay::fuzz {
namespace {

std::string record_bytes(const EventRecord& event) {
  StoredEnvelope stored;
  event.envelope.store(stored);
  return bytes_of(stored) + bytes_of(*event.message);
}

void check(const kafka::EventMessage& message) {
  const auto read = kafka::read_event(message, contract::model());
  if (!read) {
    CHECK(!read.error().reason.empty());
    for (const contract::Service* service : contract::model().services())
      kafka::place_of(message, service->name);
    return;
  }
  const uint64_t position = read->event->envelope.position();
  CHECK(message.value.size() <= kafka::kMaxValueBytes && read->previous < position);
  const auto place = kafka::place_of(message, read->event->envelope.service());
  CHECK(place && place->position == position && place->previous == read->previous);
  kafka::EventWriter writer;
  const auto again = kafka::read_event(writer.write(*read->event, read->previous), contract::model());
  CHECK(again && again->previous == read->previous &&
        record_bytes(*again->event) == record_bytes(*read->event));
}

// A type a line, the key a line, then headers "name value", an empty line, and the value. The headers of an
// event of the type are there already: a line changes one, adds one, or with "-name" takes one away.
void run(std::string_view bytes) {
  const contract::Event& type =
      *choose(contract::model().events(), take_line(bytes), [](const auto& each) { return each.type; });
  kafka::EventMessage message{.key = take_line(bytes), .value = {}, .headers = {}};
  const std::string source = "/" + type.service->name;
  message.headers = {{"ce_id", "0190c5b2-7e0c-7000-8000-000000000001"},
                     {"ce_source", source},
                     {"ce_specversion", "1.0"},
                     {"ce_type", type.type},
                     {"ce_time", "2026-11-21T01:39:47.123456Z"},
                     {"ce_subject", message.key},
                     {"ce_partitionkey", message.key},
                     {"ce_sequence", "7"},
                     {"content-type", "application/protobuf"}};
  for (std::string_view line = take_line(bytes); !line.empty(); line = take_line(bytes)) {
    const size_t space = std::min(line.find(' '), line.size());
    const std::string_view name = line.substr(0, space),
                           value = line.substr(std::min(space + 1, line.size()));
    const auto at = std::ranges::find(message.headers, name, &kafka::MessageHeader::name);
    if (line.starts_with('-'))
      std::erase_if(message.headers, [&](const auto& header) { return header.name == name.substr(1); });
    else if (at != message.headers.end()) at->value = value;
    else message.headers.push_back({name, value});
  }
  message.value = bytes;
  check(message);
}

const Register kRegistered("kafka_record", run);

}  // namespace
}  // namespace micropay::fuzz
