// Walks a request by its plan and answers with the first broken bound, in the order of the contract's fields.
#include "libs/contract/validate.h"

#include <re2/re2.h>

#include "libs/base/ids.h"
#include "libs/base/money.h"
#include "libs/base/time.h"
#include "libs/contract/formats.h"
#include "libs/contract/plan.h"

namespace micropay::contract {
namespace {

size_t characters(std::string_view text) {
  return size_t(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = char(c + 32);
  return out;
}
bool has_upper(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

Result<void> check_length(size_t length, uint32_t least, uint32_t most, std::string_view unit) {
  if (length < least) return refuse("too_short", fmt::format("must have at least {} {}", least, unit));
  if (length > most) return refuse("too_long", fmt::format("must have at most {} {}", most, unit));
  return {};
}

Result<void> check_format(Format format, std::string_view text) {
  switch (format) {
    case UUID: return parse_uuid(text) ? Result<void>() : refuse("invalid_format", "must be a UUID");
    case EMAIL:
      return is_email(text) ? Result<void>() : refuse("invalid_format", "must be an e-mail address");
    case CURRENCY:
      return currency_exponent(text) ? Result<void>()
                                     : refuse("unknown_currency", "must be an ISO 4217 code like EUR");
    case DATE:
      return is_date(text) ? Result<void>() : refuse("invalid_format", "must be a date like 2026-11-21");
    case URL: return is_url(text) ? Result<void>() : refuse("invalid_format", "must be an http or https URL");
    case LANGUAGE:
      return is_language(text) ? Result<void>()
                               : refuse("invalid_format", "must be a language tag like en or de-AT");
    default: return {};
  }
}

// Of one string that is set; the length bounds of a repeated field are about its items and checked elsewhere.
Result<void> check_text(const FieldPlan& plan, std::string_view text) {
  if (text.find('\0') != text.npos) return refuse("invalid_format", "must not contain a zero character");
  if (plan.repeated) TRY(check_length(characters(text), 0, kMaxText, "characters"));
  else TRY(check_length(characters(text), plan.min_length, plan.max_length, "characters"));
  TRY(check_format(plan.options->format(), text));
  if (plan.pattern && !re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *plan.pattern))
    return refuse("pattern_mismatch", "must match " + plan.options->pattern());
  return {};
}

template <typename Number>
Result<void> check_range(const FieldOptions& options, Number value) {
  if (options.min() == 0 && options.max() == 0) return {};
  bool below_min, above_max;
  if constexpr (std::is_floating_point_v<Number>) {
    below_min = value<Number(options.min()), above_max = value> Number(options.max());
  } else {
    below_min = std::cmp_less(value, options.min()), above_max = std::cmp_greater(value, options.max());
  }
  if (!below_min && !above_max) return {};
  return refuse("out_of_range", fmt::format("must be between {} and {}", options.min(), options.max()));
}

Result<void> check_money(const FieldPlan& plan, const Message& message) {
  std::string scratch;
  const MoneyView money = money_of(message, scratch);
  if (money.currency.empty()) return refuse("required", "is missing", "currency");
  if (!currency_exponent(money.currency))
    return refuse("unknown_currency", "must be an ISO 4217 code", "currency");
  if (plan.options->positive() && money.minor <= 0)
    return refuse("not_positive", "must be more than zero", "value");
  if (money.minor > kMaxMinor || money.minor < -kMaxMinor)
    return refuse("out_of_range", "is too large", "value");
  return {};
}

Result<void> check_metadata(const FieldPlan& plan, const Message& message) {
  const auto entries = metadata_of(message);
  TRY(check_length(entries.size(), plan.min_length, plan.max_length, "entries"));
  for (const auto& [key, value] : entries) {
    const bool zero = key.find('\0') != key.npos || value.find('\0') != value.npos;
    if (zero) return refuse("invalid_format", "must not contain a zero character");
    if (key.empty()) return refuse("too_short", "has an empty key");
    if (characters(key) > kMaxMetadataKey)
      return refuse("too_long", fmt::format("has a key of more than {} characters", kMaxMetadataKey));
    auto length = check_length(characters(value), 0, kMaxText, "characters");
    if (!length) return below(key, std::move(length).error());
  }
  return {};
}

class Validator {
 public:
  Result<void> message(Message& message, const MessagePlan& plan) {
    const Reflection& reflection = *plan.reflection;
    for (const FieldPlan& field : plan.fields) {
      if (!field.repeated) {
        auto checked = single(message, reflection, field);
        if (!checked) return below(field.name, std::move(checked).error());
        continue;
      }
      const int size = reflection.FieldSize(message, field.field);
      auto counted = count(field, size);
      if (!counted) return below(field.name, std::move(counted).error());
      for (int i = 0; i < size; ++i) {
        auto checked = item(message, reflection, field, i);
        if (!checked) return below(field.name, i, std::move(checked).error());
      }
    }
    return {};
  }

 private:
  static Result<void> count(const FieldPlan& field, int size) {
    if (size == 0) return field.options->required() ? refuse("required", "is missing") : Result<void>();
    return check_length(size_t(size), field.min_length, field.max_length, "items");
  }

  Result<void> single(Message& message, const Reflection& reflection, const FieldPlan& field) {
    // Without presence a zero is an unset field; what was written as "" or 0 against the bounds is refused by
    // parse_json, which still sees the difference.
    const bool set = reflection.HasField(message, field.field);
    if (!set) return missing(message, reflection, field);
    const FieldOptions& options = *field.options;
    switch (field.kind) {
      case Kind::kText: return text(message, reflection, field);
      case Kind::kBytes:
        return check_length(text_of(message, field, scratch_).size(), field.min_length, field.max_length,
                            "bytes");
      case Kind::kInt32: return check_range(options, reflection.GetInt32(message, field.field));
      case Kind::kInt64: return check_range(options, reflection.GetInt64(message, field.field));
      case Kind::kUint32: return check_range(options, reflection.GetUInt32(message, field.field));
      case Kind::kUint64: return check_range(options, reflection.GetUInt64(message, field.field));
      case Kind::kDouble: return check_range(options, reflection.GetDouble(message, field.field));
      case Kind::kFloat: return check_range(options, reflection.GetFloat(message, field.field));
      case Kind::kMoney: return check_money(field, reflection.GetMessage(message, field.field));
      case Kind::kMetadata: return check_metadata(field, reflection.GetMessage(message, field.field));
      case Kind::kMessage:
        return this->message(*reflection.MutableMessage(&message, field.field), *field.child);
      case Kind::kTime:
      case Kind::kBool:
      case Kind::kEnum: return {};
    }
    return {};
  }

  static Result<void> missing(const Message& message, const Reflection& reflection, const FieldPlan& field) {
    if (!field.options->required()) return {};
    // A zero that is a value of its own cannot be told from a missing one; only an unspecified enum can.
    if (!field.presence) {
      if (field.kind == Kind::kBool) return {};
      if (field.kind == Kind::kEnum && !is_unspecified(*reflection.GetEnum(message, field.field))) return {};
      const bool number = field.kind >= Kind::kInt32 && field.kind <= Kind::kFloat;
      if (number && !field.refuse_zero) return {};
    }
    return refuse("required", "is missing");
  }

  Result<void> text(Message& message, const Reflection& reflection, const FieldPlan& field) {
    const std::string& value = text_of(message, field, scratch_);
    if (value.empty() && field.options->required()) return refuse("required", "is missing");
    if (value.empty() && field.clears) return {};
    TRY(check_text(field, value));
    const Format format = field.options->format();
    if ((format == EMAIL || format == UUID) && has_upper(value))
      reflection.SetString(&message, field.field, lower(value));
    return {};
  }

  Result<void> item(Message& message, const Reflection& reflection, const FieldPlan& field, int i) {
    const FieldOptions& options = *field.options;
    switch (field.kind) {
      case Kind::kText: {
        const std::string& value = text_of(message, field, i, scratch_);
        TRY(check_text(field, value));
        const Format format = options.format();
        if ((format == EMAIL || format == UUID) && has_upper(value))
          reflection.SetRepeatedString(&message, field.field, i, lower(value));
        return {};
      }
      case Kind::kInt32: return check_range(options, reflection.GetRepeatedInt32(message, field.field, i));
      case Kind::kInt64: return check_range(options, reflection.GetRepeatedInt64(message, field.field, i));
      case Kind::kUint32: return check_range(options, reflection.GetRepeatedUInt32(message, field.field, i));
      case Kind::kUint64: return check_range(options, reflection.GetRepeatedUInt64(message, field.field, i));
      case Kind::kDouble: return check_range(options, reflection.GetRepeatedDouble(message, field.field, i));
      case Kind::kFloat: return check_range(options, reflection.GetRepeatedFloat(message, field.field, i));
      case Kind::kMoney: return check_money(field, reflection.GetRepeatedMessage(message, field.field, i));
      case Kind::kMetadata:
        return check_metadata(field, reflection.GetRepeatedMessage(message, field.field, i));
      case Kind::kMessage:
        return this->message(*reflection.MutableRepeatedMessage(&message, field.field, i), *field.child);
      case Kind::kTime:
      case Kind::kBool:
      case Kind::kEnum:
      case Kind::kBytes: return {};
    }
    return {};
  }

  std::string scratch_;
};

}  // namespace

Result<void> validate(Message& message) {
  auto checked = Validator().message(message, plan_of(message));
  if (!checked) return with_path(std::move(checked).error());
  return {};
}

bool allowed_by_role(const Method& method, uint32_t role_bits) {
  const Access& access = method.options.access();
  if (access.public_()) return true;
  if (role_bits == 0) return false;
  // An owner check without a field is the handler's own: it shows each caller what is the caller's.
  if (access.signed_in() || (access.has_owner() && access.owner().by().empty())) return true;
  return std::any_of(access.roles().begin(), access.roles().end(),
                     [&](int role) { return (role_bits & role_bit(Role(role))) != 0; });
}

}  // namespace micropay::contract
