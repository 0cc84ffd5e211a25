// Walks a request by its plan and answers with the first broken bound, in the order of the contract's fields.
#include "libs/contract/validate.h"

#include <re2/re2.h>

#include "libs/base/ids.h"
#include "libs/base/money.h"
#include "libs/contract/card_number.h"
#include "libs/contract/formats.h"
#include "libs/contract/plan.h"
#include "libs/contract/text_class.h"

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

// Its digits are said nowhere: not in the answer, not in a log.
std::unexpected<Error> card_number_refused() {
  return refuse("card_number_refused", "must not hold the number of a card; it was not kept");
}

// What is kept in clear and has room for one. A client's own order numbers may have as many digits as a card,
// and every tenth of them the right check digit: those go into a TOKEN.
bool may_hold_card_number(const FieldPlan& plan) {
  switch (plan.options->format()) {
    case UUID:
    case CURRENCY:
    case DATE:
    case PASSWORD:
    case TOKEN: return false;
    case NONE: return plan.pattern != nullptr && !plan.options->secret();
    default: return !plan.options->secret();
  }
}

// Normalising makes a text shorter by two thirds at most; what is longer needs no look.
constexpr size_t kMostShrinking = 3;

Result<void> check_bytes(size_t bytes, size_t most) {
  if (bytes <= most) return {};
  return refuse("too_long", fmt::format("must have at most {} bytes", most));
}

// The form in which a text is kept, when it is not the one that was sent.
Result<std::optional<std::string>> form_of(const FieldPlan& plan, const std::string& text) {
  const Format format = plan.options->format();
  if (is_text_class(format)) {
    TRY(check_bytes(text.size(), plan.max_bytes * kMostShrinking));
    return kept_form(text, format);
  }
  if (format == EMAIL) return email_form(text);
  if (format == UUID && has_upper(text)) return lower(text);
  return std::nullopt;
}

// Of one string that is set, in the form in which it is kept; the length bounds of a repeated field are about
// its items and checked elsewhere.
Result<void> check_text(const FieldPlan& plan, std::string_view text) {
  if (text.find('\0') != text.npos) return refuse("invalid_format", "must not contain a zero character");
  if (may_hold_card_number(plan) && holds_card_number(text)) return card_number_refused();
  if (plan.repeated) TRY(check_length(characters(text), 0, kMaxText, "characters"));
  else TRY(check_length(characters(text), plan.min_length, plan.max_length, "characters"));
  TRY(check_bytes(text.size(), plan.max_bytes));
  TRY(check_format(plan.options->format(), text));
  if (plan.pattern && !re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *plan.pattern))
    return refuse("pattern_mismatch", "must match " + plan.options->pattern());
  return {};
}

// Normalised and checked; what is to be kept in its place, if that is another.
Result<std::optional<std::string>> checked_text(const FieldPlan& plan, const std::string& text) {
  auto form = TRY(form_of(plan, text));
  TRY(check_text(plan, form ? *form : text));
  return form;
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

Result<void> check_metadata_key(std::string_view key) {
  if (key.empty()) return refuse("too_short", "has an empty key");
  if (characters(key) > kMaxMetadataKey)
    return refuse("too_long", fmt::format("has a key of more than {} characters", kMaxMetadataKey));
  if (holds_card_number(key)) return card_number_refused();
  if (TRY(kept_form(key, NAME)))
    return refuse("invalid_format", "has a key that is not normalised, or has blanks around it");
  return {};
}

Result<std::optional<std::string>> checked_metadata_value(std::string_view value) {
  if (value.empty()) return std::nullopt;
  auto form = TRY(kept_form(value, TEXT));
  const std::string_view kept = form ? *form : value;
  if (holds_card_number(kept)) return card_number_refused();
  TRY(check_length(characters(kept), 0, kMaxText, "characters"));
  return form;
}

// Its values are kept in clear and shown to others, like a TEXT.
Result<void> check_metadata(const FieldPlan& plan, Message& message) {
  const auto entries = metadata_of(message);
  TRY(check_length(entries.size(), plan.min_length, plan.max_length, "entries"));
  size_t bytes = 0;
  for (const auto& [key, value] : entries) bytes += key.size() + value.size();
  TRY(check_bytes(bytes, plan.max_bytes * kMostShrinking));
  std::vector<std::pair<std::string, std::string>> changed;
  for (const auto& [key, value] : entries) {
    TRY(check_metadata_key(key));
    auto form = checked_metadata_value(value);
    if (!form) return below(key, std::move(form).error());
    if (!*form) continue;
    bytes += (*form)->size() - value.size();
    changed.emplace_back(key, **std::move(form));
  }
  TRY(check_bytes(bytes, plan.max_bytes));
  for (const auto& [key, value] : changed) set_metadata(message, key, value);
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
      case Kind::kMetadata: return check_metadata(field, *reflection.MutableMessage(&message, field.field));
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
    if (auto form = TRY(checked_text(field, value)))
      reflection.SetString(&message, field.field, *std::move(form));
    return {};
  }

  Result<void> item(Message& message, const Reflection& reflection, const FieldPlan& field, int i) {
    const FieldOptions& options = *field.options;
    switch (field.kind) {
      case Kind::kText: {
        if (auto form = TRY(checked_text(field, text_of(message, field, i, scratch_))))
          reflection.SetRepeatedString(&message, field.field, i, *std::move(form));
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
        return check_metadata(field, *reflection.MutableRepeatedMessage(&message, field.field, i));
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

bool names_record_only(const Method& method, const Message& request) {
  if (method.verb != "GET") return false;
  if (size_t(method.request->field_count()) == method.variables.size()) return true;
  std::vector<const FieldDescriptor*> set;
  request.GetReflection()->ListFields(request, &set);
  return set.size() <= method.variables.size();
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
