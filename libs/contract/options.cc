// Reads the options of a contract. Descriptors of the generated pool carry them parsed; those of a pool that
// was built at run time carry them as unknown fields, so these are written out and parsed again by the
// generated classes.
#include <mutex>
#include <unordered_map>

#include "libs/contract/model_state.h"

namespace micropay::contract {
namespace {

template <typename Options>
Options known(const Options& options) {
  if (options.unknown_fields().empty()) return options;
  Options parsed;
  parsed.ParseFromString(options.SerializeAsString());
  return parsed;
}

}  // namespace

bool has_service_options(const google::protobuf::FileDescriptor& file) {
  return known(file.options()).HasExtension(micropay::service);
}
ServiceOptions service_options(const google::protobuf::FileDescriptor& file) {
  return known(file.options()).GetExtension(micropay::service);
}
MethodOptions method_options(const google::protobuf::MethodDescriptor& method) {
  return known(method.options()).GetExtension(micropay::method);
}
bool has_table_options(const Descriptor& message) {
  return known(message.options()).HasExtension(micropay::table);
}
TableOptions table_options(const Descriptor& message) {
  return known(message.options()).GetExtension(micropay::table);
}
bool has_event_options(const Descriptor& message) {
  return known(message.options()).HasExtension(micropay::event);
}
EventOptions event_options(const Descriptor& message) {
  return known(message.options()).GetExtension(micropay::event);
}

const FieldOptions& options_of(const FieldDescriptor& field) {
  if (field.options().HasExtension(micropay::field)) return field.options().GetExtension(micropay::field);
  if (field.options().unknown_fields().empty()) return FieldOptions::default_instance();
  static std::mutex mutex;
  static auto& cache = *new std::unordered_map<const FieldDescriptor*, std::unique_ptr<const FieldOptions>>;
  const std::lock_guard lock(mutex);
  auto& entry = cache[&field];
  if (!entry) entry = std::make_unique<FieldOptions>(known(field.options()).GetExtension(micropay::field));
  return *entry;
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
