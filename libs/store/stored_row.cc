// Encoding of stored columns; what ColumnPlan::write makes of a record is turned back byte for byte.
#include "libs/store/stored_row.h"

#include <google/protobuf/wire_format_lite.h>

#include <bit>
#include <charconv>

#include "libs/base/ids.h"
#include "libs/base/varint.h"
#include "libs/store/list_query.h"

namespace micropay {
namespace {

using contract::Column;
using contract::ColumnType;
using contract::FieldDescriptor;
using contract::Value;
using google::protobuf::internal::WireFormatLite;

template <typename T>
void append_fixed(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string tag_of(const FieldDescriptor& field) {
  std::string tag;
  auto wire = WireFormatLite::WireTypeForFieldType(static_cast<WireFormatLite::FieldType>(field.type()));
  append_varint(tag, WireFormatLite::MakeTag(field.number(), wire));
  return tag;
}

}  // namespace

StoredRow::StoredRow(const contract::Table& table)
    : table_(table), plan_(contract::column_plan(table)), key_(key_columns(table)) {
  for (size_t i = 0; i < plan_.columns().size(); ++i)
    if (plan_.columns()[i].part != Column::Part::kMinor) fields_.push_back(field_of(i));
  std::ranges::sort(fields_, {},
                    [&](const Field& field) { return plan_.columns()[field.column].field->number(); });
}

StoredRow::Field StoredRow::field_of(size_t place) const {
  const Column& column = plan_.columns()[place];
  const FieldDescriptor& descriptor = *column.field;
  Field field{.column = place,
              .form = Form::kVarint,
              .presence = descriptor.has_presence(),
              .tag = tag_of(descriptor),
              .least = INT64_MIN,
              .most = INT64_MAX,
              .names = {}};
  if (column.part == Column::Part::kCurrency) return field.form = Form::kMoney, field;
  if (column.type == ColumnType::kUuid) return field.form = Form::kUuid, field;
  if (column.type == ColumnType::kBlob) {
    bool bytes = !descriptor.is_repeated() && descriptor.type() == FieldDescriptor::TYPE_BYTES;
    return field.form = bytes ? Form::kBytes : Form::kPart, field;
  }
  if (column.type == ColumnType::kText) {
    if (descriptor.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
      field.form = Form::kEnum;
      for (int i = 0; i < descriptor.enum_type()->value_count(); ++i) {
        const auto* value = descriptor.enum_type()->value(i);
        if (descriptor.enum_type()->FindValueByNumber(value->number()) == value)
          field.names.emplace(value->name(), value->number());
      }
      return field;
    }
    return field.form = descriptor.cpp_type() == FieldDescriptor::CPPTYPE_STRING ? Form::kText : Form::kReal,
           field;
  }
  switch (descriptor.type()) {
    case FieldDescriptor::TYPE_BOOL: field.least = 0, field.most = 1; break;
    case FieldDescriptor::TYPE_INT32: field.least = INT32_MIN, field.most = INT32_MAX; break;
    case FieldDescriptor::TYPE_UINT32: field.least = 0, field.most = UINT32_MAX; break;
    case FieldDescriptor::TYPE_SINT32:
      field.form = Form::kZigzag, field.least = INT32_MIN, field.most = INT32_MAX;
      break;
    case FieldDescriptor::TYPE_SINT64: field.form = Form::kZigzag; break;
    case FieldDescriptor::TYPE_FIXED64:
    case FieldDescriptor::TYPE_SFIXED64: field.form = Form::kFixed64; break;
    case FieldDescriptor::TYPE_FIXED32:
      field.form = Form::kFixed32, field.least = 0, field.most = UINT32_MAX;
      break;
    case FieldDescriptor::TYPE_SFIXED32:
      field.form = Form::kFixed32, field.least = INT32_MIN, field.most = INT32_MAX;
      break;
    default: break;
  }
  return field;
}

bool StoredRow::encode(const std::vector<Value>& values, std::string& bytes) const {
  bytes.clear();
  for (const Field& field : fields_)
    if (!append(field, values, bytes)) return false;
  return true;
}

const Column* StoredRow::refused(const std::vector<Value>& values) const {
  std::string bytes;
  for (const Field& field : fields_)
    if (!append(field, values, bytes)) return &plan_.columns()[field.column];
  return nullptr;
}

bool StoredRow::append(const Field& field, const std::vector<Value>& values, std::string& bytes) const {
  const Value& value = values[field.column];
  if (field.form == Form::kMoney) {
    const Value& minor = values[field.column + 1];
    if (value.kind != Value::Kind::kText || minor.kind != Value::Kind::kInteger) return false;
    if (value.bytes.empty() && minor.integer == 0) return true;
    std::string money;
    if (!value.bytes.empty()) append_sized(money += '\x0a', value.bytes);
    if (minor.integer != 0) append_varint(money += '\x10', static_cast<uint64_t>(minor.integer));
    append_sized(bytes += field.tag, money);
    return true;
  }
  if (value.kind == Value::Kind::kNull) return field.presence || field.form >= Form::kUuid;
  switch (field.form) {
    case Form::kEnum:
    case Form::kText: return append_text(field, value, bytes);
    case Form::kReal: return append_real(field, value, bytes);
    case Form::kUuid: {
      if (value.kind != Value::Kind::kBlob || value.bytes.size() != std::tuple_size_v<Uuid>) return false;
      thread_local std::string text;
      format_uuid(reinterpret_cast<const uint8_t*>(value.bytes.data()), text);
      append_sized(bytes += field.tag, text);
      return true;
    }
    case Form::kBytes:
      if (value.kind != Value::Kind::kBlob || (value.bytes.empty() && !field.presence)) return false;
      append_sized(bytes += field.tag, value.bytes);
      return true;
    case Form::kPart:
      if (value.kind != Value::Kind::kBlob || value.bytes.empty()) return false;
      bytes.append(value.bytes);
      return true;
    default: return append_integer(field, value, bytes);
  }
}

bool StoredRow::append_integer(const Field& field, const Value& value, std::string& bytes) const {
  if (value.kind != Value::Kind::kInteger || value.integer < field.least || value.integer > field.most)
    return false;
  if (value.integer == 0 && !field.presence) return true;
  bytes += field.tag;
  auto bits = static_cast<uint64_t>(value.integer);
  if (field.form == Form::kFixed64) append_fixed(bytes, bits);
  else if (field.form == Form::kFixed32) append_fixed(bytes, static_cast<uint32_t>(bits));
  else if (field.form == Form::kZigzag)
    append_varint(bytes, zigzag(value.integer));
  else append_varint(bytes, bits);
  return true;
}

bool StoredRow::append_text(const Field& field, const Value& value, std::string& bytes) const {
  if (value.kind != Value::Kind::kText) return false;
  if (field.form == Form::kText) {
    if (!value.bytes.empty() || field.presence) append_sized(bytes += field.tag, value.bytes);
    return true;
  }
  int number = 0;
  if (auto known = field.names.find(value.bytes); known != field.names.end()) {
    number = known->second;
  } else {  // of a value that this build does not know
    auto [end, error] = std::from_chars(value.bytes.data(), value.bytes.data() + value.bytes.size(), number);
    if (error != std::errc() || std::to_string(number) != value.bytes) return false;
    for (const auto& [name, known_number] : field.names)
      if (known_number == number) return false;
  }
  if (number != 0 || field.presence)
    append_varint(bytes += field.tag, static_cast<uint64_t>(static_cast<int64_t>(number)));
  return true;
}

bool StoredRow::append_real(const Field& field, const Value& value, std::string& bytes) const {
  if (value.kind != Value::Kind::kText) return false;
  auto append = [&]<typename Real, typename Bits>(Real real, Bits) {
    auto [end, error] = std::from_chars(value.bytes.data(), value.bytes.data() + value.bytes.size(), real);
    if (error != std::errc() || fmt::format("{}", real) != value.bytes) return false;
    auto bits = std::bit_cast<Bits>(real);
    if (bits != 0 || field.presence) append_fixed(bytes += field.tag, bits);
    return true;
  };
  bool wide = plan_.columns()[field.column].field->cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE;
  return wide ? append(double(), uint64_t()) : append(float(), uint32_t());
}

void StoredRow::key(const std::vector<Value>& values, std::string& key) const {
  key.clear();
  for (size_t place : key_) {
    const Value& value = values[place];
    const Column& column = plan_.columns()[place];
    if (column.type == ColumnType::kUuid && value.kind == Value::Kind::kBlob) {
      key.append(value.bytes);
    } else if (column.type == ColumnType::kText && value.kind == Value::Kind::kText) {
      key.append(value.bytes).push_back('\0');
    } else if (column.type == ColumnType::kInteger && value.kind == Value::Kind::kInteger) {
      auto cpp_type = column.field->cpp_type();
      bool is_unsigned =
          cpp_type == FieldDescriptor::CPPTYPE_UINT64 || cpp_type == FieldDescriptor::CPPTYPE_UINT32;
      uint64_t bits = static_cast<uint64_t>(value.integer) ^ (is_unsigned ? 0 : uint64_t(1) << 63);
      for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(bits >> shift));
    } else {
      key.append(fmt::format("{}:{}", static_cast<int>(value.kind), value.integer)).append(value.bytes);
    }
  }
}

}  // namespace micropay
