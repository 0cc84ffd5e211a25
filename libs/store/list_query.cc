// Planning of lists, and page tokens.
#include "libs/store/list_query.h"

#include <charconv>
#include <cstring>
#include <stdexcept>

#include "libs/base/base64url.h"
#include "libs/base/ids.h"
#include "libs/base/log.h"
#include "libs/store/checksum.h"

namespace micropay {
namespace {

using contract::Column;
using contract::ColumnType;
using contract::Value;
using google::protobuf::FieldDescriptor;

constexpr uint32_t kDefaultPage = 50;
constexpr uint32_t kMaxPage = 500;
constexpr uint32_t kMaxOffset = 100'000;
constexpr size_t kMaxAnyOf = 100;

std::unexpected<Error> bad_token() {
  return fail(Code::kInvalidArgument, "invalid_page_token", "the page token is not one of this query",
              "pageToken");
}

// The scalar column of this column or JSON name.
std::optional<size_t> find_column(const contract::ColumnPlan& plan, std::string_view name) {
  const auto& columns = plan.columns();
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].type == ColumnType::kBlob) continue;
    bool json = columns[i].part == Column::Part::kWhole && columns[i].field->json_name() == name;
    if (json || columns[i].name == name) return i;
  }
  return {};
}

bool may_order_by(const contract::Table& table, const FieldDescriptor* field) {
  auto has = [field](const auto& fields) { return std::ranges::find(fields, field) != fields.end(); };
  return has(table.key) || std::ranges::any_of(table.indexes, [&](const auto& index) {
           return index.except == nullptr && table.arrival == nullptr && has(index.fields);
         });
}

Result<ListCondition> plan_filter(const contract::ColumnPlan& plan, const Filter& filter) {
  auto column = find_column(plan, filter.field);
  if (!column)
    return fail(Code::kInvalidArgument, "invalid_filter", "no such field to filter by: " + filter.field,
                filter.field);
  ListCondition condition{.column = *column, .op = filter.op, .values = {}};
  auto add = [&](const std::string& text) -> Result<void> {
    std::string scratch;
    auto value = plan.parse(plan.columns()[*column], text, scratch);
    if (!value) return fail(Code::kInvalidArgument, "invalid_filter", value.error().detail, filter.field);
    condition.values.push_back(OwnedValue::of(*value));
    return {};
  };
  if (filter.op != Filter::Op::kIn) {
    TRY(add(filter.value));
    return condition;
  }
  if (filter.any_of.size() > kMaxAnyOf)
    return fail(Code::kInvalidArgument, "invalid_filter", "at most 100 values", filter.field);
  for (const std::string& text : filter.any_of) TRY(add(text));
  return condition;
}

Result<void> plan_order(ListPlan& plan, const std::string& order_by) {
  const contract::Table& table = *plan.table;
  const auto& columns = plan.columns->columns();
  size_t first_key = key_columns(table).front();
  plan.order_column = first_key;
  plan.by_key = true;
  plan.descending = columns[first_key].type == ColumnType::kUuid;
  if (order_by.empty()) return {};

  std::string_view text = order_by;
  auto word = [&text] {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    std::string_view found = text.substr(0, text.find(' '));
    text.remove_prefix(found.size());
    return found;
  };
  std::string_view name = word(), direction = word();
  auto column = find_column(*plan.columns, name);
  bool known = column && may_order_by(table, columns[*column].field);
  if (!known || !word().empty() || (!direction.empty() && direction != "asc" && direction != "desc"))
    return fail(Code::kInvalidArgument, "invalid_order",
                fmt::format("cannot order by \"{}\"; give an indexed field, and asc or desc", order_by),
                "orderBy");
  const Column& chosen = columns[*column];
  plan.order_column = *column;
  plan.by_key = *column == first_key;
  plan.descending = direction == "desc";
  bool presence = chosen.part == Column::Part::kWhole && chosen.field->has_presence();
  plan.order_nullable = !plan.by_key && (chosen.type == ColumnType::kUuid || presence);
  return {};
}

void append_value(std::string& out, const Value& value) {
  out += static_cast<char>(value.kind);
  out.append(reinterpret_cast<const char*>(&value.integer), sizeof value.integer);
  uint32_t size = static_cast<uint32_t>(value.bytes.size());
  out.append(reinterpret_cast<const char*>(&size), sizeof size);
  out += value.bytes;
}

uint64_t shape_of(const ListPlan& plan) {
  std::string shape = plan.table->sql_name;
  for (const ListCondition& condition : plan.conditions) {
    shape += fmt::format("|{}:{}:{}|", plan.columns->columns()[condition.column].name,
                         static_cast<int>(condition.op), condition.values.size());
    for (const OwnedValue& value : condition.values) append_value(shape, value.view());
  }
  shape += fmt::format("|{}:{}", plan.columns->columns()[plan.order_column].name, plan.descending);
  return xxh64(shape);
}

// digest, order value, key: see page_token().
bool read_token(ListPlan& plan, std::string_view text) {
  auto token = from_base64url(text);
  uint64_t shape = 0;
  uint32_t size = 0;
  constexpr size_t kFixed = sizeof shape + 1 + sizeof(int64_t) + sizeof size;
  if (!token || token->size() < kFixed) return false;
  ListPlan::Place place;
  const char* at = token->data();
  std::memcpy(&shape, at, sizeof shape);
  if (at[8] < 0 || at[8] > static_cast<char>(Value::Kind::kBlob) || shape != plan.shape) return false;
  place.order.kind = static_cast<Value::Kind>(at[8]);
  std::memcpy(&place.order.integer, at + 9, sizeof place.order.integer);
  std::memcpy(&size, at + 17, sizeof size);
  if (size > token->size() - kFixed) return false;
  place.order.bytes = token->substr(kFixed, size);
  place.key = token->substr(kFixed + size);
  if (!key_values(*plan.table, place.key)) return false;
  plan.after = std::move(place);
  return true;
}

}  // namespace

Result<ListPlan> plan_list(const ListQuery& query) {
  ListPlan plan;
  plan.table = query.table;
  plan.columns = &contract::column_plan(*query.table);
  for (const Filter& filter : query.filters)
    plan.conditions.push_back(TRY(plan_filter(*plan.columns, filter)));
  TRY(plan_order(plan, query.order_by));
  plan.page_size = query.page_size == 0 ? kDefaultPage : std::min(query.page_size, kMaxPage);
  plan.shape = shape_of(plan);
  std::string_view token = query.page_token;
  if (token.starts_with("offset:")) {
    token.remove_prefix(7);
    auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), plan.offset);
    if (error != std::errc() || end != token.data() + token.size() || plan.offset > kMaxOffset)
      return bad_token();
  } else if (!token.empty() && !read_token(plan, token)) {
    return bad_token();
  }
  return plan;
}

int compare_values(const Value& a, const Value& b) {
  if (a.kind != b.kind) return a.kind < b.kind ? -1 : 1;
  if (a.kind == Value::Kind::kNull) return 0;
  if (a.kind == Value::Kind::kInteger) return a.integer < b.integer ? -1 : a.integer > b.integer;
  return a.bytes.compare(b.bytes);
}

bool matches(const ListPlan& plan, const std::vector<Value>& values) {
  return std::ranges::all_of(plan.conditions, [&](const ListCondition& condition) {
    const Value& value = values[condition.column];
    if (value.kind == Value::Kind::kNull) return false;
    auto equal = [&](const OwnedValue& wanted) { return compare_values(value, wanted.view()) == 0; };
    switch (condition.op) {
      case Filter::Op::kEqual: return equal(condition.values[0]);
      case Filter::Op::kGreaterEqual: return compare_values(value, condition.values[0].view()) >= 0;
      case Filter::Op::kLess: return compare_values(value, condition.values[0].view()) < 0;
      case Filter::Op::kIn: return std::ranges::any_of(condition.values, equal);
    }
    return false;
  });
}

std::string page_token(const ListPlan& plan, const Value& order, std::string_view key) {
  std::string token(reinterpret_cast<const char*>(&plan.shape), sizeof plan.shape);
  append_value(token, order);
  token += key;
  return to_base64url(token);
}

std::vector<size_t> key_columns(const contract::Table& table) {
  std::vector<size_t> places;
  const auto& columns = contract::column_plan(table).columns();
  for (const FieldDescriptor* field : table.key)
    for (size_t i = 0; i < columns.size(); ++i)
      if (columns[i].field == field) places.push_back(i);
  return places;
}

std::optional<std::vector<OwnedValue>> key_values(const contract::Table& table, std::string_view key) {
  auto texts = table.decode_key(key);
  std::vector<size_t> places = key_columns(table);
  if (!texts || texts->size() != places.size()) return {};
  const auto& columns = contract::column_plan(table).columns();
  std::vector<OwnedValue> values;
  for (size_t i = 0; i < places.size(); ++i) {
    std::string& text = (*texts)[i];
    OwnedValue& value = values.emplace_back();
    if (columns[places[i]].type == ColumnType::kInteger) {
      value.kind = Value::Kind::kInteger;
      uint64_t bits = 0;  // of an unsigned field, which a column keeps as its bit pattern
      if (text.starts_with('-')) std::from_chars(text.data(), text.data() + text.size(), value.integer);
      else
        std::from_chars(text.data(), text.data() + text.size(), bits),
            value.integer = static_cast<int64_t>(bits);
    } else if (columns[places[i]].type == ColumnType::kUuid) {
      auto uuid = parse_uuid(text);
      if (!uuid) return {};
      value = {Value::Kind::kBlob, 0, {reinterpret_cast<const char*>(uuid->data()), uuid->size()}};
    } else {
      value = {Value::Kind::kText, 0, std::move(text)};
    }
  }
  return values;
}

void column_values(const contract::ColumnPlan& plan, const google::protobuf::Message& row,
                   std::vector<Value>& values, std::vector<std::string>& scratch) {
  try {
    return plan.write(row, values, scratch);
  } catch (const std::invalid_argument& error) {
    log_error("store.uuid_invalid", error.what(), {{"record", row.GetDescriptor()->name()}});
  }
  std::unique_ptr<google::protobuf::Message> repaired(row.New());
  repaired->CopyFrom(row);
  for (const Column& column : plan.columns()) {
    if (column.type != ColumnType::kUuid) continue;
    if (!parse_uuid(row.GetReflection()->GetString(row, column.field)))
      repaired->GetReflection()->ClearField(repaired.get(), column.field);
  }
  plan.write(*repaired, values, scratch);
  // The values look into the repaired message, which goes away: they get copies.
  std::vector<std::string> copies;
  copies.reserve(values.size());
  for (Value& value : values) value.bytes = copies.emplace_back(value.bytes);
  scratch = std::move(copies);
}

}  // namespace micropay
