// Scalars from text: what path and query strings, JSON strings and filters share. Each sets a field or adds
// an item; errors carry no field, their callers know the path.
#include <charconv>
#include <limits>

#include "libs/base/ids.h"
#include "libs/base/time.h"
#include "libs/contract/json.h"
#include "libs/contract/plan.h"

namespace micropay::contract {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::array<int8_t, 256> kSextet = [] {
  std::array<int8_t, 256> table{};
  table.fill(-1);
  for (size_t i = 0; i < kAlphabet.size(); ++i) table[uint8_t(kAlphabet[i])] = int8_t(i);
  table['+'] = 62, table['/'] = 63;
  return table;
}();

template <typename Number>
bool parse_number(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

void set_string(Message& message, const FieldPlan& plan, std::string text) {
  const auto& reflection = *plan.reflection;
  if (plan.repeated) reflection.AddString(&message, plan.field, std::move(text));
  else reflection.SetString(&message, plan.field, std::move(text));
}

Result<void> set_enum(Message& message, const FieldPlan& plan, std::string_view text) {
  const auto* type = plan.field->enum_type();
  const auto* value = type->FindValueByName(std::string(text));
  if (value == nullptr || is_unspecified(*value)) {
    std::string known;
    for (int i = 0; i < type->value_count(); ++i)
      if (!is_unspecified(*type->value(i))) known += (known.empty() ? "" : ", ") + type->value(i)->name();
    return refuse("invalid_format", "must be one of " + known);
  }
  const auto& reflection = *plan.reflection;
  if (plan.repeated) reflection.AddEnum(&message, plan.field, value);
  else reflection.SetEnum(&message, plan.field, value);
  return {};
}

Result<void> set_time(Message& message, const FieldPlan& plan, std::string_view text) {
  const auto time = parse_time(text);
  if (!time) return refuse("invalid_format", "must be a time like 2026-11-21T01:39:47Z, or a date");
  if (plan.repeated) plan.reflection->AddInt64(&message, plan.field, *time);
  else plan.reflection->SetInt64(&message, plan.field, *time);
  return {};
}

template <typename Integer>
Result<Integer> fit(__int128 value) {
  if (value < std::numeric_limits<Integer>::min() || value > std::numeric_limits<Integer>::max())
    return refuse("out_of_range",
                  fmt::format("must be between {} and {}", std::numeric_limits<Integer>::min(),
                              std::numeric_limits<Integer>::max()));
  return Integer(value);
}

Result<void> set_number_text(Message& message, const FieldPlan& plan, std::string_view text) {
  if (plan.kind == Kind::kDouble || plan.kind == Kind::kFloat) {
    double value;
    if (!parse_number(text, value) || !(std::abs(value) <= std::numeric_limits<double>::max()))
      return refuse("invalid_type", "must be a number");
    return set_double(message, plan, value);
  }
  int64_t value;
  if (parse_number(text, value)) return set_integer(message, plan, value);
  uint64_t large;
  if (parse_number(text, large)) return set_integer(message, plan, large);
  const size_t digits = text.starts_with('-') ? 1 : 0;
  if (text.size() > digits && text.find_first_not_of("0123456789", digits) == text.npos)
    return refuse("out_of_range", "is too large");
  return refuse("invalid_type", "must be an integer");
}

}  // namespace

Result<void> set_text(Message& message, const FieldPlan& plan, std::string_view text) {
  if (text.empty() && plan.refuse_zero && plan.kind == Kind::kText && !plan.options->required())
    return plan.min_length > 0
               ? refuse("too_short", fmt::format("must have at least {} characters", plan.min_length))
           : plan.pattern ? refuse("pattern_mismatch", "must match " + plan.options->pattern())
                          : refuse("invalid_format", "must not be empty; leave it out instead");
  switch (plan.kind) {
    case Kind::kText: set_string(message, plan, std::string(text)); return {};
    case Kind::kTime: return set_time(message, plan, text);
    case Kind::kEnum: return set_enum(message, plan, text);
    case Kind::kBytes: {
      auto bytes = parse_base64(text);
      if (!bytes) return refuse("invalid_format", "must be base64url");
      set_string(message, plan, *std::move(bytes));
      return {};
    }
    case Kind::kBool:
      if (text != "true" && text != "false") return refuse("invalid_type", "must be true or false");
      set_bool(message, plan, text == "true");
      return {};
    case Kind::kMoney:
    case Kind::kMetadata:
    case Kind::kMessage: return refuse("invalid_type", "must be an object");
    default: return set_number_text(message, plan, text);
  }
}

Result<void> set_integer(Message& message, const FieldPlan& plan, __int128 value) {
  if (value == 0 && plan.refuse_zero)
    return refuse("out_of_range",
                  fmt::format("must be between {} and {}", plan.options->min(), plan.options->max()));
  const auto& reflection = *plan.reflection;
  const FieldDescriptor* field = plan.field;
  switch (plan.kind) {
    case Kind::kInt32: {
      const int32_t fitted = TRY(fit<int32_t>(value));
      plan.repeated ? reflection.AddInt32(&message, field, fitted)
                    : reflection.SetInt32(&message, field, fitted);
      return {};
    }
    case Kind::kInt64: {
      const int64_t fitted = TRY(fit<int64_t>(value));
      plan.repeated ? reflection.AddInt64(&message, field, fitted)
                    : reflection.SetInt64(&message, field, fitted);
      return {};
    }
    case Kind::kUint32: {
      const uint32_t fitted = TRY(fit<uint32_t>(value));
      plan.repeated ? reflection.AddUInt32(&message, field, fitted)
                    : reflection.SetUInt32(&message, field, fitted);
      return {};
    }
    case Kind::kUint64: {
      const uint64_t fitted = TRY(fit<uint64_t>(value));
      plan.repeated ? reflection.AddUInt64(&message, field, fitted)
                    : reflection.SetUInt64(&message, field, fitted);
      return {};
    }
    default: return set_double(message, plan, double(value));
  }
}

Result<void> set_double(Message& message, const FieldPlan& plan, double value) {
  if (value == 0 && plan.refuse_zero)
    return refuse("out_of_range",
                  fmt::format("must be between {} and {}", plan.options->min(), plan.options->max()));
  const auto& reflection = *plan.reflection;
  if (plan.kind == Kind::kDouble)
    plan.repeated ? reflection.AddDouble(&message, plan.field, value)
                  : reflection.SetDouble(&message, plan.field, value);
  else if (std::abs(value) > std::numeric_limits<float>::max()) return refuse("out_of_range", "is too large");
  else
    plan.repeated ? reflection.AddFloat(&message, plan.field, float(value))
                  : reflection.SetFloat(&message, plan.field, float(value));
  return {};
}

void set_bool(Message& message, const FieldPlan& plan, bool value) {
  const auto& reflection = *plan.reflection;
  plan.repeated ? reflection.AddBool(&message, plan.field, value)
                : reflection.SetBool(&message, plan.field, value);
}

std::string field_text(const Message& message, const FieldDescriptor& field) {
  const auto& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return field.type() == FieldDescriptor::TYPE_BYTES ? base64url(reflection.GetString(message, &field))
                                                         : reflection.GetString(message, &field);
    case FieldDescriptor::CPPTYPE_INT32: return std::to_string(reflection.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64: return std::to_string(reflection.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_UINT32: return std::to_string(reflection.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_UINT64: return std::to_string(reflection.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL: return reflection.GetBool(message, &field) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_ENUM: return std::string(enum_text(*reflection.GetEnum(message, &field)));
    case FieldDescriptor::CPPTYPE_DOUBLE: return fmt::format("{}", reflection.GetDouble(message, &field));
    case FieldDescriptor::CPPTYPE_FLOAT: return fmt::format("{}", reflection.GetFloat(message, &field));
    case FieldDescriptor::CPPTYPE_MESSAGE: return to_json(reflection.GetMessage(message, &field));
  }
  return {};
}

std::string base64url(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() * 4 + 2) / 3);
  uint32_t bits = 0;
  int held = 0;
  for (const char c : bytes) {
    bits = bits << 8 | uint8_t(c);
    for (held += 8; held >= 6; held -= 6) out.push_back(kAlphabet[bits >> (held - 6) & 63]);
  }
  if (held > 0) out.push_back(kAlphabet[bits << (6 - held) & 63]);
  return out;
}

std::optional<std::string> parse_base64(std::string_view text) {
  if (text.size() % 4 == 0)
    for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  if (text.size() % 4 == 1) return {};
  std::string out;
  out.reserve(text.size() * 3 / 4);
  uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const int8_t sextet = kSextet[uint8_t(c)];
    if (sextet < 0) return {};
    bits = bits << 6 | uint32_t(sextet);
    held += 6;
    if (held >= 8) held -= 8, out.push_back(char(bits >> held));
  }
  return out;
}

}  // namespace micropay::contract
