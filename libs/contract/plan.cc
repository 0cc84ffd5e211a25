// Plans per message type. A reader asks its own thread's map first, so no lock is taken once a type is known.
#include "libs/contract/plan.h"

#include <re2/re2.h>

#include <mutex>
#include <unordered_map>

#include "contracts/common.pb.h"
#include "libs/base/words.h"
#include "libs/contract/text_class.h"

namespace micropay::contract {
namespace {

Kind kind_of(const FieldDescriptor& field, const FieldOptions& options) {
  if (is_money(field)) return Kind::kMoney;
  if (is_metadata(field)) return Kind::kMetadata;
  if (options.format() == TIME) return Kind::kTime;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: return Kind::kInt32;
    case FieldDescriptor::CPPTYPE_INT64: return Kind::kInt64;
    case FieldDescriptor::CPPTYPE_UINT32: return Kind::kUint32;
    case FieldDescriptor::CPPTYPE_UINT64: return Kind::kUint64;
    case FieldDescriptor::CPPTYPE_DOUBLE: return Kind::kDouble;
    case FieldDescriptor::CPPTYPE_FLOAT: return Kind::kFloat;
    case FieldDescriptor::CPPTYPE_BOOL: return Kind::kBool;
    case FieldDescriptor::CPPTYPE_ENUM: return Kind::kEnum;
    case FieldDescriptor::CPPTYPE_STRING:
      return field.type() == FieldDescriptor::TYPE_BYTES ? Kind::kBytes : Kind::kText;
    case FieldDescriptor::CPPTYPE_MESSAGE: return Kind::kMessage;
  }
  return Kind::kText;
}

bool zero_breaks_bounds(const FieldPlan& plan) {
  const FieldOptions& options = *plan.options;
  if (plan.repeated) return false;
  switch (plan.kind) {
    case Kind::kText: {
      const bool formatted =
          options.format() != NONE && options.format() != PASSWORD && !is_text_class(options.format());
      return plan.min_length > 0 || formatted || (plan.pattern && !re2::RE2::FullMatch("", *plan.pattern));
    }
    case Kind::kInt32:
    case Kind::kInt64:
    case Kind::kUint32:
    case Kind::kUint64:
    case Kind::kDouble:
    case Kind::kFloat: return options.min() > 0 || options.max() < 0;
    default: return false;
  }
}

uint32_t default_max_length(const FieldPlan& plan) {
  if (plan.kind == Kind::kMetadata) return kMaxMetadata;
  if (plan.repeated) return kMaxItems;
  return plan.kind == Kind::kBytes ? kMaxBytes : kMaxText;
}

size_t default_max_bytes(const FieldPlan& plan) {
  constexpr size_t kMostBytesOfOne = 4;  // of a character in UTF-8
  if (plan.kind == Kind::kMetadata) return kMaxMetadataBytes;
  return kMostBytesOfOne * (plan.repeated ? kMaxText : plan.max_length);
}

FieldPlan field_plan(const FieldDescriptor& field, const Reflection* reflection) {
  FieldPlan plan;
  plan.reflection = reflection;
  const FieldOptions& options = options_of(field);
  plan.field = &field;
  plan.options = &options;
  plan.kind = kind_of(field, options);
  plan.repeated = field.is_repeated();
  plan.presence = field.has_presence();
  plan.hidden = options.internal() || options.secret() || options.format() == PASSWORD;
  plan.masked = options.personal() || options.secret() || options.format() == PASSWORD;
  plan.read_only = options.read_only() || options.internal();
  const bool bounded = (options.min() != 0 || options.max() != 0) && options.min() >= -kSafeInteger &&
                       options.max() <= kSafeInteger;
  plan.wide = (plan.kind == Kind::kInt64 || plan.kind == Kind::kUint64) && !bounded;
  plan.name = field.json_name();
  plan.key = '"' + plan.name + "\":";
  if (!options.pattern().empty())
    plan.pattern = std::make_shared<re2::RE2>(options.pattern(), re2::RE2::Quiet);
  plan.min_length = options.min_length();
  plan.max_length = options.max_length() != 0 ? options.max_length() : default_max_length(plan);
  plan.max_bytes = options.max_bytes() != 0 ? options.max_bytes() : default_max_bytes(plan);
  plan.clears = plan.presence && plan.kind == Kind::kText && plan.min_length == 0 && !options.required();
  plan.refuse_zero = !plan.clears && zero_breaks_bounds(plan);
  plan.omit_zero = !plan.presence && !plan.repeated && (plan.kind == Kind::kTime || plan.refuse_zero);
  return plan;
}

// By reflection, not by descriptor: a dynamic message of a generated descriptor is another type.
using Plans = std::unordered_map<const Reflection*, std::unique_ptr<MessagePlan>>;

// Under the lock. The plan is entered before its fields, so that a message may contain itself.
const MessagePlan& build(Plans& plans, const Message& prototype) {
  const Reflection* reflection = prototype.GetReflection();
  const Descriptor& descriptor = *prototype.GetDescriptor();
  auto& entry = plans[reflection];
  if (entry) return *entry;
  entry = std::make_unique<MessagePlan>();
  MessagePlan& plan = *entry;
  plan.reflection = reflection;
  plan.descriptor = &descriptor;
  plan.list = descriptor.FindFieldByName("next_page_token") != nullptr;
  plan.fields.reserve(size_t(descriptor.field_count()));
  for (int i = 0; i < descriptor.field_count(); ++i) {
    FieldPlan& added = plan.fields.emplace_back(field_plan(*descriptor.field(i), reflection));
    if (added.kind == Kind::kMessage)
      added.child =
          &build(plans, *reflection->GetMessageFactory()->GetPrototype(added.field->message_type()));
  }
  return plan;
}

// The generated class of a message, or null when it is a dynamic one.
template <typename T>
const T* as(const Message& message) {
  static const Reflection* const generated = T::default_instance().GetReflection();
  return message.GetReflection() == generated ? static_cast<const T*>(&message) : nullptr;
}
template <typename T>
T* as(Message& message) {
  return const_cast<T*>(as<T>(const_cast<const Message&>(message)));
}

}  // namespace

const MessagePlan& plan_of(const Message& message) {
  thread_local std::unordered_map<const Reflection*, const MessagePlan*> known;
  const MessagePlan*& plan = known[message.GetReflection()];
  if (plan == nullptr) [[unlikely]] {
    static std::mutex mutex;
    static Plans& plans = *new Plans;
    const std::lock_guard lock(mutex);
    plan = &build(plans, message);
  }
  return *plan;
}

bool always_written(const FieldPlan& plan) {
  if (plan.repeated) return true;
  if (plan.presence || plan.omit_zero) return false;
  return plan.kind != Kind::kEnum || !is_unspecified(*plan.field->enum_type()->value(0));
}

const FieldPlan* field_named(const MessagePlan& plan, std::string_view json_name) {
  for (const FieldPlan& field : plan.fields)
    if (field.name == json_name) return &field;
  return nullptr;
}

std::string nearest_field(const MessagePlan& plan, std::string_view json_name) {
  if (json_name.size() > 64) return {};
  const FieldPlan* nearest =
      nearest_of(plan.fields, std::max<size_t>(2, json_name.size() / 3), [&](const FieldPlan& field) {
        return field.read_only ? SIZE_MAX : edit_distance(json_name, field.name);
      });
  return nearest == nullptr ? std::string() : fmt::format(", did you mean \"{}\"?", nearest->name);
}

bool is_unspecified(const google::protobuf::EnumValueDescriptor& value) {
  return value.number() == 0 && value.name().ends_with("UNSPECIFIED");
}

const std::string& text_of(const Message& message, const FieldPlan& plan, std::string& scratch) {
  return plan.reflection->GetStringReference(message, plan.field, &scratch);
}
const std::string& text_of(const Message& message, const FieldPlan& plan, int index, std::string& scratch) {
  return plan.reflection->GetRepeatedStringReference(message, plan.field, index, &scratch);
}

MoneyView money_of(const Message& message, std::string& scratch) {
  if (const Money* money = as<Money>(message)) return {money->currency(), money->minor()};
  const auto& reflection = *message.GetReflection();
  const Descriptor& descriptor = *message.GetDescriptor();
  return {reflection.GetStringReference(message, descriptor.FindFieldByName("currency"), &scratch),
          reflection.GetInt64(message, descriptor.FindFieldByName("minor"))};
}

void set_money(Message& message, std::string_view currency, int64_t minor) {
  if (Money* money = as<Money>(message)) {
    money->set_currency(currency.data(), currency.size());
    money->set_minor(minor);
    return;
  }
  const Descriptor& descriptor = *message.GetDescriptor();
  message.GetReflection()->SetString(&message, descriptor.FindFieldByName("currency"), std::string(currency));
  message.GetReflection()->SetInt64(&message, descriptor.FindFieldByName("minor"), minor);
}

std::vector<std::pair<std::string_view, std::string_view>> metadata_of(const Message& message) {
  std::vector<std::pair<std::string_view, std::string_view>> entries;
  if (const Metadata* metadata = as<Metadata>(message)) {
    for (const auto& [key, value] : metadata->values()) entries.emplace_back(key, value);
  } else {
    const auto& reflection = *message.GetReflection();
    const FieldDescriptor* values = message.GetDescriptor()->FindFieldByName("values");
    std::string unused;  // dynamic messages keep strings as strings: the references stay valid
    for (int i = 0; i < reflection.FieldSize(message, values); ++i) {
      const Message& entry = reflection.GetRepeatedMessage(message, values, i);
      const Descriptor& type = *values->message_type();
      entries.emplace_back(entry.GetReflection()->GetStringReference(entry, type.map_key(), &unused),
                           entry.GetReflection()->GetStringReference(entry, type.map_value(), &unused));
    }
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

void add_metadata(Message& message, std::string_view key, std::string_view value) {
  if (Metadata* metadata = as<Metadata>(message)) {
    (*metadata->mutable_values())[std::string(key)] = value;
    return;
  }
  const FieldDescriptor* values = message.GetDescriptor()->FindFieldByName("values");
  Message& entry = *message.GetReflection()->AddMessage(&message, values);
  entry.GetReflection()->SetString(&entry, values->message_type()->map_key(), std::string(key));
  entry.GetReflection()->SetString(&entry, values->message_type()->map_value(), std::string(value));
}

void set_metadata(Message& message, std::string_view key, std::string_view value) {
  if (as<Metadata>(message) != nullptr) return add_metadata(message, key, value);
  const auto& reflection = *message.GetReflection();
  const FieldDescriptor* values = message.GetDescriptor()->FindFieldByName("values");
  const Descriptor& type = *values->message_type();
  for (int i = 0; i < reflection.FieldSize(message, values); ++i) {
    Message& entry = *reflection.MutableRepeatedMessage(&message, values, i);
    if (entry.GetReflection()->GetString(entry, type.map_key()) == key)
      entry.GetReflection()->SetString(&entry, type.map_value(), std::string(value));
  }
}

std::unexpected<Error> refuse(std::string_view reason, std::string detail, std::string_view field) {
  return fail(Code::kInvalidArgument, std::string(reason), std::move(detail), std::string(field));
}

std::unexpected<Error> below(std::string_view parent, Error error) {
  if (error.field.empty()) error.field = parent;
  else error.field = fmt::format("{}{}{}", parent, error.field.starts_with('[') ? "" : ".", error.field);
  return std::unexpected(std::move(error));
}

std::unexpected<Error> below(std::string_view parent, int index, Error error) {
  return below(fmt::format("{}[{}]", parent, index), std::move(error));
}

std::unexpected<Error> with_path(Error error) {
  if (!error.field.empty()) error.detail = fmt::format("{} {}", error.field, error.detail);
  return std::unexpected(std::move(error));
}

}  // namespace micropay::contract
