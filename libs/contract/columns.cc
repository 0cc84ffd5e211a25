// Records as column values and back. Scalars are columns an analyst can read; the rest is a blob of the
// field's own protobuf encoding with its tag, so reading one is merging it into the record.
#include "libs/contract/columns.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format.h>

#include <charconv>
#include <stdexcept>

#include "libs/base/ids.h"
#include "libs/base/money.h"
#include "libs/base/time.h"
#include "libs/contract/plan.h"

namespace micropay::contract {
namespace {

ColumnType type_of(const FieldDescriptor& field) {
  if (field.is_repeated()) return ColumnType::kBlob;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE: return ColumnType::kBlob;
    case FieldDescriptor::CPPTYPE_ENUM:
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT: return ColumnType::kText;
    case FieldDescriptor::CPPTYPE_STRING:
      if (field.type() == FieldDescriptor::TYPE_BYTES) return ColumnType::kBlob;
      return options_of(field).format() == UUID ? ColumnType::kUuid : ColumnType::kText;
    default: return ColumnType::kInteger;
  }
}

Value null_value() { return {}; }
Value integer_value(int64_t integer) {
  return {.kind = Value::Kind::kInteger, .integer = integer, .bytes = {}};
}
Value text_value(std::string_view text) { return {.kind = Value::Kind::kText, .integer = 0, .bytes = text}; }
Value blob_value(std::string_view bytes) {
  return {.kind = Value::Kind::kBlob, .integer = 0, .bytes = bytes};
}

std::string uuid_bytes(const Uuid& uuid) { return {reinterpret_cast<const char*>(uuid.data()), uuid.size()}; }

std::string encoded(const Message& row, const FieldDescriptor* field) {
  using google::protobuf::internal::WireFormat;
  std::string bytes;
  if (WireFormat::FieldByteSize(field, row) == 0)
    return bytes;  // also fixes the sizes that the encoder relies on
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  WireFormat::SerializeFieldWithCachedSizes(field, row, &coded);
  return bytes;
}

int64_t integer_of(const Message& row, const Reflection& reflection, const FieldDescriptor* field) {
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: return reflection.GetInt32(row, field);
    case FieldDescriptor::CPPTYPE_INT64: return reflection.GetInt64(row, field);
    case FieldDescriptor::CPPTYPE_UINT32: return reflection.GetUInt32(row, field);
    case FieldDescriptor::CPPTYPE_UINT64: return int64_t(reflection.GetUInt64(row, field));
    default: return reflection.GetBool(row, field);
  }
}

void set_integer_column(Message& row, const Reflection& reflection, const FieldDescriptor* field,
                        int64_t integer) {
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: return reflection.SetInt32(&row, field, int32_t(integer));
    case FieldDescriptor::CPPTYPE_INT64: return reflection.SetInt64(&row, field, integer);
    case FieldDescriptor::CPPTYPE_UINT32: return reflection.SetUInt32(&row, field, uint32_t(integer));
    case FieldDescriptor::CPPTYPE_UINT64: return reflection.SetUInt64(&row, field, uint64_t(integer));
    default: return reflection.SetBool(&row, field, integer != 0);
  }
}

// Values of an enum that this build does not know are kept as their number.
Value enum_value(const google::protobuf::EnumValueDescriptor* known, int number,
                 std::vector<std::string>& scratch) {
  return known != nullptr ? text_value(known->name())
                          : text_value(scratch.emplace_back(std::to_string(number)));
}

std::string real_text(const Message& row, const FieldDescriptor* field) {
  return field->cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE
             ? fmt::format("{}", row.GetReflection()->GetDouble(row, field))
             : fmt::format("{}", row.GetReflection()->GetFloat(row, field));
}

void set_text_column(Message& row, const Reflection& reflection, const FieldDescriptor* field,
                     std::string_view text) {
  double real = 0;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_ENUM: {
      int number = 0;
      if (const auto* value = field->enum_type()->FindValueByName(std::string(text)))
        number = value->number();
      else std::from_chars(text.data(), text.data() + text.size(), number);
      return reflection.SetEnumValue(&row, field, number);
    }
    case FieldDescriptor::CPPTYPE_DOUBLE:
      std::from_chars(text.data(), text.data() + text.size(), real);
      return reflection.SetDouble(&row, field, real);
    case FieldDescriptor::CPPTYPE_FLOAT:
      std::from_chars(text.data(), text.data() + text.size(), real);
      return reflection.SetFloat(&row, field, float(real));
    default: return reflection.SetString(&row, field, std::string(text));
  }
}

std::unexpected<Error> bad_filter(const Column& column, std::string_view expected) {
  return refuse("invalid_format", fmt::format("{} must be {}", column.field->json_name(), expected),
                column.field->json_name());
}

}  // namespace

ColumnPlan::ColumnPlan(const Table& table) {
  for (int i = 0; i < table.descriptor->field_count(); ++i) {
    const FieldDescriptor* field = table.descriptor->field(i);
    if (is_money(*field) && !field->is_repeated()) {
      columns_.push_back({field->name() + "_currency", ColumnType::kText, field, Column::Part::kCurrency});
      columns_.push_back({field->name() + "_minor", ColumnType::kInteger, field, Column::Part::kMinor});
    } else {
      columns_.push_back({field->name(), type_of(*field), field, Column::Part::kWhole});
    }
  }
}

namespace {

Value whole_value(const Message& row, const Reflection& reflection, const Column& column,
                  std::vector<std::string>& scratch) {
  const FieldDescriptor* field = column.field;
  if (field->has_presence() && !reflection.HasField(row, field)) return null_value();
  switch (column.type) {
    case ColumnType::kInteger: return integer_value(integer_of(row, reflection, field));
    case ColumnType::kText:
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
        const int number = reflection.GetEnumValue(row, field);
        return enum_value(field->enum_type()->FindValueByNumber(number), number, scratch);
      }
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_STRING)
        return text_value(scratch.emplace_back(real_text(row, field)));
      return text_value(reflection.GetStringReference(row, field, &scratch.emplace_back()));
    case ColumnType::kUuid: {
      const std::string& text = reflection.GetStringReference(row, field, &scratch.emplace_back());
      if (text.empty()) return null_value();
      const auto uuid = parse_uuid(text);
      if (!uuid) throw std::invalid_argument(field->full_name() + " is no UUID");
      return blob_value(scratch.emplace_back(uuid_bytes(*uuid)));
    }
    case ColumnType::kBlob: {
      if (!field->is_repeated() && field->type() == FieldDescriptor::TYPE_BYTES) {
        const std::string& bytes = reflection.GetStringReference(row, field, &scratch.emplace_back());
        return bytes.empty() && !field->has_presence() ? null_value() : blob_value(bytes);
      }
      const std::string& bytes = scratch.emplace_back(encoded(row, field));
      return bytes.empty() ? null_value() : blob_value(bytes);
    }
  }
  return null_value();
}

Value money_value(const Message& row, const Reflection& reflection, const Column& column,
                  std::vector<std::string>& scratch) {
  const bool set = reflection.HasField(row, column.field);
  const MoneyView money =
      set ? money_of(reflection.GetMessage(row, column.field), scratch.emplace_back()) : MoneyView();
  return column.part == Column::Part::kCurrency ? text_value(money.currency) : integer_value(money.minor);
}

}  // namespace

void ColumnPlan::write(const Message& row, std::vector<Value>& values,
                       std::vector<std::string>& scratch) const {
  const Reflection& reflection = *row.GetReflection();
  values.clear();
  scratch.clear();
  scratch.reserve(2 * columns_.size());  // growing would move the short strings that values look at
  for (const Column& column : columns_)
    values.push_back(column.part == Column::Part::kWhole ? whole_value(row, reflection, column, scratch)
                                                         : money_value(row, reflection, column, scratch));
}

void ColumnPlan::read(const std::vector<Value>& values, Message& row) const {
  const Reflection& reflection = *row.GetReflection();
  for (size_t i = 0; i < columns_.size() && i < values.size(); ++i) {
    const Column& column = columns_[i];
    const Value& value = values[i];
    if (value.kind == Value::Kind::kNull) continue;
    if (column.part == Column::Part::kCurrency) {
      if (!value.bytes.empty())
        set_money(*reflection.MutableMessage(&row, column.field), value.bytes,
                  i + 1 < values.size() ? values[i + 1].integer : 0);
      continue;
    }
    if (column.part == Column::Part::kMinor) continue;  // taken with its currency
    const FieldDescriptor* field = column.field;
    switch (column.type) {
      case ColumnType::kInteger: set_integer_column(row, reflection, field, value.integer); break;
      case ColumnType::kText: set_text_column(row, reflection, field, value.bytes); break;
      case ColumnType::kUuid: {
        Uuid uuid{};
        if (value.bytes.size() != uuid.size()) break;
        std::copy_n(value.bytes.data(), uuid.size(), reinterpret_cast<char*>(uuid.data()));
        reflection.SetString(&row, field, format_uuid(uuid));
        break;
      }
      case ColumnType::kBlob:
        if (!field->is_repeated() && field->type() == FieldDescriptor::TYPE_BYTES)
          reflection.SetString(&row, field, std::string(value.bytes));
        else row.MergeFromString(std::string(value.bytes));
        break;
    }
  }
}

Result<Value> ColumnPlan::parse(const Column& column, std::string_view text, std::string& scratch) const {
  const FieldDescriptor& field = *column.field;
  scratch.assign(text);
  switch (column.type) {
    case ColumnType::kUuid: {
      const auto uuid = parse_uuid(text);
      if (!uuid) return bad_filter(column, "a UUID");
      scratch = uuid_bytes(*uuid);
      return blob_value(scratch);
    }
    case ColumnType::kText:
      if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
        const auto* value = field.enum_type()->FindValueByName(scratch);
        if (value == nullptr) return bad_filter(column, "a value of " + field.enum_type()->name());
        return text_value(value->name());
      }
      if (text.find('\0') != text.npos) return bad_filter(column, "without zero characters");
      return text_value(scratch);
    case ColumnType::kInteger: {
      if (field.cpp_type() == FieldDescriptor::CPPTYPE_BOOL) {
        if (text != "true" && text != "false") return bad_filter(column, "true or false");
        return integer_value(text == "true");
      }
      if (column.part == Column::Part::kWhole && options_of(field).format() == TIME) {
        const auto time = parse_time(text);
        if (!time) return bad_filter(column, "a time like 2026-11-21T01:39:47Z");
        return integer_value(*time);
      }
      int64_t integer = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), integer);
      if (error != std::errc() || end != text.data() + text.size()) return bad_filter(column, "an integer");
      return integer_value(integer);
    }
    case ColumnType::kBlob: return bad_filter(column, "left out: it cannot be compared");
  }
  return bad_filter(column, "left out");
}

const Column* ColumnPlan::column(std::string_view name) const {
  for (const Column& column : columns_)
    if (column.name == name) return &column;
  return nullptr;
}

const ColumnPlan& column_plan(const Table& table) { return *table.columns; }

}  // namespace micropay::contract
