// Reads the options of a contract. It works for descriptors of any pool: a pool parses the options of what it
// builds with the generated classes, and those know our extensions because this file links them.
#include "libs/contract/model_state.h"

namespace micropay::contract {

bool has_service_options(const google::protobuf::FileDescriptor& file) {
  return file.options().HasExtension(micropay::service);
}
const ServiceOptions& service_options(const google::protobuf::FileDescriptor& file) {
  return file.options().GetExtension(micropay::service);
}
const MethodOptions& method_options(const google::protobuf::MethodDescriptor& method) {
  return method.options().GetExtension(micropay::method);
}
bool has_table_options(const Descriptor& message) { return message.options().HasExtension(micropay::table); }
const TableOptions& table_options(const Descriptor& message) {
  return message.options().GetExtension(micropay::table);
}
bool has_event_options(const Descriptor& message) { return message.options().HasExtension(micropay::event); }
const EventOptions& event_options(const Descriptor& message) {
  return message.options().GetExtension(micropay::event);
}
const FieldOptions& options_of(const FieldDescriptor& field) {
  return field.options().GetExtension(micropay::field);
}

std::string_view enum_text(const google::protobuf::EnumValueDescriptor& value) { return value.name(); }

bool is_money(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
         field.message_type()->full_name() == "micropay.Money";
}
bool is_metadata(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
         field.message_type()->full_name() == "micropay.Metadata";
}

}  // namespace micropay::contract
