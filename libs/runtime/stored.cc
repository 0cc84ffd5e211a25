#include "libs/runtime/stored.h"

#include "libs/runtime/tables.h"

namespace micropay {
namespace {

std::unexpected<Error> unreadable() {
  return fail(Code::kFailedPrecondition, "dead_letter_unreadable",
              "What the dead letter holds cannot be read: it was damaged, or another version wrote it.");
}

// A row that the store can keep under its key.
Result<void> check_key(const contract::Table& table, const google::protobuf::Message& row) {
  try {
    table.key_of(row);
    return {};
  } catch (const std::invalid_argument&) {
    return unreadable();
  }
}

}  // namespace

MessagePtr read_stored(const google::protobuf::Descriptor& type, const std::string& bytes) {
  const auto* prototype = google::protobuf::MessageFactory::generated_factory()->GetPrototype(&type);
  MessagePtr message(prototype->New());
  return message->ParseFromString(bytes) ? message : nullptr;
}

Result<DeliveryRecord> delivery_in(const DeadLetter& letter) {
  DeliveryRecord record;
  const StoredEnvelope& envelope = *record.mutable_envelope();
  if (!record.mutable_envelope()->ParseFromString(letter.payload()) || envelope.type() != letter.type() ||
      envelope.key() != letter.key() || contract::model().event(envelope.type()) == nullptr)
    return unreadable();
  record.set_service(letter.service());
  record.set_event_key(letter.key());
  record.set_position(envelope.position());
  TRY(check_key(detail::table_of<DeliveryRecord>(), record));
  return record;
}

Result<EffectRecord> effect_in(const DeadLetter& letter) {
  EffectRecord record;
  if (!record.ParseFromString(letter.payload()) || record.type() != letter.type() ||
      record.id() != letter.key() || record.service() != letter.service())
    return unreadable();
  TRY(check_key(detail::table_of<EffectRecord>(), record));
  return record;
}

Result<TimerRecord> timer_in(const DeadLetter& letter) {
  TimerRecord record;
  if (!record.ParseFromString(letter.payload()) || record.type() != letter.type() ||
      record.timer_key() != letter.key() || record.service() != letter.service())
    return unreadable();
  TRY(check_key(detail::table_of<TimerRecord>(), record));
  return record;
}

}  // namespace micropay
