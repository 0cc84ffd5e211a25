#include "libs/runtime/fingerprint.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <memory>
#include <mutex>
#include <unordered_map>

#include "libs/base/ids.h"

namespace micropay {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Of a message type: what of it does not count, or could say the same in two ways.
struct Shape {
  std::vector<const FieldDescriptor*> secrets;
  std::vector<const FieldDescriptor*> metadata;  // an empty one is none
  std::vector<std::pair<const FieldDescriptor*, const Shape*>> parts;
  bool any_secret = false;  // in its parts, too
};

class Shapes {
 public:
  const Shape& of(const Descriptor& type) {
    const std::lock_guard lock(mutex_);
    return made(type);
  }

 private:
  const Shape& made(const Descriptor& type) {
    auto& shape = shapes_[&type];
    if (shape) return *shape;
    shape = std::make_unique<Shape>();
    Shape& filled = *shape;  // before its parts, which may be of its own type
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor* field = type.field(i);
      const FieldOptions& options = contract::options_of(*field);
      if (options.secret() || options.format() == PASSWORD) {
        filled.secrets.push_back(field);
        filled.any_secret = true;
        continue;
      }
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_map()) continue;
      if (contract::is_metadata(*field) && !field->is_repeated()) filled.metadata.push_back(field);
      const Shape& part = made(*field->message_type());
      filled.parts.emplace_back(field, &part);
      filled.any_secret |= part.any_secret;
    }
    return filled;
  }

  std::mutex mutex_;
  std::unordered_map<const Descriptor*, std::unique_ptr<Shape>> shapes_;
};

const Shape& shape_of(const Descriptor& type) {
  static thread_local std::unordered_map<const Descriptor*, const Shape*> known;
  const Shape*& shape = known[&type];
  static Shapes& shapes = *new Shapes;
  if (shape == nullptr) shape = &shapes.of(type);
  return *shape;
}

bool is_plain(const Message& message, const Shape& shape) {
  const auto& reflection = *message.GetReflection();
  if (!reflection.GetUnknownFields(message).empty()) return false;
  for (const FieldDescriptor* field : shape.secrets)
    if (field->is_repeated() ? reflection.FieldSize(message, field) > 0 : reflection.HasField(message, field))
      return false;
  for (const FieldDescriptor* field : shape.metadata)
    if (reflection.HasField(message, field) && reflection.GetMessage(message, field).ByteSizeLong() == 0)
      return false;
  for (const auto& [field, part] : shape.parts) {
    if (!field->is_repeated()) {
      if (reflection.HasField(message, field) && !is_plain(reflection.GetMessage(message, field), *part))
        return false;
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i)
      if (!is_plain(reflection.GetRepeatedMessage(message, field, i), *part)) return false;
  }
  return true;
}

void make_plain(Message& message, const Shape& shape) {
  const auto& reflection = *message.GetReflection();
  message.DiscardUnknownFields();
  for (const FieldDescriptor* field : shape.secrets) reflection.ClearField(&message, field);
  for (const auto& [field, part] : shape.parts) {
    if (!field->is_repeated()) {
      if (reflection.HasField(message, field)) make_plain(*reflection.MutableMessage(&message, field), *part);
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i)
      make_plain(*reflection.MutableRepeatedMessage(&message, field, i), *part);
  }
  for (const FieldDescriptor* field : shape.metadata)
    if (reflection.HasField(message, field) && reflection.GetMessage(message, field).ByteSizeLong() == 0)
      reflection.ClearField(&message, field);
}

void append_bytes(std::string& out, const Message& message) {
  google::protobuf::io::StringOutputStream stream(&out);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);  // maps in the order of their keys
  message.SerializePartialToCodedStream(&coded);
}

// Whose key it is, as releases before this one wrote it, so that they stay his.
std::string whose(const Command& command) {
  const Principal& principal = command.principal;
  if (principal.kind == Principal::Kind::kSystem) return principal.actor();
  return principal.user_id;
}

}  // namespace

bool has_secrets(const contract::Method& method) { return shape_of(*method.request).any_secret; }

Digest128 fingerprint_of(const contract::Method& method, const Message& request) {
  static thread_local std::string bytes;
  bytes.assign(method.name).push_back('\0');
  const Shape& shape = shape_of(*request.GetDescriptor());
  if (is_plain(request, shape)) {
    append_bytes(bytes, request);
  } else {
    const std::unique_ptr<Message> plain(request.New());
    plain->CopyFrom(request);
    make_plain(*plain, shape);
    append_bytes(bytes, *plain);
  }
  return digest128(bytes);
}

void make_fingerprint(Command& command) {
  if (command.idempotency_key.empty() || command.method->options.idempotency() != BY_KEY) return;
  command.fingerprint = fingerprint_of(*command.method, *command.request);
  const std::string owner = whose(command);
  std::string text = fmt::format("{}\n{}", owner, command.idempotency_key);
  if (owner.empty()) text.append("\n").append(view_of(command.fingerprint));
  command.key_id = derived_uuid(text);
}

std::string former_key_id(const Command& command) {
  if (command.key_id.empty() || command.principal.kind != Principal::Kind::kApiKey) return {};
  return derived_uuid(fmt::format("{}\n{}", command.principal.actor(), command.idempotency_key));
}

}  // namespace micropay
