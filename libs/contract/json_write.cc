// Writes messages as JSON by their plans. On the hot path of every answer: no allocation but the output's own
// growth.
#include <charconv>
#include <cmath>

#include "libs/base/money.h"
#include "libs/base/time.h"
#include "libs/contract/json.h"
#include "libs/contract/plan.h"

namespace micropay::contract {
namespace {

// 0: as it is; 'u': \u00XX; else the letter after the backslash.
constexpr std::array<char, 256> kEscape = [] {
  std::array<char, 256> table{};
  for (size_t c = 0; c < 0x20; ++c) table[c] = 'u';
  table['\b'] = 'b', table['\f'] = 'f', table['\n'] = 'n', table['\r'] = 'r', table['\t'] = 't';
  table['"'] = '"', table['\\'] = '\\';
  return table;
}();

template <typename Number>
void append_number(std::string& out, Number value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  out.append(text, end);
}

template <typename Integer>
void append_wide(std::string& out, Integer value) {
  bool safe = value <= Integer(kSafeInteger);
  if constexpr (std::is_signed_v<Integer>) safe = safe && value >= -kSafeInteger;
  if (!safe) out.push_back('"');
  append_number(out, value);
  if (!safe) out.push_back('"');
}

void append_double(std::string& out, double value) {
  if (std::isfinite(value)) append_number(out, value);
  else out += "null";
}

void append_money(std::string& out, const Message& message) {
  std::string scratch;
  const MoneyView money = money_of(message, scratch);
  out += "{\"currency\":";
  append_json_string(out, money.currency);
  out += ",\"value\":\"";
  append_minor(out, money.minor, currency_exponent(money.currency).value_or(2));
  out += "\"}";
}

void append_metadata(std::string& out, const Message& message) {
  out.push_back('{');
  for (const auto& [key, value] : metadata_of(message)) {
    if (out.back() != '{') out.push_back(',');
    append_json_string(out, key);
    out.push_back(':');
    append_json_string(out, value);
  }
  out.push_back('}');
}

void append_time_string(std::string& out, Time time) {
  out.push_back('"');
  append_time(out, time);
  out.push_back('"');
}

class Writer {
 public:
  Writer(std::string& out, const JsonOptions& options) : out_(out), options_(options) {}

  // `sparse`: options.fields choose among this message's own fields, or among those of its items.
  void message(const Message& message, const MessagePlan& plan, bool sparse) {
    const Reflection& reflection = *plan.reflection;
    const bool sparse_here = sparse && !plan.list;
    out_.push_back('{');
    bool first = true;
    for (const FieldPlan& field : plan.fields) {
      if (field.hidden && options_.hide_internal) continue;
      if (sparse_here &&
          std::find(options_.fields.begin(), options_.fields.end(), field.name) == options_.fields.end())
        continue;
      if (is_left_out(message, reflection, field)) continue;
      if (!first) out_.push_back(',');
      first = false;
      out_ += field.key;
      if (field.masked && options_.mask_personal) out_ += "\"***\"";
      else if (field.repeated) list(message, reflection, field, sparse && plan.list);
      else single(message, reflection, field);
    }
    out_.push_back('}');
  }

 private:
  bool is_left_out(const Message& message, const Reflection& reflection, const FieldPlan& field) {
    if (field.presence) return !reflection.HasField(message, field.field);
    if (field.repeated) return false;
    if (field.omit_zero) return !reflection.HasField(message, field.field);
    return field.kind == Kind::kEnum && is_unspecified(*reflection.GetEnum(message, field.field));
  }

  void single(const Message& message, const Reflection& reflection, const FieldPlan& field) {
    switch (field.kind) {
      case Kind::kText: append_json_string(out_, text_of(message, field, scratch_)); break;
      case Kind::kTime: append_time_string(out_, reflection.GetInt64(message, field.field)); break;
      case Kind::kBool: out_ += reflection.GetBool(message, field.field) ? "true" : "false"; break;
      case Kind::kInt32: append_number(out_, reflection.GetInt32(message, field.field)); break;
      case Kind::kInt64: append_wide(out_, reflection.GetInt64(message, field.field)); break;
      case Kind::kUint32: append_number(out_, reflection.GetUInt32(message, field.field)); break;
      case Kind::kUint64: append_wide(out_, reflection.GetUInt64(message, field.field)); break;
      case Kind::kDouble: append_double(out_, reflection.GetDouble(message, field.field)); break;
      case Kind::kFloat: append_double(out_, reflection.GetFloat(message, field.field)); break;
      case Kind::kEnum: append_json_string(out_, enum_text(*reflection.GetEnum(message, field.field))); break;
      case Kind::kBytes: append_json_string(out_, base64url(text_of(message, field, scratch_))); break;
      case Kind::kMoney: append_money(out_, reflection.GetMessage(message, field.field)); break;
      case Kind::kMetadata: append_metadata(out_, reflection.GetMessage(message, field.field)); break;
      case Kind::kMessage:
        this->message(reflection.GetMessage(message, field.field), *field.child, false);
        break;
    }
  }

  void list(const Message& message, const Reflection& reflection, const FieldPlan& field, bool sparse_items) {
    out_.push_back('[');
    const int size = reflection.FieldSize(message, field.field);
    for (int i = 0; i < size; ++i) {
      if (i > 0) out_.push_back(',');
      item(message, reflection, field, i, sparse_items);
    }
    out_.push_back(']');
  }

  void item(const Message& message, const Reflection& reflection, const FieldPlan& field, int i,
            bool sparse) {
    switch (field.kind) {
      case Kind::kText: append_json_string(out_, text_of(message, field, i, scratch_)); break;
      case Kind::kTime: append_time_string(out_, reflection.GetRepeatedInt64(message, field.field, i)); break;
      case Kind::kBool: out_ += reflection.GetRepeatedBool(message, field.field, i) ? "true" : "false"; break;
      case Kind::kInt32: append_number(out_, reflection.GetRepeatedInt32(message, field.field, i)); break;
      case Kind::kInt64: append_wide(out_, reflection.GetRepeatedInt64(message, field.field, i)); break;
      case Kind::kUint32: append_number(out_, reflection.GetRepeatedUInt32(message, field.field, i)); break;
      case Kind::kUint64: append_wide(out_, reflection.GetRepeatedUInt64(message, field.field, i)); break;
      case Kind::kDouble: append_double(out_, reflection.GetRepeatedDouble(message, field.field, i)); break;
      case Kind::kFloat: append_double(out_, reflection.GetRepeatedFloat(message, field.field, i)); break;
      case Kind::kEnum:
        append_json_string(out_, enum_text(*reflection.GetRepeatedEnum(message, field.field, i)));
        break;
      case Kind::kBytes: append_json_string(out_, base64url(text_of(message, field, i, scratch_))); break;
      case Kind::kMoney: append_money(out_, reflection.GetRepeatedMessage(message, field.field, i)); break;
      case Kind::kMetadata:
        append_metadata(out_, reflection.GetRepeatedMessage(message, field.field, i));
        break;
      case Kind::kMessage:
        this->message(reflection.GetRepeatedMessage(message, field.field, i), *field.child, sparse);
        break;
    }
  }

  std::string& out_;
  const JsonOptions& options_;
  std::string scratch_;
};

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  size_t copied = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char escape = kEscape[uint8_t(text[i])];
    if (escape == 0) [[likely]]
      continue;
    out.append(text, copied, i - copied);
    out.push_back('\\');
    out.push_back(escape);
    if (escape == 'u') {
      constexpr char kHex[] = "0123456789abcdef";
      out += "00";
      out.push_back(kHex[uint8_t(text[i]) >> 4]);
      out.push_back(kHex[text[i] & 15]);
    }
    copied = i + 1;
  }
  out.append(text, copied);
  out.push_back('"');
}

void append_json(std::string& out, const Message& message, const JsonOptions& options) {
  Writer(out, options).message(message, plan_of(message), !options.fields.empty());
}

std::string to_json(const Message& message, const JsonOptions& options) {
  std::string out;
  out.reserve(512);
  append_json(out, message, options);
  return out;
}

}  // namespace micropay::contract
