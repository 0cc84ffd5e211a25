#include "libs/kafka/event_message.h"

#include <charconv>

#include "libs/base/check.h"
#include "libs/base/ids.h"

namespace micropay::kafka {
namespace {

constexpr std::string_view kProtobuf = "application/protobuf";

enum Attribute : uint8_t {
  kId,
  kSource,
  kSpecVersion,
  kType,
  kTime,
  kSubject,
  kPartitionKey,
  kSequence,
  kContentType,  // required
  kCorrelationId,
  kCausationId,
  kActor,
  kTraceparent,
  kPrevious,
  kAttributes
};
constexpr size_t kRequired = kCorrelationId;
constexpr std::string_view kNames[kAttributes] = {
    "ce_id",          "ce_source",       "ce_specversion", "ce_type",      "ce_time",
    "ce_subject",     "ce_partitionkey", "ce_sequence",    "content-type", "ce_correlationid",
    "ce_causationid", "ce_actor",        "traceparent",    "ce_previous"};

using Attributes = std::array<const std::string_view*, kAttributes>;

std::unexpected<Error> bad_header(Attribute attribute, std::string detail) {
  return fail(Code::kInvalidArgument, "bad_header", std::move(detail), std::string(kNames[attribute]));
}

bool visible(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

Result<Attributes> attributes_of(const EventMessage& message) {
  Attributes found{};
  if (message.headers.size() > kMaxHeaders)
    return fail(Code::kInvalidArgument, "too_many_headers", "the record has too many headers");
  for (const MessageHeader& header : message.headers) {
    const auto at = std::ranges::find(kNames, header.name);
    if (at == std::end(kNames)) continue;
    const auto attribute = Attribute(at - std::begin(kNames));
    if (found[attribute] != nullptr)
      return fail(Code::kInvalidArgument, "duplicate_header", "it is there twice", std::string(header.name));
    if (header.value.size() > kMaxHeaderBytes) return bad_header(attribute, "it is too long");
    // Keys may be in any script; that they are text is seen in the event itself.
    if (attribute != kSubject && attribute != kPartitionKey && !visible(header.value))
      return bad_header(attribute, "it is no visible text");
    found[attribute] = &header.value;
  }
  for (size_t i = 0; i < kRequired; ++i)
    if (found[i] == nullptr)
      return fail(Code::kInvalidArgument, "missing_header", "it is missing", std::string(kNames[i]));
  return found;
}

Result<void> check_fixed(const EventMessage& message, const Attributes& attributes) {
  if (*attributes[kSpecVersion] != "1.0") return bad_header(kSpecVersion, "only CloudEvents 1.0 is read");
  if (*attributes[kContentType] != kProtobuf) return bad_header(kContentType, "only protobuf is read");
  if (!is_uuid(*attributes[kId])) return bad_header(kId, "it is no UUID");
  if (*attributes[kPartitionKey] != message.key)
    return bad_header(kPartitionKey, "it is not the record's key");
  if (*attributes[kSubject] != message.key) return bad_header(kSubject, "it is not the record's key");
  return {};
}

Result<const contract::Event*> type_of(const Attributes& attributes, const contract::Model& model) {
  const std::string_view source = *attributes[kSource], type = *attributes[kType];
  const contract::Service* service = source.starts_with('/') ? model.service(source.substr(1)) : nullptr;
  if (service == nullptr)
    return fail(Code::kInvalidArgument, "foreign_source", "it is no service of ours", "ce_source");
  const contract::Event* event = model.event(type);
  if (event == nullptr) {
    // Not a word that could be the type of an event: not a newer version of us either.
    const bool plausible = std::ranges::all_of(type, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_';
    });
    if (!plausible || type.empty()) return bad_header(kType, "it is no type of an event");
    return fail(Code::kUnimplemented, std::string(kUnknownType), "no contract here has it", "ce_type");
  }
  if (event->service != service)
    return fail(Code::kInvalidArgument, "foreign_source", "the type is of another service", "ce_source");
  return event;
}

Result<std::shared_ptr<google::protobuf::Message>> data_of(const EventMessage& message,
                                                           const contract::Event& type) {
  std::shared_ptr<google::protobuf::Message> data = type.make();
  if (!data->ParseFromArray(message.value.data(), int(message.value.size())))
    return fail(Code::kInvalidArgument, "unreadable_event", "the value is no message of the type");
  std::string scratch;
  if (data->GetReflection()->GetStringReference(*data, type.key, &scratch) != message.key)
    return fail(Code::kInvalidArgument, "key_mismatch", "the event has another key than the record");
  return data;
}

std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), number);
  if (error != std::errc() || end != text.end() || number == 0) return {};
  return number;
}

Result<Place> read_place(const Attributes& attributes) {
  const auto position = number_of(*attributes[kSequence]);
  if (!position) return bad_header(kSequence, "it is no position");
  if (attributes[kPrevious] == nullptr) return Place{.position = *position};
  const auto previous = number_of(*attributes[kPrevious]);
  if (!previous || *previous >= *position) return bad_header(kPrevious, "it is no position before this one");
  return Place{.position = *position, .previous = *previous};
}

std::string_view optional(const Attributes& attributes, Attribute attribute) {
  return attributes[attribute] == nullptr ? std::string_view() : *attributes[attribute];
}

}  // namespace

void EventWriter::add(std::string_view name, std::string_view value) {
  message_.headers.push_back({name, value});
}

const EventMessage& EventWriter::write(const EventRecord& event, uint64_t previous,
                                       std::string_view traceparent) {
  const Envelope& envelope = event.envelope;
  CHECK(envelope.position() != 0);
  source_.assign("/").append(envelope.service());
  time_.clear();
  append_time(time_, envelope.time());
  sequence_ = std::to_string(envelope.position());
  traceparent_ = traceparent.empty() ? envelope.traceparent() : traceparent;
  previous_ = previous == 0 ? "" : std::to_string(previous);
  message_.key = envelope.key();
  message_.value = envelope.data();
  if (envelope.data().empty() && event.message != nullptr) {
    event.message->SerializeToString(&data_);
    message_.value = data_;
  }
  message_.headers.clear();
  const std::string_view values[kAttributes] = {
      envelope.id(),           source_,          "1.0",        envelope.type(), time_,
      envelope.key(),          envelope.key(),   sequence_,    kProtobuf,       envelope.correlation_id(),
      envelope.causation_id(), envelope.actor(), traceparent_, previous_};
  for (size_t i = 0; i < kAttributes; ++i)
    if (i < kRequired || !values[i].empty()) add(kNames[i], values[i]);
  return message_;
}

Result<ReadEvent> read_event(const EventMessage& message, const contract::Model& model) {
  if (message.value.size() > kMaxValueBytes || message.key.size() > kMaxKeyBytes)
    return fail(Code::kTooLarge, "record_too_large", "the record is larger than any event");
  const Attributes attributes = TRY(attributes_of(message));
  TRY(check_fixed(message, attributes));
  const contract::Event* type = TRY(type_of(attributes, model));
  const std::optional<Time> time = parse_time(*attributes[kTime]);
  if (!time) return bad_header(kTime, "it is no RFC 3339 time");
  const Place place = TRY(read_place(attributes));
  auto event = std::make_shared<EventRecord>();
  event->message = TRY(data_of(message, *type));
  event->type = type;
  Envelope& envelope = event->envelope;
  envelope.set_id(std::string(*attributes[kId]));
  envelope.set_type(*type);
  envelope.set_time(*time);
  envelope.set_key(std::string(message.key));
  envelope.set_correlation_id(optional(attributes, kCorrelationId));
  envelope.set_causation_id(optional(attributes, kCausationId));
  envelope.set_traceparent(optional(attributes, kTraceparent));
  envelope.set_actor(optional(attributes, kActor));
  envelope.set_data(std::string(message.value));
  envelope.set_position(place.position);
  return ReadEvent{.event = std::move(event), .previous = place.previous};
}

std::optional<Place> place_of(const EventMessage& message, std::string_view service) {
  const auto attributes = attributes_of(message);
  if (!attributes || !check_fixed(message, *attributes)) return {};
  const std::string_view source = *(*attributes)[kSource];
  if (!source.starts_with('/') || source.substr(1) != service) return {};
  const auto place = read_place(*attributes);
  return place ? std::optional(*place) : std::nullopt;
}

}  // namespace micropay::kafka
