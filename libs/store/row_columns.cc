// Reading columns from protobuf's wire format. Fields that the contract does not know are skipped: they have
// no column.
#include "libs/store/row_columns.h"

#include <bit>
#include <cstring>

#include "libs/base/log.h"
#include "libs/base/varint.h"

namespace micropay {
namespace {

using contract::Column;
using contract::ColumnType;
using contract::Value;
using google::protobuf::FieldDescriptor;

enum Wire : uint8_t { kVarintWire = 0, kFixed64Wire = 1, kSizedWire = 2, kFixed32Wire = 5 };
constexpr int kNames = 64;  // of an enum, at hand

Value integer_value(int64_t integer) {
  return {.kind = Value::Kind::kInteger, .integer = integer, .bytes = {}};
}
Value text_value(std::string_view text) { return {.kind = Value::Kind::kText, .integer = 0, .bytes = text}; }
Value blob_value(std::string_view bytes) {
  return {.kind = Value::Kind::kBlob, .integer = 0, .bytes = bytes};
}

uint64_t fixed(ByteReader& in, bool wide) {
  const std::string_view bytes = in.bytes(wide ? sizeof(uint64_t) : sizeof(uint32_t));
  uint64_t bits = 0;
  std::memcpy(&bits, bytes.data(), bytes.size());
  return bits;
}

// What an unset field of this column is.
Value default_of(const Column& column) {
  if (column.part == Column::Part::kCurrency) return text_value("");
  if (column.part == Column::Part::kMinor) return integer_value(0);
  if (column.field->has_presence()) return {};
  if (column.type == ColumnType::kInteger) return integer_value(0);
  if (column.type != ColumnType::kText) return {};
  switch (column.field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_ENUM: return text_value(column.field->default_value_enum()->name());
    case FieldDescriptor::CPPTYPE_STRING: return text_value("");
    default: return text_value("0");
  }
}

// A Money message: its currency and its minor units.
bool read_money(std::string_view bytes, Value& currency, Value& minor) {
  ByteReader in{bytes};
  while (in.good && !in.rest.empty()) {
    const uint64_t tag = in.varint();
    if (tag == (1 << 3 | kSizedWire)) currency.bytes = in.sized();
    else if (tag == (2 << 3 | kVarintWire)) minor.integer = static_cast<int64_t>(in.varint());
    else in.good = false;
  }
  return in.good;
}

void skip(uint32_t wire, ByteReader& in) {
  if (wire == kVarintWire) in.varint();
  else if (wire == kSizedWire) in.sized();
  else if (wire == kFixed64Wire || wire == kFixed32Wire) fixed(in, wire == kFixed64Wire);
  else in.good = false;
}

}  // namespace

RowColumns::RowColumns(const contract::Table& table) : table_(table) {
  const auto& columns = contract::column_plan(table).columns();
  uuids_.resize(columns.size());
  texts_.resize(columns.size());
  for (size_t place = 0; place < columns.size(); ++place) {
    const Column& column = columns[place];
    defaults_.push_back(default_of(column));
    if (column.part == Column::Part::kMinor) continue;  // read with its currency
    const auto number = static_cast<size_t>(column.field->number());
    if (fields_.size() <= number) fields_.resize(number + 1);
    fields_[number] = field_of(column, place);
  }
}

RowColumns::Field RowColumns::field_of(const Column& column, size_t place) {
  const FieldDescriptor& descriptor = *column.field;
  Field field;
  field.column = static_cast<uint32_t>(place);
  field.descriptor = &descriptor;
  const auto of = [&field](Form form, bool wide = false) {
    field.form = form;
    field.wide = wide;
    return field;
  };
  if (column.part == Column::Part::kCurrency) return of(Form::kMoney);
  if (column.type == ColumnType::kUuid) return of(Form::kUuid);
  if (column.type == ColumnType::kBlob)
    return of(!descriptor.is_repeated() && descriptor.type() == FieldDescriptor::TYPE_BYTES ? Form::kBytes
                                                                                            : Form::kPart);
  switch (descriptor.type()) {
    case FieldDescriptor::TYPE_STRING: return of(Form::kText);
    case FieldDescriptor::TYPE_DOUBLE: return of(Form::kReal, true);
    case FieldDescriptor::TYPE_FLOAT: return of(Form::kReal);
    case FieldDescriptor::TYPE_FIXED64:
    case FieldDescriptor::TYPE_SFIXED64: return of(Form::kFixed, true);
    case FieldDescriptor::TYPE_FIXED32:
    case FieldDescriptor::TYPE_SFIXED32: return of(Form::kFixed);
    case FieldDescriptor::TYPE_SINT32:
    case FieldDescriptor::TYPE_SINT64: return of(Form::kZigzag);
    case FieldDescriptor::TYPE_ENUM: break;
    default: return of(Form::kVarint);
  }
  for (int number = 0; number < kNames; ++number) {
    const auto* value = descriptor.enum_type()->FindValueByNumber(number);
    field.names.push_back(value == nullptr ? std::string_view() : value->name());
  }
  return of(Form::kEnum);
}

bool RowColumns::read(std::string_view row, std::vector<Value>& values) {
  values.assign(defaults_.begin(), defaults_.end());
  ByteReader in{row};
  while (in.good && !in.rest.empty()) {
    const char* start = in.rest.data();
    const uint64_t tag = in.varint(), number = tag >> 3;
    const auto wire = static_cast<uint32_t>(tag & 7);
    if (number < fields_.size() && fields_[number].form != Form::kUnknown)
      in.good = read_field(fields_[number], wire, start, in, values) && in.good;
    else skip(wire, in);
  }
  return in.good;
}

bool RowColumns::read_field(const Field& field, uint32_t wire, const char* start, ByteReader& in,
                            std::vector<Value>& values) {
  Value& value = values[field.column];
  switch (field.form) {
    case Form::kVarint: value = integer_value(static_cast<int64_t>(in.varint())); return wire == kVarintWire;
    case Form::kZigzag: value = integer_value(unzigzag(in.varint())); return wire == kVarintWire;
    case Form::kEnum: value = enum_value(field, in.varint()); return wire == kVarintWire;
    case Form::kText: value = text_value(in.sized()); return wire == kSizedWire;
    case Form::kBytes: value = blob_value(in.sized()); return wire == kSizedWire;
    case Form::kUuid: value = uuid_value(field, in.sized()); return wire == kSizedWire;
    case Form::kMoney: return wire == kSizedWire && read_money(in.sized(), value, values[field.column + 1]);
    case Form::kReal:
      value = real_value(field, fixed(in, field.wide));
      return wire == (field.wide ? kFixed64Wire : kFixed32Wire);
    case Form::kFixed: {
      const uint64_t bits = fixed(in, field.wide);
      const bool sign = field.descriptor->type() == FieldDescriptor::TYPE_SFIXED32;
      value = integer_value(sign ? static_cast<int32_t>(bits) : static_cast<int64_t>(bits));
      return wire == (field.wide ? kFixed64Wire : kFixed32Wire);
    }
    case Form::kPart: {
      skip(wire, in);
      const std::string_view bytes(start, static_cast<size_t>(in.rest.data() - start));
      value = value.kind == Value::Kind::kNull ? blob_value(bytes) : longer_part(field, value, bytes);
      return true;
    }
    case Form::kUnknown: break;
  }
  return false;
}

// A value of an enum that this build does not know is kept as its number.
Value RowColumns::enum_value(const Field& field, uint64_t number) {
  if (number < field.names.size() && !field.names[number].empty()) return text_value(field.names[number]);
  const auto* known = field.descriptor->enum_type()->FindValueByNumber(static_cast<int>(number));
  if (known != nullptr) return text_value(known->name());
  return text_value(texts_[field.column] = std::to_string(static_cast<int>(number)));
}

Value RowColumns::real_value(const Field& field, uint64_t bits) {
  std::string& text = texts_[field.column];
  if (field.wide) text = fmt::format("{}", std::bit_cast<double>(bits));
  else text = fmt::format("{}", std::bit_cast<float>(static_cast<uint32_t>(bits)));
  return text_value(text);
}

Value RowColumns::uuid_value(const Field& field, std::string_view text) {
  if (text.empty()) return {};
  const auto uuid = parse_uuid(text);
  if (!uuid) {
    log_error("store.uuid_invalid", field.descriptor->full_name() + " is no UUID",
              {{"record", table_.descriptor->name()}});
    return {};
  }
  uuids_[field.column] = *uuid;
  return blob_value({reinterpret_cast<const char*>(uuids_[field.column].data()), uuid->size()});
}

// The items of a repeated field stand one behind the other, but need not.
Value RowColumns::longer_part(const Field& field, const Value& before, std::string_view bytes) {
  if (before.bytes.data() + before.bytes.size() == bytes.data())
    return blob_value({before.bytes.data(), before.bytes.size() + bytes.size()});
  std::string& text = texts_[field.column];
  if (before.bytes.data() != text.data()) text = before.bytes;
  text += bytes;
  return blob_value(text);
}

}  // namespace micropay
