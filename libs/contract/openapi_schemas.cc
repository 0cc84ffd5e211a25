// See the header. Amounts get a schema of three alternatives, one per number of decimals, so that the
// document says exactly which amounts are accepted.
#include "libs/contract/openapi_schemas.h"

#include <limits>

#include "libs/base/money.h"

namespace micropay::contract {
namespace {

std::string short_name(const Descriptor& message) {
  std::string name = message.full_name();
  if (name.starts_with("micropay.")) name.erase(0, 9);
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

// Codes by their number of decimals. The money library answers for one code at a time, so all are asked once.
const std::vector<std::string>& currencies(int exponent) {
  static const auto all = [] {
    std::array<std::vector<std::string>, 5> codes;
    std::string code = "AAA";
    for (code[0] = 'A'; code[0] <= 'Z'; ++code[0])
      for (code[1] = 'A'; code[1] <= 'Z'; ++code[1])
        for (code[2] = 'A'; code[2] <= 'Z'; ++code[2])
          if (const auto found = currency_exponent(code)) codes[size_t(*found)].push_back(code);
    return codes;
  }();
  return all[size_t(exponent)];
}

std::string amount_pattern(int exponent, bool positive) {
  const std::string whole = "[1-9][0-9]{0,9}";
  if (exponent == 0) return positive ? "^" + whole + "$" : "^-?(0|" + whole + ")$";
  const std::string decimals = fmt::format("(\\.[0-9]{{1,{}}})?", exponent);
  if (!positive) return "^-?(0|" + whole + ")" + decimals + "$";
  // 0.xy with a digit that is not zero, first, second or third.
  std::string fractions;
  for (int zeros = 0; zeros < exponent; ++zeros)
    fractions += fmt::format("{}{}[1-9][0-9]{{0,{}}}", zeros == 0 ? "" : "|", std::string(size_t(zeros), '0'),
                             exponent - zeros - 1);
  return "^(" + whole + decimals + "|0\\.(" + fractions + "))$";
}

// Titles are what generators name classes by.
void money_input(JsonText& out, bool positive) {
  const std::string_view title = positive ? "PositiveMoneyInput" : "MoneyInput";
  out.text("title", title);
  out.text("description", positive ? "An exact amount, more than zero." : "An exact amount.");
  out.list("oneOf", [&] {
    for (int exponent = 0; exponent <= 4; ++exponent) {
      if (currencies(exponent).empty()) continue;
      out.item_object([&] {
        out.text("title", fmt::format("{}{}Decimals", title, exponent));
        out.text("type", "object");
        out.flag("additionalProperties", false);
        out.list("required", [&] { out.item("currency"), out.item("value"); });
        out.object("properties", [&] {
          out.object("currency", [&] {
            out.list("enum", [&] {
              for (const auto& code : currencies(exponent)) out.item(code);
            });
          });
          out.object("value", [&] {
            out.text("type", "string");
            out.text("pattern", amount_pattern(exponent, positive));
          });
        });
      });
    }
  });
  out.list("examples",
           [&] { out.item_object([&] { out.text("currency", "EUR"), out.text("value", "12.34"); }); });
}

// An answer may name a currency that this document does not know yet.
void currency_output(JsonText& out) {
  out.text("type", "string");
  out.text("pattern", "^[A-Z]{3}$");
}

void money_output(JsonText& out) {
  out.text("title", "Money");
  out.text("description", "An exact amount: a decimal string with the decimals of its currency.");
  out.text("type", "object");
  out.list("required", [&] { out.item("currency"), out.item("value"); });
  out.object("properties", [&] {
    out.object("currency", [&] { currency_output(out); });
    out.object("value", [&] {
      out.text("type", "string");
      out.text("pattern", "^-?(0|[1-9][0-9]*)(\\.[0-9]+)?$");
    });
  });
  out.list("examples",
           [&] { out.item_object([&] { out.text("currency", "EUR"), out.text("value", "12.34"); }); });
}

void metadata_schema(JsonText& out) {
  out.text("title", "Metadata");
  out.text("description",
           fmt::format("Strings of the caller's own, kept with the record; {} bytes of keys and "
                       "values together.",
                       kMaxMetadataBytes));
  out.text("type", "object");
  out.number("maxProperties", kMaxMetadata);
  out.object("propertyNames", [&] {
    out.number("minLength", 1), out.number("maxLength", kMaxMetadataKey),
        out.text("pattern", "^[^\\u0000]*$");
  });
  out.object("additionalProperties", [&] {
    out.text("type", "string"), out.number("maxLength", kMaxText), out.text("pattern", "^[^\\u0000]*$");
  });
}

std::string_view format_name(Format format) {
  switch (format) {
    case UUID: return "uuid";
    case EMAIL: return "email";
    case DATE: return "date";
    case URL: return "uri";
    case PASSWORD: return "password";
    default: return "";
  }
}

// Controls, and what is not seen or turns the direction of others. (That something is seen, no pattern says.)
constexpr std::string_view kUnseen =
    "\\u007f-\\u009f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-"
    "\\u206f"
    "\\u3164\\ue000-\\uf8ff\\ufeff\\uffa0\\ufff0-\\ufffc";

std::string format_pattern(Format format) {
  switch (format) {
    case NAME: return fmt::format("^[^\\u0000-\\u001f{}]*$", kUnseen);
    case TEXT: return fmt::format("^[^\\u0000-\\u0008\\u000b-\\u001f{}]*$", kUnseen);
    case TOKEN: return "^[!-~]*$";
    case UUID: return "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$";
    case LANGUAGE: return "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$";
    case URL: return "^https?://[A-Za-z0-9]";
    default: return "";
  }
}

bool is_any_of(Kind kind, std::initializer_list<Kind> kinds) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

}  // namespace

bool is_variable(const Method& method, const FieldPlan& plan) {
  return std::find(method.variables.begin(), method.variables.end(), plan.field) != method.variables.end();
}

std::vector<const FieldPlan*> body_fields(const Method& method) {
  std::vector<const FieldPlan*> fields;
  for (const FieldPlan& plan : plan_of(*method.request_prototype).fields)
    if (!plan.read_only && !is_variable(method, plan)) fields.push_back(&plan);
  return fields;
}

void Schemas::want(Wanted wanted) {
  out_.text("$ref", "#/components/schemas/" + wanted.name);
  if (names_.insert(wanted.name).second) wanted_.push_back(std::move(wanted));
}

void Schemas::reference(const MessagePlan& message, Direction direction) {
  want({short_name(*message.descriptor) + (direction == Direction::kInput ? "Input" : ""), &message,
        direction, nullptr});
}

void Schemas::body_reference(const Method& method) {
  want({short_name(*method.request), &plan_of(*method.request_prototype), Direction::kInput, &method});
}

void Schemas::field(const FieldPlan& plan, Direction direction) {
  if (!plan.options->summary().empty()) out_.text("description", plan.options->summary());
  if (plan.clears && direction == Direction::kInput)
    return out_.list("anyOf", [&] {
      out_.item_object([&] { single(plan, direction); });
      out_.item_object([&] { out_.text("type", "string"), out_.number("maxLength", 0); });
      out_.item_object([&] { out_.text("type", "null"); });
    });
  if (!plan.repeated) return single(plan, direction);
  out_.text("type", "array");
  if (direction == Direction::kInput) {
    const uint32_t least = std::max(plan.min_length, plan.options->required() ? 1u : 0u);
    if (least > 0) out_.number("minItems", least);
    out_.number("maxItems", plan.max_length);
  }
  out_.object("items", [&] { single(plan, direction); });
}

void Schemas::single(const FieldPlan& plan, Direction direction) {
  const bool input = direction == Direction::kInput;
  switch (plan.kind) {
    case Kind::kText: return string(plan, direction);
    case Kind::kTime: out_.text("type", "string"), out_.text("format", "date-time"); break;
    case Kind::kBool: out_.text("type", "boolean"); break;
    case Kind::kEnum:
      out_.text("type", "string");
      // Answers may have values of tomorrow: a client of today reads them.
      out_.list(input ? "enum" : "x-extensible-enum", [&] {
        const auto* type = plan.field->enum_type();
        for (int i = 0; i < type->value_count(); ++i)
          if (!is_unspecified(*type->value(i))) out_.item(enum_text(*type->value(i)));
      });
      break;
    case Kind::kBytes:
      out_.text("type", "string");
      out_.text("contentEncoding", "base64url");
      if (input) {
        out_.text("pattern", "^([A-Za-z0-9_-]{4})*([A-Za-z0-9_-]{2,3})?$");
        out_.number("maxLength", (int64_t(plan.repeated ? kMaxBytes : plan.max_length) * 4 + 2) / 3);
      }
      break;
    case Kind::kMoney:
      if (input && plan.options->positive()) out_.text("$ref", "#/components/schemas/PositiveMoneyInput");
      else out_.text("$ref", input ? "#/components/schemas/MoneyInput" : "#/components/schemas/Money");
      break;
    case Kind::kMetadata: out_.text("$ref", "#/components/schemas/Metadata"); break;
    case Kind::kMessage: reference(*plan.child, direction); break;
    default: number(plan, direction);
  }
}

void Schemas::string(const FieldPlan& plan, Direction direction) {
  const Format format = plan.options->format();
  if (format == CURRENCY && direction == Direction::kOutput) return currency_output(out_);
  if (format == CURRENCY) return out_.text("$ref", "#/components/schemas/Currency");
  out_.text("type", "string");
  if (!format_name(format).empty()) out_.text("format", format_name(format));
  if (direction == Direction::kInput) {
    const uint32_t least = std::max(plan.repeated ? 0 : plan.min_length, plan.options->required() ? 1u : 0u);
    if (least > 0) out_.number("minLength", least);
    out_.number("maxLength", format == EMAIL ? std::min(254u, plan.max_length)
                             : plan.repeated ? kMaxText
                                             : plan.max_length);
    if (plan.pattern) out_.text("pattern", "^(?:" + plan.options->pattern() + ")$");
    else if (!format_pattern(format).empty()) out_.text("pattern", format_pattern(format));
    else if (format == NONE || format == PASSWORD) out_.text("pattern", "^[^\\u0000]*$");
  }
  if (!plan.options->example().empty()) out_.list("examples", [&] { out_.item(plan.options->example()); });
}

void Schemas::number(const FieldPlan& plan, Direction direction) {
  const FieldOptions& options = *plan.options;
  const bool bounded = options.min() != 0 || options.max() != 0;
  const bool real = is_any_of(plan.kind, {Kind::kDouble, Kind::kFloat});
  const bool input = direction == Direction::kInput;
  if (plan.wide || (!input && is_any_of(plan.kind, {Kind::kInt64, Kind::kUint64}))) {
    out_.list("type", [&] { out_.item("integer"), out_.item("string"); });
    out_.text("format", plan.kind == Kind::kInt64 ? "int64" : "uint64");
    out_.text("pattern", plan.kind == Kind::kInt64 ? "^(0|-?[1-9][0-9]{0,17})$" : "^(0|[1-9][0-9]{0,18})$");
  } else {
    out_.text("type", real ? "number" : "integer");
    if (real) out_.text("format", plan.kind == Kind::kDouble ? "double" : "float");
    else out_.text("format", is_any_of(plan.kind, {Kind::kInt32, Kind::kUint32}) ? "int32" : "int64");
  }
  if (bounded && input) out_.number("minimum", options.min()), out_.number("maximum", options.max());
  else if (plan.kind == Kind::kInt32)
    out_.number("minimum", std::numeric_limits<int32_t>::min()),
        out_.number("maximum", std::numeric_limits<int32_t>::max());
  else if (plan.kind == Kind::kUint32)
    out_.number("minimum", 0), out_.number("maximum", std::numeric_limits<uint32_t>::max());
  else if (plan.kind == Kind::kUint64) out_.number("minimum", 0);
}

void Schemas::message(const Wanted& wanted) {
  const bool input = wanted.direction == Direction::kInput;
  std::vector<const FieldPlan*> fields;
  for (const FieldPlan& plan : wanted.message->fields)
    if (input ? !plan.read_only : !plan.hidden) fields.push_back(&plan);
  if (wanted.body_of != nullptr) fields = body_fields(*wanted.body_of);
  out_.text("type", "object");
  if (input) out_.flag("additionalProperties", false);
  std::vector<std::string_view> required;
  for (const FieldPlan* plan : fields)
    if (input ? plan->options->required() : always_written(*plan)) required.push_back(plan->name);
  if (!required.empty())
    out_.list("required", [&] {
      for (const auto name : required) out_.item(name);
    });
  out_.object("properties", [&] {
    for (const FieldPlan* plan : fields) out_.object(plan->name, [&] { field(*plan, wanted.direction); });
  });
}

void Schemas::shared() {
  out_.object("Currency", [&] {
    out_.text("description", "An ISO 4217 code.");
    out_.text("type", "string");
    out_.list("enum", [&] {
      for (int exponent = 0; exponent <= 4; ++exponent)
        for (const auto& code : currencies(exponent)) out_.item(code);
    });
    out_.list("examples", [&] { out_.item("EUR"); });
  });
  out_.object("Money", [&] { money_output(out_); });
  out_.object("MoneyInput", [&] { money_input(out_, false); });
  out_.object("PositiveMoneyInput", [&] { money_input(out_, true); });
  out_.object("Metadata", [&] { metadata_schema(out_); });
}

void Schemas::components() {
  shared();
  for (size_t i = 0; i < wanted_.size(); ++i) {  // grows while it runs
    const Wanted wanted = wanted_[i];
    out_.object(wanted.name, [&] { message(wanted); });
  }
}

}  // namespace micropay::contract
