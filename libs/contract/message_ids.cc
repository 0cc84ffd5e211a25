#include "libs/contract/message_ids.h"

#include "libs/base/ids.h"

namespace micropay::contract {
namespace {

using google::protobuf::FieldDescriptor;
using Each = std::function<bool(std::string_view)>;

constexpr int kDepth = 2;  // of messages in messages

bool each_id_in(const google::protobuf::Message& message, const Each& each, int depth) {
  const auto& reflection = *message.GetReflection();
  const auto* type = message.GetDescriptor();
  std::string scratch;
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor& field = *type->field(i);
    const int count = field.is_repeated() ? reflection.FieldSize(message, &field) : 1;
    for (int at = 0; at < count; ++at) {
      if (field.type() == FieldDescriptor::TYPE_STRING) {
        const std::string& text = field.is_repeated()
                                      ? reflection.GetRepeatedStringReference(message, &field, at, &scratch)
                                      : reflection.GetStringReference(message, &field, &scratch);
        if (is_uuid(text) && !each(text)) return false;
      } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && depth > 0) {
        if (!field.is_repeated() && !reflection.HasField(message, &field)) continue;
        const auto& inner = field.is_repeated() ? reflection.GetRepeatedMessage(message, &field, at)
                                                : reflection.GetMessage(message, &field);
        if (!each_id_in(inner, each, depth - 1)) return false;
      }
    }
  }
  return true;
}

}  // namespace

void each_id(const google::protobuf::Message& message, const Each& each) {
  each_id_in(message, each, kDepth);
}

}  // namespace micropay::contract
