#include "libs/runtime/dead_letter_parties.h"

#include <memory>

#include "libs/contract/model.h"

namespace micropay {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool names(const Message& message, std::string_view user_id);

bool field_names(const Message& message, const FieldDescriptor& field, std::string_view user_id) {
  const auto& reflection = *message.GetReflection();
  const int count =
      field.is_repeated() ? reflection.FieldSize(message, &field) : int(reflection.HasField(message, &field));
  const bool text = field.type() == FieldDescriptor::TYPE_STRING && field.name().ends_with("user_id");
  for (int i = 0; i < count; ++i) {
    if (text) {
      const std::string value = field.is_repeated() ? reflection.GetRepeatedString(message, &field, i)
                                                    : reflection.GetString(message, &field);
      if (value == user_id) return true;
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      if (names(field.is_repeated() ? reflection.GetRepeatedMessage(message, &field, i)
                                    : reflection.GetMessage(message, &field),
                user_id))
        return true;
    }
  }
  return false;
}

bool names(const Message& message, std::string_view user_id) {
  const auto* descriptor = message.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i)
    if (field_names(message, *descriptor->field(i), user_id)) return true;
  return false;
}

// What cannot be read names nobody; whoever drives it again is told that it cannot be read.
bool bytes_name(std::unique_ptr<Message> message, const std::string& bytes, std::string_view user_id) {
  return message != nullptr && message->ParseFromString(bytes) && names(*message, user_id);
}

}  // namespace

bool is_about(const DeadLetter& letter, std::string_view user_id) {
  if (user_id.empty()) return false;
  const contract::Model& model = contract::model();
  if (letter.kind() == DeadLetter::EFFECT) {
    EffectRecord effect;
    return effect.ParseFromString(letter.payload()) &&
           (effect.actor() == user_id || bytes_name(model.make(effect.type()), effect.request(), user_id));
  }
  if (letter.kind() == DeadLetter::TIMER) {
    TimerRecord timer;
    return timer.ParseFromString(letter.payload()) &&
           bytes_name(model.make(timer.type()), timer.message(), user_id);
  }
  StoredEnvelope envelope;
  if (!envelope.ParseFromString(letter.payload())) return false;
  const contract::Event* event = model.event(envelope.type());
  return envelope.actor() == user_id ||
         (event != nullptr && bytes_name(event->make(), envelope.data(), user_id));
}

}  // namespace micropay
