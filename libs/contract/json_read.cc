// Reads JSON bodies into messages. simdjson has checked the whole text (structure, UTF-8, depth) before the
// first field is looked at, so a message is refused for its shape before it is refused for its content.
#include <simdjson.h>

#include <bitset>
#include <cmath>
#include <cstring>

#include "libs/base/money.h"
#include "libs/contract/json.h"
#include "libs/contract/plan.h"

namespace micropay::contract {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

constexpr size_t kMaxDepth = 16;
constexpr size_t kKeptBuffer = 256 * 1024;  // a thread gives memory for larger bodies back
constexpr size_t kMaxFields = 256;          // model_check.cc refuses messages of more

std::string_view type_name(const element& value) {
  switch (value.type()) {
    case element_type::ARRAY: return "a list";
    case element_type::OBJECT: return "an object";
    case element_type::STRING: return "a string";
    case element_type::BOOL: return "a boolean";
    case element_type::NULL_VALUE: return "null";
    default: return "a number";
  }
}

std::unexpected<Error> wrong_type(std::string_view expected, const element& found) {
  return refuse("invalid_type", fmt::format("must be {}, not {}", expected, type_name(found)));
}

std::unexpected<Error> twice(std::string_view name) {
  return refuse("duplicate_field", "is there twice", name);
}

// "12.34" of {"currency":"EUR","value":"12.34"}; members in any order.
Result<void> read_money(const element& value, Message& message) {
  if (!value.is_object())
    return refuse("invalid_amount", R"(must be an object like {"currency":"EUR","value":"12.34"})");
  std::string_view currency, amount;
  bool has_currency = false, has_amount = false;
  for (const auto [key, member] : simdjson::dom::object(value)) {
    const bool is_currency = key == "currency";
    if (!is_currency && key != "value")
      return refuse("unknown_field", "is not known; an amount has currency and value", key);
    bool& present = is_currency ? has_currency : has_amount;
    if (std::exchange(present, true)) return twice(key);
    if (member.get(is_currency ? currency : amount) != simdjson::SUCCESS)
      return refuse("invalid_amount", fmt::format("must be a string, not {}", type_name(member)), key);
  }
  if (!has_currency) return refuse("invalid_amount", "is missing", "currency");
  if (!has_amount) return refuse("invalid_amount", "is missing", "value");
  const auto exponent = currency_exponent(currency);
  if (!exponent) return refuse("unknown_currency", "must be an ISO 4217 code like EUR", "currency");
  bool too_large = false;
  const auto minor = parse_minor(amount, *exponent, &too_large);
  if (too_large) return refuse("out_of_range", "is too large", "value");
  if (!minor)
    return refuse("invalid_amount",
                  fmt::format("must be a decimal number with at most {} decimals", *exponent), "value");
  set_money(message, currency, *minor);
  return {};
}

Result<void> read_metadata(const element& value, Message& message, size_t max_entries) {
  if (!value.is_object()) return wrong_type("an object of strings", value);
  std::vector<std::string_view> keys;
  for (const auto [key, member] : simdjson::dom::object(value)) {
    if (keys.size() == max_entries)
      return refuse("too_long", fmt::format("must have at most {} entries", max_entries));
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) return twice(key);
    keys.push_back(key);
    std::string_view text;
    if (member.get(text) != simdjson::SUCCESS) {
      Error error = wrong_type("a string", member).error();
      return below(key, std::move(error));
    }
    add_metadata(message, key, text);
  }
  return {};
}

Result<void> read_number(const element& value, Message& message, const FieldPlan& plan) {
  const bool real = plan.kind == Kind::kDouble || plan.kind == Kind::kFloat;
  switch (value.type()) {
    case element_type::INT64: return set_integer(message, plan, int64_t(value));
    case element_type::UINT64: return set_integer(message, plan, uint64_t(value));
    case element_type::DOUBLE: {
      const double number = double(value);
      if (real) return set_double(message, plan, number);
      if (number == std::floor(number) && std::abs(number) <= double(kSafeInteger))
        return set_integer(message, plan, int64_t(number));
      return refuse("invalid_type", "must be an integer");
    }
    case element_type::STRING:
      if (plan.wide) return set_text(message, plan, std::string_view(value));
      [[fallthrough]];
    default: return wrong_type(real ? "a number" : "an integer", value);
  }
}

Result<void> read_object(const element& value, Message& message, const MessagePlan& plan);

Message& child(Message& message, const FieldPlan& plan) {
  const auto& reflection = *plan.reflection;
  return plan.repeated ? *reflection.AddMessage(&message, plan.field)
                       : *reflection.MutableMessage(&message, plan.field);
}

// One value: the field's, or an item of it. The error's path begins below the field.
Result<void> read_one(const element& value, Message& message, const FieldPlan& plan) {
  switch (plan.kind) {
    case Kind::kText:
    case Kind::kTime:
    case Kind::kEnum:
    case Kind::kBytes: {
      std::string_view text;
      if (value.get(text) != simdjson::SUCCESS) return wrong_type("a string", value);
      return set_text(message, plan, text);
    }
    case Kind::kBool: {
      bool flag;
      if (value.get(flag) != simdjson::SUCCESS) return wrong_type("true or false", value);
      set_bool(message, plan, flag);
      return {};
    }
    case Kind::kMoney: return read_money(value, child(message, plan));
    case Kind::kMetadata: return read_metadata(value, child(message, plan), plan.max_length);
    case Kind::kMessage: return read_object(value, child(message, plan), *plan.child);
    default: return read_number(value, message, plan);
  }
}

Result<void> read_field(const element& value, Message& message, const FieldPlan& plan) {
  if (plan.clears && value.is_null()) return set_text(message, plan, "");
  if (!plan.repeated) {
    auto read = read_one(value, message, plan);
    if (!read) return below(plan.name, std::move(read).error());
    return {};
  }
  simdjson::dom::array items;
  if (value.get(items) != simdjson::SUCCESS) return below(plan.name, wrong_type("a list", value).error());
  int index = 0;
  for (const element item : items) {
    auto read = read_one(item, message, plan);
    if (!read) return below(plan.name, index, std::move(read).error());
    ++index;
  }
  return {};
}

// Clients mostly send fields in the contract's order: the search begins behind the last one found.
size_t find_from(const MessagePlan& plan, size_t start, std::string_view name) {
  const size_t count = plan.fields.size();
  for (size_t i = start; i < count; ++i)
    if (plan.fields[i].name == name) return i;
  for (size_t i = 0; i < std::min(start, count); ++i)
    if (plan.fields[i].name == name) return i;
  return count;
}

Result<void> read_object(const element& value, Message& message, const MessagePlan& plan) {
  if (!value.is_object()) return wrong_type("an object", value);
  std::bitset<kMaxFields> seen;
  size_t next = 0;
  for (const auto [key, member] : simdjson::dom::object(value)) {
    const size_t at = find_from(plan, next, key);
    if (at == plan.fields.size())
      return refuse("unknown_field", "is not known" + nearest_field(plan, key), key);
    const FieldPlan& field = plan.fields[at];
    if (field.read_only) return refuse("read_only_field", "is set by the server", field.name);
    if (seen.test(at)) return twice(field.name);
    seen.set(at);
    next = at + 1;
    auto read = read_field(member, message, field);
    if (!read) return read;
  }
  return {};
}

struct ThreadParser {
  simdjson::dom::parser parser;
  std::string buffer;

  simdjson::simdjson_result<element> parse(std::string_view json) {
    if (buffer.capacity() > kKeptBuffer && json.size() < kKeptBuffer) *this = ThreadParser();
    buffer.resize(json.size() + simdjson::SIMDJSON_PADDING);
    std::memcpy(buffer.data(), json.data(), json.size());
    // simdjson refuses the depth that it is given; ours is the deepest allowed.
    if (parser.max_depth() != kMaxDepth + 1)
      if (const auto error = parser.allocate(4096, kMaxDepth + 1)) return error;
    return parser.parse(buffer.data(), json.size(), false);
  }
};

Error not_json(simdjson::error_code error) {
  const std::string detail = error == simdjson::DEPTH_ERROR  ? fmt::format("nested deeper than {}", kMaxDepth)
                             : error == simdjson::UTF8_ERROR ? std::string("the text is not UTF-8")
                                                             : std::string(simdjson::error_message(error));
  return refuse("malformed_json", "The body is no JSON that can be read: " + detail).error();
}

}  // namespace

Result<void> parse_json(std::string_view json, Message& message) {
  if (json.starts_with("\xef\xbb\xbf")) json.remove_prefix(3);  // a byte order mark: RFC 8259 8.1
  if (json.find_first_not_of(" \t\r\n") == json.npos) return {};
  thread_local ThreadParser parser;
  element root;
  if (const auto error = parser.parse(json).get(root)) return std::unexpected(not_json(error));
  auto read = read_object(root, message, plan_of(message));
  if (!read) return with_path(std::move(read).error());
  return {};
}

namespace {

// "metadata.order": an entry of it.
Result<void> set_entry(Message& message, const FieldPlan& field, std::string_view key,
                       std::string_view text) {
  if (!simdjson::validate_utf8(key.data(), key.size()) || !simdjson::validate_utf8(text.data(), text.size()))
    return refuse("invalid_format", "is not UTF-8");
  Message& metadata = child(message, field);
  const auto entries = metadata_of(metadata);
  if (std::ranges::count(entries, key, [](const auto& entry) { return entry.first; }) > 0)
    return refuse("duplicate_field", "is there twice");
  if (entries.size() >= field.max_length)
    return refuse("too_long", fmt::format("must have at most {} entries", field.max_length));
  add_metadata(metadata, key, text);
  return {};
}

const FieldPlan* field_with_entries(const MessagePlan& plan, std::string_view name) {
  const FieldPlan* field = field_named(plan, name);
  return field != nullptr && field->kind == Kind::kMetadata && !field->read_only ? field : nullptr;
}

}  // namespace

Result<void> set_from_text(Message& message, std::string_view name, std::string_view text) {
  const MessagePlan& plan = plan_of(message);
  if (const size_t dot = name.find('.'); dot != name.npos)
    if (const FieldPlan* field = field_with_entries(plan, name.substr(0, dot))) {
      auto set = set_entry(message, *field, name.substr(dot + 1), text);
      if (!set) return with_path(below(name, std::move(set).error()).error());
      return {};
    }
  const FieldPlan* field = field_named(plan, name);
  if (field == nullptr)
    return with_path(refuse("unknown_field", "is not known" + nearest_field(plan, name), name).error());
  if (field->read_only) return with_path(refuse("read_only_field", "is set by the server", name).error());
  if (!simdjson::validate_utf8(text.data(), text.size()))
    return with_path(refuse("invalid_format", "is not UTF-8", name).error());
  if (!field->repeated && plan.reflection->HasField(message, field->field))
    return with_path(twice(name).error());
  auto set = set_text(message, *field, text);
  if (!set) return with_path(below(name, std::move(set).error()).error());
  return {};
}

}  // namespace micropay::contract
